package feed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

// needs leaves the test out without a program, and in `make test-fast`.
func needs(t *testing.T, program string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs " + program)
	}
	for _, path := range []string{program, "/usr/sbin/" + program} {
		if path, err := exec.LookPath(path); err == nil {
			return path
		}
	}
	t.Skip(program + " is not installed")
	return ""
}

// block is the first block of a kind in the page that begins so.
func block(t *testing.T, kind, begin string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/two-speed.md")
	require.NoError(t, err)
	m := regexp.MustCompile("(?s)```" + kind + "\n(" + regexp.QuoteMeta(begin) + ".*?)```").FindSubmatch(page)
	require.NotNil(t, m)
	return string(m[1])
}

// TestDocumentedConfigs: HAProxy and nginx take the examples for good.
func TestDocumentedConfigs(t *testing.T) {
	haproxy, dir := needs(t, "haproxy"), t.TempDir()
	path := filepath.Join(dir, "haproxy.cfg")
	text := "defaults\n    mode http\n    timeout connect 1s\n    timeout client 5s\n    timeout server 5s\n" +
		"frontend in\n    bind 127.0.0.1:8081\n    default_backend www\n" + block(t, "haproxy", "backend www\n") + block(t, "haproxy", "resolvers fairlead")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	out, err := exec.Command(haproxy, "-c", "-f", path).CombinedOutput()
	require.NoError(t, err, "%s", out)

	nginx := needs(t, "nginx")
	path = filepath.Join(dir, "nginx.conf")
	text = "pid " + filepath.Join(dir, "pid") + ";\nevents {}\nhttp {\n    access_log off;\n" + block(t, "nginx", "server {") + "}\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	out, err = exec.Command(nginx, "-t", "-e", filepath.Join(dir, "errors"), "-c", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// listenAgent has the site answer agent checks until the test ends.
func (s *site) listenAgent() *net.TCPAddr {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.server.serveAgent(ctx, l) }()
	s.t.Cleanup(func() {
		cancel()
		require.NoError(s.t, <-done)
	})
	return l.Addr().(*net.TCPAddr)
}

func TestAgent(t *testing.T) {
	s := newSite(t)
	at := s.listenAgent().String()
	ask := func(what string) string {
		c, err := net.Dial("tcp", at)
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Write([]byte(what))
		require.NoError(t, err)
		b, err := io.ReadAll(c)
		require.NoError(t, err)
		return string(b)
	}
	require.Equal(t, "up ready 100%\n", ask("example.org/web/one\n"))
	require.Equal(t, "up ready 33%\n", ask("EXAMPLE.org./web/two\n"))
	require.Equal(t, "up ready 0%\n", ask("example.org/far/three\n"), "its tier has no turn")
	require.Equal(t, "up ready 33%\n", ask("example.org/web/two srv.example.org\n"))
	for _, none := range []string{"example.org/web/nobody\n", "example.org/far/three srv.example.org\n", "nonsense\n", "\n"} {
		require.Empty(t, ask(none), none)
	}
	s.stamped(ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.2"}, 30*time.Second)
	require.Zero(t, s.until(ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.3"}))
	s.swap("one")
	require.Equal(t, "drain\n", ask("example.org/web/one\n"))
	require.Equal(t, "up ready 100%\n", ask("example.org/web/two\n"))
	s.swap("two")
	require.Equal(t, "up ready 100%\n", ask("example.org/far/three\n"))
	s.isShut.Store(true)
	require.Empty(t, ask("example.org/far/three\n"), "HAProxy keeps what it was told")
}

// TestHAProxy: Debian's HAProxy shares by the weights that agent checks give, and leaves what is drained.
func TestHAProxy(t *testing.T) {
	haproxy := needs(t, "haproxy")
	s := newSiteOf(t, strings.ReplaceAll(zoneText, "192.0.2.", "127.0.92."), false)
	port := 0
	for _, a := range []string{"127.0.92.1", "127.0.92.2", "127.0.92.3"} {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", a, port))
		require.NoError(t, err)
		port = l.Addr().(*net.TCPAddr).Port
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, a) })}
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { srv.Close() })
	}
	front, err := net.Listen("tcp", "127.0.92.9:0")
	require.NoError(t, err)
	listen := front.Addr().String()
	require.NoError(t, front.Close())
	var text strings.Builder
	fmt.Fprintf(&text, `defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend in
    bind %s
    default_backend www
backend www
    balance roundrobin
    default-server check inter 100ms agent-check agent-addr 127.0.0.1 agent-port %d agent-inter 50ms weight 100
`, listen, s.listenAgent().Port)
	for name, a := range map[string]string{"web/one": "127.0.92.1", "web/two": "127.0.92.2", "far/three": "127.0.92.3"} {
		fmt.Fprintf(&text, "    server %s %s:%d agent-send \"example.org/%s\\n\"\n", filepath.Base(name), a, port, name)
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))
	var log bytes.Buffer
	cmd := exec.Command(haproxy, "-db", "-f", path)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	shares := func() map[string]int {
		out := make(map[string]int)
		for range 40 {
			r, err := http.Get("http://" + listen)
			if err != nil {
				return nil
			}
			b, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil || r.StatusCode != 200 {
				return nil
			}
			out[string(b)]++
		}
		return out
	}
	require.Eventually(t, func() bool {
		got := shares()
		return got["127.0.92.1"] >= 29 && got["127.0.92.1"] <= 31 && got["127.0.92.3"] == 0
	}, time.Minute, 50*time.Millisecond, "three quarters")
	s.swap("one")
	require.Eventually(t, func() bool { return shares()["127.0.92.2"] == 40 }, time.Minute, 50*time.Millisecond)
	s.swap("two")
	require.Eventually(t, func() bool { return shares()["127.0.92.3"] == 40 }, time.Minute, 50*time.Millisecond, "the next tier")
	delete(s.drained, "one")
	s.swap()
	require.Eventually(t, func() bool { return shares()["127.0.92.1"] == 40 }, time.Minute, 50*time.Millisecond, "back")
}
