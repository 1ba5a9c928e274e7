package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

func execCheck(timeout time.Duration, command ...string) *config.Check {
	return sealed(config.Check{Name: "script", Type: config.CheckExec, Interval: 20 * time.Second, Timeout: timeout,
		Fall: 3, Rise: 2, Exec: &config.ExecCheck{Command: command}})
}

func TestExec(t *testing.T) {
	t.Setenv("SECRET", "do not leak")
	sh := func(script string) []string { return []string{"/bin/sh", "-c", script} }
	for _, test := range []struct {
		name    string
		command []string
		kind    Kind
		text    string
	}{
		{"succeeds", []string{"/bin/true"}, None, ""},
		{"arguments", sh(`test "$0 $1" = "192.0.2.1 [192.0.2.1]:8080" `), None, ""},
		{"fails", []string{"/bin/false"}, Exit, "exit status 1"},
		{"last line", sh("echo one; echo two >&2; echo; exit 3"), Exit, "exit status 3: two"},
		{"no shell", []string{"/bin/echo", "-n", "$(touch /tmp/x); {address} {port}"}, None, ""},
		{"its environment", sh(`test "$(env | sort | tr '\n' ' ')" = "FAIRLEAD_ADDRESS=192.0.2.1 FAIRLEAD_PORT=8080 ` +
			`LANG=C.UTF-8 PATH=` + execPath + ` PWD=/ "`), None, ""},
		{"no input", sh("read line && exit 1; exit 0"), None, ""},
		{"killed by itself", sh("echo bye; kill -9 $$"), Exit, "signal: killed: bye"},
		{"too much output", sh("head -c 10000000 /dev/zero | tr '\\0' y; echo; echo end; exit 1"), Exit, "exit status 1: end"},
		{"one endless line", sh("head -c 100000 /dev/zero | tr '\\0' y; exit 1"), Exit, "exit status 1: " + strings.Repeat("y", 117) + "…"},
		{"control octets", sh(`printf 'a\033[31mb\n'; exit 1`), Exit, "exit status 1: a [31mb"},
		{"no such program", []string{"/no/such/program"}, Unsupported, "not probed: /no/such/program: no such file or directory"},
		{"not executable", []string{"/etc/passwd"}, Unsupported, "not probed: /etc/passwd: permission denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			command := test.command
			if test.name == "arguments" {
				command = append(command, "{address}", "[{address}]:{port}")
			}
			got := Once(t.Context(), target(execCheck(10*time.Second, command...), "192.0.2.1", 8080), Options{AllowExec: true})
			assert.Equal(t, Reason{test.kind, test.text}, got.Reason)
		})
	}
}

func TestExecIsOff(t *testing.T) {
	r := Once(t.Context(), target(execCheck(time.Second, "/bin/true"), "192.0.2.1", 80), Options{})
	assert.Equal(t, Reason{Unsupported, "exec checks are off on this node"}, r.Reason)
}

// TestExecIsKilledWithItsChildren: the deadline holds for the program, for its children, and for those that left its
// group and hold the pipe.
func TestExecIsKilledWithItsChildren(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	for _, test := range []struct {
		name, script, text string
		kind               Kind
	}{
		{"hangs", "echo $$ > %s; echo waiting; sleep 100", "killed after 500ms: waiting", NoAnswer},
		{"ignores signals", "trap '' TERM INT HUP; echo $$ > %s; while :; do sleep 100; done", "killed after 500ms", NoAnswer},
		{"its child hangs", "sleep 100 & echo $! > %s; wait", "killed after 500ms", NoAnswer},
		{"its child stays behind", "sleep 100 & echo $! > %s", "", None},
		{"writes for ever", "echo $$ > %s; yes", "killed after 500ms: y", NoAnswer},
	} {
		t.Run(test.name, func(t *testing.T) {
			check := execCheck(500*time.Millisecond, "/bin/sh", "-c", fmt.Sprintf(test.script, pids))
			start := time.Now()
			r := Once(t.Context(), target(check, "192.0.2.1", 80), Options{AllowExec: true})
			assert.Less(t, time.Since(start), check.Timeout+time.Second)
			assert.Equal(t, Reason{test.kind, test.text}, r.Reason)
			raw, err := os.ReadFile(pids)
			require.NoError(t, err)
			pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
			require.NoError(t, err)
			require.Eventually(t, func() bool { return gone(pid) }, 5*time.Second, 10*time.Millisecond, "process %d lives", pid)
		})
	}
	t.Run("leaves the group and holds the pipe", func(t *testing.T) {
		check := execCheck(5*time.Second, "/bin/sh", "-c", "setsid sleep 3 & exit 1")
		start := time.Now()
		r := Once(t.Context(), target(check, "192.0.2.1", 80), Options{AllowExec: true})
		assert.Less(t, time.Since(start), 2*time.Second)
		assert.Equal(t, Reason{Exit, "exit status 1"}, r.Reason)
	})
}

// gone tells whether a process has ended; one that nobody has waited for yet has.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestTail(t *testing.T) {
	var kept tail
	for range 3 {
		n, err := kept.Write([]byte(strings.Repeat("y", 3000)))
		require.NoError(t, err)
		require.Equal(t, 3000, n)
	}
	_, _ = kept.Write([]byte("\nend\n\n"))
	assert.Len(t, kept.kept, maxOutput)
	assert.Equal(t, ": end", kept.say())
	_, _ = kept.Write([]byte(strings.Repeat("z", 10000)))
	assert.Len(t, kept.kept, maxOutput)
	assert.Equal(t, maxOutput, strings.Count(string(kept.kept), "z"))
}
