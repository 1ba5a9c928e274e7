package engine

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/loop"
)

var errNoSource = errors.New("engine: nobody watches the zone files")

// A looking is what the goroutine that watches the files is asked to do in between.
type looking struct {
	do   func() *config.Model
	done chan *config.Model
}

// Look has the goroutine that watches the zone files call do, so that it never runs beside a Poll, and serves the model that do
// returns, if any. It returns at the latest when ctx ends.
func (e *Engine) Look(ctx context.Context, do func() *config.Model) (t Taken, err error) {
	if e.opts.Source == nil {
		return t, errNoSource
	}
	var before uint64
	if err := e.loop.Do(func(time.Time) error { before = e.takings.count; return nil }); err != nil {
		return t, err
	}
	l := looking{do: do, done: make(chan *config.Model, 1)}
	select {
	case e.looks <- l:
	case <-ctx.Done():
		return t, ctx.Err()
	case <-e.loop.Ended():
		return t, loop.ErrEnded
	}
	var m *config.Model
	select {
	case m = <-l.done:
	case <-e.loop.Ended():
		return t, loop.ErrEnded
	}
	t.Served = e.awaitModel(ctx, m)
	if err := e.loop.Do(func(time.Time) error { t.Left, t.More = e.takings.since(before); return nil }); err != nil {
		return t, err
	}
	t.Left, err = e.awaitWritten(ctx, t.Left)
	return t, err
}

// onLook does what was asked for, on the goroutine that watches the files.
func (e *Engine) onLook(l looking) {
	m := l.do()
	if m != nil {
		e.SetModel(m)
	}
	l.done <- m
}

// awaitModel waits until m, which may be nil, is served or has been replaced by a later one.
func (e *Engine) awaitModel(ctx context.Context, m *config.Model) bool {
	for m != nil {
		var taken chan struct{}
		waits := false
		err := e.loop.Do(func(time.Time) error {
			e.mu.Lock()
			defer e.mu.Unlock()
			taken = e.taken
			waits = e.model == m || e.next != nil && e.next.Model == m
			return nil
		})
		if err != nil {
			return false
		}
		if !waits {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-e.loop.Ended():
			return false
		case <-taken:
		}
	}
	return true
}
