package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
)

// maxSocketPath is the room in sockaddr_un.sun_path, less the final zero octet (unix(7)).
const maxSocketPath = 107

// demoHome is the directory of this user's demos: a fixed place, so that every client command finds the socket.
func demoHome() string {
	return filepath.Join(os.TempDir(), "fairlead-"+strconv.Itoa(os.Getuid()))
}

// demoSocket is the admin socket of the first node of a demo that was started without --socket.
func demoSocket() string { return filepath.Join(demoHome(), "admin.sock") }

// makeHome makes the directory, or makes sure that the one there is ours alone: os.TempDir is writable for everybody.
func makeHome(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || ok && int(st.Uid) != os.Getuid() {
		return exit.WithHint(fmt.Errorf("%s is not a directory that only this user can use", dir), "remove it, or set TMPDIR to another place")
	}
	return nil
}

// makeDemoDir makes a new directory in home. Another demo that ends may remove an empty home at any time; with this
// directory in it, it stays.
func makeDemoDir(home string) (dir string, err error) {
	for range 10 {
		if err = makeHome(home); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		dir, err = os.MkdirTemp(home, "demo-")
		if !errors.Is(err, os.ErrNotExist) {
			break
		}
	}
	return dir, err
}

// A lock is held by the demo that owns a socket.
type lock struct {
	path string
	file *os.File
}

var errLocked = errors.New("held by another process")

// takeLock takes the lock file at path, or returns errLocked. The kernel frees the lock of a process that ended, however
// it ended, so nothing is ever left behind that only a person could remove.
func takeLock(path string) (*lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(errLocked, f.Close())
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		// The former owner may have removed the file between our open and our lock; then the lock is on nothing.
		ours, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(ours, there) {
			return &lock{path: path, file: f}, nil
		}
		_ = f.Close()
	}
}

// release removes the file while it is still locked, then lets go.
func (l *lock) release() {
	_ = os.Remove(l.path)
	_ = l.file.Close()
}

// claimSocket makes sure that nobody uses the socket at path and takes the lock on it.
func claimSocket(path string) (*lock, error) {
	if len(path)+len(controlSuffix) > maxSocketPath {
		return nil, exit.WithHint(fmt.Errorf("the socket path %s is longer than %d characters", path, maxSocketPath-len(controlSuffix)),
			"choose a shorter one with --socket PATH")
	}
	l, err := takeLock(path + ".lock")
	if errors.Is(err, errLocked) {
		return nil, exit.WithHint(fmt.Errorf("another demo runs on %s", path), "end it, or give this one --socket PATH and --dns ADDR of its own")
	}
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		l.release()
		return nil, exit.WithHint(fmt.Errorf("a node already listens on %s", path), "choose another path with --socket PATH")
	}
	return l, nil
}

// checkDNSFree tells whether the node will be able to listen, before anything is started.
func checkDNSFree(addr string) error {
	hint := "end what listens there, or choose another address with --dns ADDR"
	p, err := net.ListenPacket("udp", addr)
	if err != nil {
		return exit.WithHint(fmt.Errorf("DNS address: %w", err), "%s", hint)
	}
	defer p.Close()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return exit.WithHint(fmt.Errorf("DNS address: %w", err), "%s", hint)
	}
	return l.Close()
}
