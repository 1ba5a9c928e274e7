package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/hook"
	"github.com/fairlead-dns/fairlead/health/run"
)

const (
	// firstPause and lastPause are between two calls of a hook that may be called again.
	firstPause = time.Second
	lastPause  = 10 * time.Second
	// maxOutput is what is kept of what a program or a receiver says, in octets.
	maxOutput = 200
	// execPath is where programs find programs, as for checks of type exec.
	execPath  = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	execGrace = time.Second
)

// A result is what came of calling a hook.
type result struct {
	err error
	// again is set where it did not get through, or may get through twice and another call may go better.
	again bool
	// said is what it answered.
	said string
	// ended is set where the process ends: nothing is known then.
	ended bool
}

// later is when a hook is called again, and how long the pause before is.
type later struct {
	at    time.Time
	pause time.Duration
}

// call calls a hook, unless that is under way, or records what came of it.
func (r *Runner) call(ctx context.Context, u *run.Run, p *config.Plan, st *run.State, c *run.Hook, now time.Time) (why string, more bool) {
	key := u.HookKey(p, c.Step, c.Attempt, c.Undo)
	h := p.Steps[c.Step].Hook
	if c.Undo {
		h = h.Undo
	}
	r.mu.Lock()
	done, finished := r.results[key]
	if r.calling[key] {
		r.mu.Unlock()
		return "its hook has not answered yet", false
	}
	if finished {
		r.mu.Unlock()
		return r.came(u, p, st, c, h, key, done, now)
	}
	if now.Before(r.later[key].at) {
		defer r.mu.Unlock()
		return r.waits[u.ID], false
	}
	r.calling[key] = true
	r.mu.Unlock()
	left := p.Steps[c.Step].Timeout
	r.calls.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, left)
		defer cancel()
		out := r.send(ctx, h, note(u, p, c, key))
		r.mu.Lock()
		delete(r.calling, key)
		if !out.ended {
			r.results[key] = out
		}
		r.mu.Unlock()
		r.Poke()
	})
	return "its hook is called", false
}

// came records what came of calling a hook. What did not get through, or may get through twice, is called again.
func (r *Runner) came(u *run.Run, p *config.Plan, st *run.State, c *run.Hook, h *config.PlanHook, key string, out result, now time.Time) (why string, more bool) {
	forget := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.results, key)
		delete(r.later, key)
	}
	var e run.Entry
	switch {
	case out.err == nil && c.Undo:
		e = run.Entry{Kind: run.Undone, Step: c.Step, Text: out.said}
	case out.err == nil:
		e = run.Entry{Kind: run.Done, Step: c.Step, Attempt: c.Attempt, Text: out.said}
	case out.again && r.opts.Store.Since(u.ID, began(st, c), now) <= p.Steps[c.Step].Timeout:
		r.mu.Lock()
		defer r.mu.Unlock()
		pause := min(max(2*r.later[key].pause, firstPause), lastPause)
		delete(r.results, key)
		r.later[key] = later{now.Add(pause), pause}
		return "its hook is called again: " + out.err.Error(), false
	case c.Undo:
		e = run.Entry{Kind: run.Left, Step: c.Step, Text: "its undo: " + out.err.Error()}
	default:
		e = run.FailureOf(st, c.Step, out.err.Error())
		if _, definite := errors.AsType[*refusal](out.err); !definite {
			e = run.Doubt(e)
		}
	}
	why, more = r.keep(u.ID, now, e)
	if more {
		forget()
	}
	return why, more
}

// began is the entry from which the time of a call counts.
func began(st *run.State, c *run.Hook) *run.Entry {
	if c.Undo {
		return st.Steps[c.Step].UndoIntended[0]
	}
	return st.Steps[c.Step].Began
}

// A refusal is an answer that says no.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// A hookNote is the body of a hook's POST; a program gets the same in its environment.
type hookNote struct {
	Plan     string `json:"plan"`
	Run      string `json:"run"`
	Step     string `json:"step"`
	Attempt  int    `json:"attempt"`
	Undo     bool   `json:"undo"`
	Variant  string `json:"variant"`
	Practice bool   `json:"practice"`
	Key      string `json:"idempotency_key"`
	Actor    string `json:"actor"`
	Reason   string `json:"reason"`
}

