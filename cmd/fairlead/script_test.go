package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/audit"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func TestMain(m *testing.M) {
	suite.OneThread()
	testscript.Main(m, map[string]func(){
		"fairlead":     func() { os.Exit(run(os.Args[1:], os.Stderr)) },
		"auditlog":     func() { auditLog(os.Args[1]) },
		"deafserver":   func() { deafServer(os.Args[1]) },
		"cannedserver": func() { cannedServer(os.Args[1:]) },
	})
}

// TestScript runs the command line as a user does; testdata/script holds one file for each subject.
func TestScript(t *testing.T) {
	data, err := filepath.Abs("testdata/status")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("DATA", data)
			// Short, for the sockets in it; of its own, so that no demo of the user is found.
			env.Setenv("TMPDIR", env.WorkDir)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":      exits,
			"waitsocket": waitSocket,
			"waitready":  waitReady,
		},
		UpdateScripts: *update,
	})
}

// exits runs a program and wants an exit code: exits CODE PROGRAM [ARG...]
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// waitSocket waits until somebody listens: waitsocket PATH
func waitSocket(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(10 * time.Second)
	for {
		c, err := net.Dial("unix", ts.MkAbs(args[0]))
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("waitsocket: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// waitReady waits until the node at a socket serves: waitready PATH
func waitReady(ts *testscript.TestScript, _ bool, args []string) {
	c := clientAt(ts.MkAbs(args[0]), "test", "")
	deadline := time.Now().Add(10 * time.Second)
	for {
		s, err := c.Status(context.Background())
		if err == nil && s.Ready {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("waitready: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// deafServer accepts connections on a unix socket and never answers, until it is killed.
func deafServer(socket string) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	var held []net.Conn
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		//lint:ignore SA4010 held, so that the collector closes none
		held = append(held, c)
	}
}

// auditLog makes an audit log of three entries in the directory that is given.
func auditLog(dir string) {
	l, err := audit.New(audit.Options{Dir: dir, Node: "n1"})
	if err != nil {
		panic(err)
	}
	for _, e := range []audit.Entry{
		{Actor: "ada", From: "unix uid=1000 pid=7", Action: "drain", Object: "az eu-a", Reason: "CHG-1", Outcome: audit.OutcomeOK, After: []byte(`{"id":"n1-1-1","override":["keep_azs"]}`)},
		{Actor: "eve\x1b[2J", From: "unix uid=1001 pid=8", Action: "drain", Object: "region eu", Reason: "say \"please\"", Outcome: audit.Refused + "keep_regions"},
		{Actor: "ada", From: "unix uid=1000 pid=9", Action: "undrain", Object: "drain n1-1-1, az eu-a", Outcome: audit.OutcomeOK},
	} {
		if err := l.Append(e); err != nil {
			panic(err)
		}
	}
	if err := l.Close(); err != nil {
		panic(err)
	}
}

// cannedServer answers every request for the status, or of the method that is the fourth argument, on a unix socket with one body and HTTP
// status, until it is killed.
func cannedServer(args []string) {
	socket, code, file, method := args[0], args[1], args[2], ""
	if len(args) > 3 {
		method = args[3]
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	status, err := strconv.Atoi(code)
	if err != nil {
		panic(err)
	}
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if status >= 400 {
			w.Header().Set("Content-Type", api.ProblemType)
		}
		if r.URL.Path != api.StatusPath && r.Method != method {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
		f, err := os.Open(file)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		_, _ = io.Copy(w, f)
	})))
}
