package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestFollow: where no terminal is, each change is one document, and what moves by itself is none.
func TestFollow(t *testing.T) {
	status := func(at int, state string) *api.Status {
		return &api.Status{At: testNow.Add(time.Duration(at) * time.Second), Generation: uint64(at), Zones: []api.Zone{{Pools: []api.Pool{{Endpoints: []api.Endpoint{
			{Name: "a", State: state, Failures: at, LatencySeconds: float64(at), ProbedAt: moment(time.Duration(at))}}}}}}}
	}
	gone := errors.New("no node listens")
	for _, tt := range []struct {
		name, output string
		steps        []any
		want, stderr string
		err          error
	}{
		{name: "json", output: "json", steps: []any{status(1, "up"), status(2, "up"), status(3, "down"), status(4, "down"), status(5, "up")}, want: "1 3 5"},
		{name: "yaml", output: "yaml", steps: []any{status(1, "up"), status(2, "up"), status(3, "down")}, want: "1 3"},
		{name: "table", output: "table", steps: []any{status(1, "up"), status(2, "down"), status(3, "down")}, want: "1 2"},
		{name: "a node that is started anew", output: "json", steps: []any{status(1, "up"), gone, gone, status(2, "up"), status(3, "down")}, want: "1 3",
			stderr: "error: no node listens; asked again every second\n"},
		{name: "nobody at first", output: "json", steps: []any{gone}, err: gone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				v, step := viewer{output: tt.output, watch: true}, 0
				began := time.Now()
				var out, stderr bytes.Buffer
				err := v.follow(ctx, &out, &stderr, func() (shown, error) {
					if step == len(tt.steps) {
						cancel()
						return shown{}, ctx.Err()
					}
					step++
					if err, ok := tt.steps[step-1].(error); ok {
						return shown{}, err
					}
					s := tt.steps[step-1].(*api.Status)
					return shown{doc: s, write: func(d drawing) { fmt.Fprintf(d, "generation %d\n", s.Generation) }}, nil
				})
				require.ErrorIs(t, err, tt.err)
				require.Equal(t, tt.want, generations(tt.output, out.String()))
				require.Equal(t, tt.stderr, stderr.String())
				if err == nil {
					require.Equal(t, time.Duration(len(tt.steps))*watchInterval, time.Since(began))
				}
			})
		})
	}
}

// generations are those of the documents in text, each of which is whole.
func generations(output, text string) string {
	var got []string
	switch output {
	case "json":
		for line := range strings.Lines(text) {
			_, g, _ := strings.Cut(line, `"generation":`)
			g, _, _ = strings.Cut(g, ",")
			got = append(got, g)
		}
	case "yaml":
		for _, doc := range strings.Split(text, "---\n")[1:] {
			_, g, _ := strings.Cut(doc, "generation: ")
			g, _, _ = strings.Cut(g, "\n")
			got = append(got, g)
		}
	default:
		for line := range strings.Lines(text) {
			got = append(got, strings.TrimSpace(strings.TrimPrefix(line, "generation ")))
		}
	}
	return strings.Join(got, " ")
}

