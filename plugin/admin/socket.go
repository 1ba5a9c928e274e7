package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// socketMode: the owner of the process alone.
	socketMode = 0o600
	// aliveTimeout is how long a socket that exists may take to accept.
	aliveTimeout = time.Second
)

// listen opens the unix socket at path. One that a dead process left is replaced, one that answers is left alone.
func listen(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// The mask is the process's; for a moment, other files are born with less permission, never with more.
	mask := unix.Umask(0o777 &^ socketMode)
	l, err := net.Listen("unix", path)
	unix.Umask(mask)
	if err != nil {
		return nil, plainError(err)
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return plainError(err)
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is a file of that name that is not a socket")
	}
	c, err := net.DialTimeout("unix", path, aliveTimeout)
	switch {
	case err == nil:
		c.Close()
		return errors.New("another fairlead serves this state: its admin socket answers")
	case errors.Is(err, unix.ECONNREFUSED):
		return plainError(os.Remove(path))
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("a socket of that name exists: %w", plainError(err))
}

// plainError is the system's error without the operation and the path, which the caller names.
func plainError(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
