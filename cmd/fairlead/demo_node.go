package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// nodeReadyTimeout is some ten times what a node needs on a busy machine.
	nodeReadyTimeout = 30 * time.Second
	nodePoll         = 100 * time.Millisecond
	// nodeStopTimeout is how long a node may drain after SIGTERM before it is killed.
	nodeStopTimeout = 10 * time.Second
	// logTail is how much of a node's log is shown when it ends too early.
	logTail = 2048
)

// A node is one real fairlead that runs as a child process.
type node struct {
	// name, Region and AZ are its place; Gossip is where it talks to the others, PublicKey what they know it by, Keyring the file
	// of the keys that all share. The exported ones are for the templates of its files.
	name, Region, AZ string
	Gossip           netip.AddrPort
	PublicKey        string
	Keyring          string
	dns              netip.AddrPort
	// socket is its admin socket; dir holds its Corefile, zone files, state and log.
	socket, dir string
	// echo, if not nil, gets a copy of the log, each line with the node's name before it.
	echo io.Writer

	// pid is set by start; ended is closed when the process is gone, after err was set.
	pid   int
	ended chan struct{}
	err   error
}

func (n *node) logPath() string { return filepath.Join(n.dir, n.name+".log") }

// write writes the node's files.
func (n *node) write(nodes []*node, places []place) error {
	files, err := demoFiles(n, nodes, places)
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(n.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(n.dir, "state"), 0o700)
}

// reached are the flags with which a command asks the node.
func (n *node) reached() string {
	if x := demoSockets(demoSocket()); x[n.name] == "unix:"+n.socket {
		return "--context " + demoContext + " --node " + n.name
	}
	return "--server unix:" + n.socket
}

// Name is name, for the templates.
func (n *node) Name() string { return n.name }

// makeIdentity makes the node's key.
func (n *node) makeIdentity() (err error) {
	n.PublicKey, err = newIdentity(filepath.Join(n.dir, "identity.key"))
	return err
}

// start starts the process.
func (n *node) start() error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("node %s: %w", n.name, err)
	}
	logFile, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("node %s: %w", n.name, err)
	}
	var out io.Writer = logFile
	if n.echo != nil {
		out = io.MultiWriter(logFile, &prefixWriter{w: n.echo, prefix: "[" + n.name + "] "})
	}
	cmd := exec.Command(exe, "serve", "-conf", filepath.Join(n.dir, "Corefile"))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = childAttr()
	cmd.WaitDelay = 2 * time.Second
	n.ended = make(chan struct{})
	started := make(chan error)
	go func() {
		// The kernel sends the parent-death signal when the thread that started the child ends, so this goroutine keeps it.
		runtime.LockOSThread()
		defer logFile.Close()
		err := cmd.Start()
		if err == nil {
			n.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			n.err = cmd.Wait()
			close(n.ended)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("node %s: %w", n.name, err)
	}
	return nil
}

// waitReady returns when the node serves and knows of every endpoint how it is, or with the reason why that will not be.
func (n *node) waitReady(ctx context.Context) error {
	deadline, cancel := context.WithTimeout(ctx, nodeReadyTimeout)
	defer cancel()
	c := clientAt(n.socket, "node "+n.name, "")
	tick := time.NewTicker(nodePoll)
	defer tick.Stop()
	var last error
	for {
		s, err := c.Status(deadline)
		if err == nil && allKnown(s) {
			return n.neverAnswered(deadline, c)
		}
		if err != nil && deadline.Err() == nil {
			last = err
		}
		select {
		case <-n.ended:
			return n.failure()
		case <-deadline.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return exit.WithHint(errors.Join(fmt.Errorf("node %s was not ready within %s", n.name, nodeReadyTimeout), last), "%s", n.tail())
		case <-tick.C:
		}
	}
}

// neverAnswered says of a node with a new state directory that no cache holds anything of earlier lives: nobody else can know.
func (n *node) neverAnswered(ctx context.Context, c *client) error {
	none := 0.0
	_, err := c.NameMaxTTL(ctx, api.NodeRequest{Actor: "demo", Reason: "the first start", MaxTTLSeconds: &none})
	return ordered(err)
}

// allKnown tells whether the node is ready, hears all others, and knows of every endpoint how it is: somebody may have drained or broken one
// already.
func allKnown(s *api.Status) bool {
	n := 0
	for _, z := range s.Zones {
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				if e.State == health.Unknown.String() {
					return false
				}
				n++
			}
		}
	}
	return s.Ready && n > 0 && (s.Cluster == nil || s.Cluster.Heard == s.Cluster.Roster)
}

// failure is why the node ended before it was asked to.
func (n *node) failure() error {
	how := "ended"
	if n.err != nil {
		how = "ended with " + n.err.Error()
	}
	return exit.WithHint(fmt.Errorf("node %s %s", n.name, how), "%s", n.tail())
}

// tail is the end of the log, which is removed with the demo.
func (n *node) tail() string {
	b, err := os.ReadFile(n.logPath())
	if err != nil {
		return "no log: " + err.Error()
	}
	if len(b) > logTail {
		b = b[len(b)-logTail:]
		b = b[bytes.IndexByte(b, '\n')+1:]
	}
	return "its log ends:\n    " + strings.ReplaceAll(strings.TrimRight(string(b), "\n"), "\n", "\n    ")
}

// stop ends the process: politely, then not.
func (n *node) stop() {
	if n.ended == nil || n.pid == 0 {
		return
	}
	_ = syscall.Kill(n.pid, syscall.SIGTERM)
	select {
	case <-n.ended:
	case <-time.After(nodeStopTimeout):
		_ = syscall.Kill(n.pid, syscall.SIGKILL)
		<-n.ended
	}
}

// A prefixWriter puts prefix before each line.
type prefixWriter struct {
	mu     sync.Mutex
	w      io.Writer
	prefix string
	// begun is set in the middle of a line.
	begun bool
}

func (p *prefixWriter) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []byte
	for line := range bytes.Lines(b) {
		if !p.begun {
			out = append(out, p.prefix...)
		}
		out = append(out, line...)
		p.begun = line[len(line)-1] != '\n'
	}
	if _, err := p.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}
