package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

const (
	// maxOutput is how much of what a program writes is kept: the end of it. The rest is read and dropped.
	maxOutput = 4 << 10
	// execGrace is how long the pipe may stay open once the program is gone, or was killed: a child that left the process
	// group can hold it.
	execGrace = 50 * time.Millisecond
	execPath  = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// An execChecker runs a program without a shell; exit status 0 is success. The program has its own process group, which
// is killed whole at the deadline and once the program has ended; an empty environment but for PATH, LANG and the
// target; no input. The fence cannot see what it dials, so it is off unless the node allows it.
type execChecker struct{ command []string }

func newExecChecker(check *config.Check, dial *dialer) (checker, error) {
	switch {
	case check.Exec == nil || len(check.Exec.Command) == 0:
		return nil, errors.New("check has no command")
	case !dial.exec:
		return nil, errors.New("exec checks are off on this node")
	}
	return &execChecker{command: check.Exec.Command}, nil
}

func (c *execChecker) probe(ctx context.Context, target health.Target, r *Result) {
	var out tail
	c.run(ctx, target, r, &out, &out)
}

// run runs the program; out gets what it prints, and says what of it, in words, goes into reasons.
func (c *execChecker) run(ctx context.Context, target health.Target, r *Result, out, says *tail) {
	host, port := strings.TrimSuffix(target.Host, "."), strconv.Itoa(int(target.Port))
	fill := strings.NewReplacer("{address}", host, "{port}", port)
	argv := make([]string, len(c.command))
	for i, word := range c.command {
		argv[i] = fill.Replace(word)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, says
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + execPath, "LANG=C.UTF-8", "FAIRLEAD_ADDRESS=" + host, "FAIRLEAD_PORT=" + port}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = execGrace
	if err := cmd.Start(); err != nil {
		r.fail(startReason(err, argv[0]))
		return
	}
	err := cmd.Wait()
	// What the program left behind in its group; mostly nothing.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if ctx.Err() != nil {
		r.fail(because(NoAnswer, "killed after %v%s", target.Check.Timeout, says.say()))
		return
	}
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
	case errors.As(err, &exit) && exit.Exited():
		r.fail(because(Exit, "exit status %d%s", exit.ExitCode(), says.say()))
	default:
		r.fail(because(Exit, "%v%s", err, says.say()))
	}
}

// startReason says why the program did not start, which is no evidence about the target.
func startReason(err error, program string) Reason {
	if lacking(err) || errors.Is(err, syscall.EAGAIN) {
		return because(Resource, "not probed: this node has no room for a process: %v", root(err))
	}
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return because(Unsupported, "not probed: %s: %v", clip(program, 100), err)
}

// A tail keeps the end of what is written to it. exec.Cmd writes from one goroutine.
type tail struct{ kept []byte }

func (t *tail) Write(b []byte) (int, error) {
	n := len(b)
	b = b[max(n-maxOutput, 0):]
	over := max(len(t.kept)+len(b)-maxOutput, 0)
	t.kept = append(t.kept[:copy(t.kept, t.kept[over:])], b...)
	return n, nil
}

// say is the last line that has text, as the end of a reason.
func (t *tail) say() string {
	lines := bytes.Split(t.kept, []byte("\n"))
	for i := len(lines) - 1; i >= 0; i-- {
		if line := bytes.TrimSpace(lines[i]); len(line) > 0 {
			return fmt.Sprintf(": %s", clip(string(line), 120))
		}
	}
	return ""
}
