package loop

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrEnded is what a command gets that comes too late.
var ErrEnded = errors.New("the engine has ended")

// A Loop carries what others want to the goroutine that owns something. Make it with New.
type Loop struct {
	commands chan Command
	wake     chan struct{} // holds at most one token
	ended    chan struct{} // closed by Close

	mu     sync.Mutex
	posted []func(now time.Time) // guarded by mu

	// running is set before anything runs beside the owner; beside counts that.
	running context.Context
	beside  sync.WaitGroup
}

// New is the loop of an owner that does not turn yet.
func New() *Loop {
	return &Loop{commands: make(chan Command), wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// A Command waits for the owner to carry it out.
type Command struct {
	do   func(now time.Time) error
	done chan error
}

// Do carries a command out, and tells the goroutine that waits for it once the owner has settled what follows from it.
func (c Command) Do(now time.Time, settle func(now time.Time)) {
	err := c.do(now)
	settle(now)
	c.done <- err
}

// Do has the owner do something and waits for it.
func (l *Loop) Do(do func(now time.Time) error) error {
	c := Command{do: do, done: make(chan error, 1)}
	select {
	case l.commands <- c:
		return <-c.done
	case <-l.ended:
		return ErrEnded
	}
}

// Post has the owner do something soon, and does not wait for it.
func (l *Loop) Post(do func(now time.Time)) {
	l.mu.Lock()
	l.posted = append(l.posted, do)
	l.mu.Unlock()
	l.Wake()
}

// Wake has the owner turn once.
func (l *Loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Ended is closed once the owner does not turn any more.
func (l *Loop) Ended() <-chan struct{} { return l.ended }

// Go runs something on a goroutine of its own, which Wait waits for.
func (l *Loop) Go(do func()) { l.beside.Go(do) }

// Beside runs what waits for another node on a goroutine of its own, for so long at most; Wait waits for it.
func (l *Loop) Beside(most time.Duration, do func(ctx context.Context)) {
	l.beside.Go(func() {
		ctx, cancel := context.WithTimeout(l.running, most)
		defer cancel()
		do(ctx)
	})
}

// Run has what runs beside the owner end with ctx. It is called before the owner turns.
func (l *Loop) Run(ctx context.Context) { l.running = ctx }

// Context is that of Run.
func (l *Loop) Context() context.Context { return l.running }

// Wait waits for what runs beside the owner, once that has ended.
func (l *Loop) Wait() { l.beside.Wait() }

// Commands are what the owner is to do, one at a time.
func (l *Loop) Commands() <-chan Command { return l.commands }

// Woken has a token when the owner is to turn.
func (l *Loop) Woken() <-chan struct{} { return l.wake }

// DoPosted does what was posted.
func (l *Loop) DoPosted(now time.Time) {
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, do := range posted {
		do(now)
	}
}

// Close refuses all that comes from now on.
func (l *Loop) Close() { close(l.ended) }
