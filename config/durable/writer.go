package durable

import (
	"context"
	"sync"
)

// A Writer writes the latest content of one file on a goroutine of its own, so that whoever saves never waits for a disk. What is
// overtaken while it waits is not written.
type Writer struct {
	path string
	wake chan struct{}

	mu   sync.Mutex
	due  any           // guarded by mu: nil for nothing
	done []func(error) // guarded by mu: of all saves that due stands for
}

// NewWriter makes a Writer; Run writes.
func NewWriter(path string) *Writer { return &Writer{path: path, wake: make(chan struct{}, 1)} }

// Save has v written as JSON. done, which may be nil, is called from Run's goroutine when v, or what overtook it, is on disk, or could
// not be written.
func (w *Writer) Save(v any, done func(error)) {
	w.mu.Lock()
	w.due = v
	if done != nil {
		w.done = append(w.done, done)
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, and then what is left.
func (w *Writer) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			w.write()
			return nil
		case <-w.wake:
			w.write()
		}
	}
}

func (w *Writer) write() {
	w.mu.Lock()
	v, done := w.due, w.done
	w.due, w.done = nil, nil
	w.mu.Unlock()
	if v == nil {
		return
	}
	err := WriteJSON(w.path, v)
	for _, f := range done {
		f(err)
	}
}
