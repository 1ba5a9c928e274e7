package durable

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// fewFiles is up to how many files of a batch are synced one by one: more are worth the sync of the whole file system.
const fewFiles = 16

// A Batch replaces many files as Write does each, with one sync of the disk for all of them. A crash leaves of each file the old content or
// the new one. The zero value is ready; it belongs to one goroutine.
type Batch struct {
	files []batched
}

// batched is a file that is written beside its path, and not synced yet.
type batched struct{ temp, path string }

// Write writes a file that is to replace path at Commit. On an error nothing is left of it.
func (b *Batch) Write(path string, content func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, bufferSize)
	if err = content(w); err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	b.files = append(b.files, batched{f.Name(), path})
	return nil
}

// Commit puts all files in place, and forgets them. Of a file for which that fails the old content stays, and failed is told.
func (b *Batch) Commit(failed func(path string, err error)) {
	files := b.files
	b.files = nil
	ok := files[:0:0]
	for _, f := range b.synced(files, failed) {
		if err := os.Rename(f.temp, f.path); err != nil {
			failed(f.path, errors.Join(err, os.Remove(f.temp)))
			continue
		}
		ok = append(ok, f)
	}
	errs := make(map[string]error)
	for _, f := range ok {
		dir := filepath.Dir(f.path)
		err, done := errs[dir]
		if !done {
			err = syncDir(dir)
			errs[dir] = err
		}
		if err != nil {
			failed(f.path, err)
		}
	}
}

// synced brings the files' contents to the disk, and returns those that are there.
func (b *Batch) synced(files []batched, failed func(path string, err error)) (ok []batched) {
	whole := make(map[string]error)
	for _, f := range files {
		dir := filepath.Dir(f.path)
		err, done := whole[dir]
		switch {
		case len(files) <= fewFiles:
			err = syncFile(f.temp)
		case !done:
			if err = syncFS(dir); errors.Is(err, errors.ErrUnsupported) {
				err = syncFile(f.temp)
				break
			}
			whole[dir] = err
		}
		if err != nil {
			failed(f.path, errors.Join(err, os.Remove(f.temp)))
			continue
		}
		ok = append(ok, f)
	}
	return ok
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
