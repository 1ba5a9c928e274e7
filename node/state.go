package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// lockName is the file in the state directory that the process which uses it has locked.
	lockName = "lock"
	// socketName is the admin socket, unless the node file names another.
	socketName = "admin.sock"
	// tokensName holds the digests of the bearer tokens of the admin API.
	tokensName = "tokens.json"
	// sessionsName holds the digests of the cookies of the dashboard.
	sessionsName = "sessions.json"
	// maxPID is how much of the lock file is read.
	maxPID = 32
)

// lockState makes the state directory and locks it for this process. The lock ends with the process, however it ends.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state %s: %w", dir, cause(err))
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state %s: not writable: %w", dir, cause(err))
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		b := make([]byte, maxPID)
		n, _ := f.Read(b)
		f.Close()
		return nil, fmt.Errorf("state %s: another fairlead serves this state%s", dir, holder(string(b[:n])))
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), writeAll(f, strconv.Itoa(os.Getpid())+"\n"))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("state %s: %w", dir, cause(err))
	}
	return f, nil
}

func writeAll(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

func holder(text string) string {
	if pid, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
		return fmt.Sprintf(" (process %d)", pid)
	}
	return ""
}

// cause is the system's error without operation and path, which the message has already.
func cause(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
