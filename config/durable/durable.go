// Package durable replaces files so that a crash leaves the old content or the new one, never half of it, and no temporary
// file is left after an error. It keeps no state; two writers of one path must agree among themselves.
package durable

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// bufferSize is in octets.
const bufferSize = 64 << 10

// WriteFile replaces path by b, mode 0600: temp, write, fsync, rename, fsync of the directory. An error before the rename
// leaves the old content; an error after it means that a crash may still bring the old content back.
func WriteFile(path string, b []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// Write is WriteFile of what content writes, which need not be in memory as a whole. An error of content is one of the
// file's.
func Write(path string, content func(io.Writer) error) error {
	dir := filepath.Dir(path)
	// A dot file: nobody takes it for the real one.
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, bufferSize)
	if err = content(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

// SetAside renames a file that is damaged to its name with ".damaged" after it, over an earlier one, so that a person can look at it and the
// next write does not stand in its way.
func SetAside(path string) (to string, err error) {
	to = path + ".damaged"
	return to, os.Rename(path, to)
}
