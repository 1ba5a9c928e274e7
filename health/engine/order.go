package engine

import (
	"errors"
	"time"
)

// errEnded is what an order gets that comes too late.
var errEnded = errors.New("the engine has ended")

// An order is what an operator wants, waiting for Run's goroutine.
type order struct {
	do   func(now time.Time) error
	done chan error
}

// command has Run's goroutine do something and waits for it. do keeps what it must before it lets it have effect, and
// publishes before it returns.
func (e *Engine) command(do func(now time.Time) error) error {
	o := order{do: do, done: make(chan error, 1)}
	select {
	case e.orders <- o:
		return <-o.done
	case <-e.ended:
		return errEnded
	}
}