func note(u *run.Run, p *config.Plan, c *run.Hook, key string) hookNote {
	return hookNote{
		Plan: u.Plan, Run: u.ID, Step: p.Steps[c.Step].Name, Attempt: c.Attempt, Undo: c.Undo, Variant: u.Variant, Practice: u.Practice,
		Key: key, Actor: u.Actor, Reason: u.Reason,
	}
}

func (r *Runner) send(ctx context.Context, h *config.PlanHook, n hookNote) result {
	if len(h.Run) > 0 {
		if !r.opts.Plans().Exec {
			return result{err: &refusal{"hooks may not run programs on node " + r.opts.Node}}
		}
		return execute(ctx, h.Run, n)
	}
	return r.post(ctx, h, n)
}

// post sends a POST, and believes a status of 2xx.
func (r *Runner) post(ctx context.Context, h *config.PlanHook, n hookNote) result {
	body, err := json.Marshal(n)
	if err != nil {
		return result{err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return result{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", n.Key)
	if h.Secret != "" {
		secret, err := config.ReadKeyFile(h.Secret)
		if err != nil {
			return result{err: fmt.Errorf("secret: %w", err)}
		}
		req.Header.Set(hook.SignatureHeader, hook.Sign(bytes.TrimSpace(secret), time.Now(), body))
	}
	reply, err := r.opts.Client.Do(req)
	if err != nil {
		op, dialled := errors.AsType[*net.OpError](err)
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		// Who was never connected to has not got it.
		return result{err: err, again: h.Idempotent || dialled && op.Op == "dial", ended: errors.Is(context.Cause(ctx), context.Canceled)}
	}
	defer reply.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(reply.Body, maxOutput))
	busy := reply.StatusCode >= 500 || reply.StatusCode == http.StatusTooManyRequests || reply.StatusCode == http.StatusRequestTimeout
	if reply.StatusCode < 200 || reply.StatusCode > 299 {
		return result{err: &refusal{strings.TrimSuffix(fmt.Sprintf("the receiver answers %d: %s", reply.StatusCode, printable(said)), ": ")}, again: busy && h.Idempotent}
	}
	return result{said: printable(said)}
}

// execute runs a program, and believes exit status 0.
func execute(ctx context.Context, argv []string, n hookNote) result {
	var out tail
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=" + execPath, "LANG=C.UTF-8", "FAIRLEAD_IDEMPOTENCY_KEY=" + n.Key, "FAIRLEAD_PLAN=" + n.Plan, "FAIRLEAD_RUN=" + n.Run, "FAIRLEAD_STEP=" + n.Step,
		"FAIRLEAD_VARIANT=" + n.Variant, fmt.Sprintf("FAIRLEAD_ATTEMPT=%d", n.Attempt), fmt.Sprintf("FAIRLEAD_PRACTICE=%t", n.Practice), fmt.Sprintf("FAIRLEAD_UNDO=%t", n.Undo),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = execGrace
	if err := cmd.Start(); err != nil {
		return result{err: &refusal{err.Error()}}
	}
	err := cmd.Wait()
	said := printable(out)
	switch exit, ok := errors.AsType[*exec.ExitError](err); {
	case ctx.Err() != nil:
		return result{err: errors.New("killed before it had ended"), ended: errors.Is(context.Cause(ctx), context.Canceled)}
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return result{said: said}
	case ok && exit.Exited():
		return result{err: &refusal{strings.TrimSuffix(fmt.Sprintf("exit status %d: %s", exit.ExitCode(), said), ": ")}}
	}
	return result{err: err}
}

// A tail keeps the end of what is written.
type tail []byte

func (t *tail) Write(b []byte) (int, error) {
	*t = append(*t, b...)
	if over := len(*t) - maxOutput; over > 0 {
		*t = append((*t)[:0], (*t)[over:]...)
	}
	return len(b), nil
}

// printable is what somebody said, in one line.
func printable(b []byte) string {
	return config.Printable(strings.Join(strings.Fields(strings.ToValidUTF8(string(b), "")), " "))
}