// TestScreen: a cell is marked when it differs from the drawing before, and ages are no difference.
func TestScreen(t *testing.T) {
	s := terminal.Style{Screen: &terminal.Screen{}}
	draw := func(rows ...[]string) string {
		t := terminal.NewTable("STATE", "NODE", "HEARD", "NOTE")
		for _, r := range rows {
			t.Add("", r...)
		}
		s.Screen.Turn()
		var b strings.Builder
		t.Write(&b, s, "")
		_, body, _ := strings.Cut(b.String(), "\n")
		var lines []string
		for line := range strings.Lines(strings.NewReplacer("\x1b[7m", "<", "\x1b[0m", ">").Replace(body)) {
			lines = append(lines, strings.ReplaceAll(strings.Join(strings.Fields(line), " "), " >", ">"))
		}
		return strings.Join(lines, "\n")
	}
	require.Equal(t, "up n1 1s first", draw([]string{"up", "n1", "1s", "first"}))
	require.Equal(t, "up n1 2s first", draw([]string{"up", "n1", "2s", "first"}))
	require.Equal(t, "<down> n1 3s <since 03:10:30Z (2s)>", draw([]string{"down", "n1", "3s", "since 03:10:30Z (2s)"}))
	require.Equal(t, "down n1 3s since 03:10:30Z (3s)", draw([]string{"down", "n1", "3s", "since 03:10:30Z (3s)"}))
	require.Contains(t, draw([]string{"down", "n1", "3s", "x"}, []string{"up", "n2", "3s", "x"}), "<n2>", "a row that is new")
	require.Equal(t, "down n1 3s x", draw([]string{"down", "n1", "3s", "x"}), "a row that is gone marks nothing")
}

// A tty is the other side of a pseudo-terminal on which a command runs.
type tty struct {
	*os.File
	t    *testing.T
	cmd  *exec.Cmd
	seen strings.Builder
}

// onTerminal runs fairlead on a terminal, as a user does.
func onTerminal(t *testing.T, args ...string) *tty {
	t.Helper()
	cmd := exec.Command("fairlead", args...)
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=")
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 200})
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return &tty{File: f, t: t, cmd: cmd}
}

// expect reads until text comes, and returns all that came before it since the last call.
func (x *tty) expect(text string) string {
	x.t.Helper()
	require.NoError(x.t, x.SetReadDeadline(time.Now().Add(20*time.Second)))
	buf := make([]byte, 4096)
	for {
		if before, after, ok := strings.Cut(x.seen.String(), text); ok {
			x.seen.Reset()
			x.seen.WriteString(after)
			return before
		}
		n, err := x.Read(buf)
		x.seen.Write(buf[:n])
		if err != nil && !strings.Contains(x.seen.String(), text) {
			require.Failf(x.t, "the terminal ended", "%v, before %q came; it said %q", err, text, x.seen.String())
		}
	}
}

// say types a line.
func (x *tty) say(text string) {
	x.t.Helper()
	_, err := io.WriteString(x.File, text)
	require.NoError(x.t, err)
}

// exits waits for the end of the command and returns its exit code.
func (x *tty) exits() int {
	_, _ = io.Copy(&x.seen, x.File)
	_ = x.cmd.Wait()
	return x.cmd.ProcessState.ExitCode()
}

// TestWatchTerminal: on a tty the screen is drawn anew, what changed is marked, and Ctrl-C ends it well.
func TestWatchTerminal(t *testing.T) {
	var down atomic.Bool
	parts := testParts()
	socket := listenAs(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := upEndpoint("web-1a", "eu-west-1a", "203.0.113.10")
		if down.Load() {
			e = downEndpoint("web-1a", "eu-west-1a", "203.0.113.10")
		}
		cannedNode{api.EndpointsPath: api.Endpoints{Page: testPage(""), Endpoints: []api.EndpointItem{{Zone: "z.", Pool: "p", Endpoint: e}}},
			api.StatusPath: parts[api.StatusPath]}.ServeHTTP(w, r)
	}))
	x := onTerminal(t, "get", "endpoints", "--watch", "--server", "unix:"+socket)
	x.expect(cursorHome)
	require.NotContains(t, x.expect("\x1b[32m● up"), "\x1b[7m", "nothing has changed yet")
	require.NotContains(t, x.expect("\x1b[32m● up"), "\x1b[7m")
	down.Store(true)
	x.expect("\x1b[7m\x1b[31m■ down")
	x.expect("\x1b[7mconnection refused")
	// The next drawing has nothing new.
	x.expect(cursorHome)
	require.NotContains(t, x.expect("\x1b[31m■ down"), "\x1b[7m")
	x.say("\x03")
	require.Equal(t, exit.OK, x.exits())
}
