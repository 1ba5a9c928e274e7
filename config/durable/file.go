package durable

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// A File is one file of JSON that holds a T. Load and Write wait for the disk; Save and Remove do not: Run brings the latest of them to the
// disk, on a goroutine of its own, and says so. What is overtaken while it waits is not written. Make it with NewFile.
type File[T any] struct {
	path    string
	version int
	most    int64
	write   func(path string, v T) error
	wake    chan struct{}

	mu   sync.Mutex
	due  bool          // guarded by mu: something is to be done
	next *T            // guarded by mu: what is due; nil to remove the file
	done []func(error) // guarded by mu: of all that next stands for
}

// NewFile is the file at path. A version other than 0 is what its key "version" must have to be read, and most bounds what is read, in octets;
// 0 for any size.
func NewFile[T any](path string, version int, most int64) *File[T] {
	return &File[T]{path: path, version: version, most: most, wake: make(chan struct{}, 1), write: func(path string, v T) error { return WriteJSON(path, v) }}
}

// Path is where the file is.
func (f *File[T]) Path() string { return f.path }

// Load reads the file. Without it the error is an fs.ErrNotExist.
func (f *File[T]) Load() (v T, err error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return v, err
	}
	if f.most > 0 && info.Size() > f.most {
		return v, fmt.Errorf("%d octets, at most %d are read", info.Size(), f.most)
	}
	if err = readJSON(f.path, f.version, f.version != 0, &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// Write replaces the file by v.
func (f *File[T]) Write(v T) error { return f.write(f.path, v) }

// Save has v written. done, which may be nil, is called from Run's goroutine when v, or what overtook it, is on disk, or could not be
// written.
func (f *File[T]) Save(v T, done func(error)) { f.put(&v, done) }

// Remove has the file removed, as Save has one written. A file that is not there is removed.
func (f *File[T]) Remove(done func(error)) { f.put(nil, done) }

func (f *File[T]) put(v *T, done func(error)) {
	f.mu.Lock()
	f.next, f.due = v, true
	if done != nil {
		f.done = append(f.done, done)
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, and then what is left.
func (f *File[T]) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			f.flush()
			return nil
		case <-f.wake:
			f.flush()
		}
	}
}

func (f *File[T]) flush() {
	f.mu.Lock()
	due, v, done := f.due, f.next, f.done
	f.due, f.next, f.done = false, nil, nil
	f.mu.Unlock()
	if !due {
		return
	}
	var err error
	if v != nil {
		err = f.write(f.path, *v)
	} else if err = os.Remove(f.path); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for _, f := range done {
		f(err)
	}
}
