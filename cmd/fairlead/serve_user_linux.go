package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"syscall"

	"github.com/coredns/caddy"
	clog "github.com/coredns/coredns/plugin/pkg/log"
	"golang.org/x/sys/unix"

	"github.com/fairlead-dns/fairlead/config"
	fairlead "github.com/fairlead-dns/fairlead/plugin"
)

// ids are what the kernel knows of a user.
type ids struct {
	uid, gid int
	groups   []int
}

// leaveRoot starts this program anew, in this process, as the user that the node file names, if the process is root's. Of root's
// powers the user keeps that of listening below port 1024, also for later reloads. It returns where there is nothing to do.
func leaveRoot(corefile caddy.Input) error {
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := fairlead.AccountOf(corefile)
	if err != nil {
		return err
	}
	if account.User == (config.User{}) {
		clog.Warning("Runs as root: the key user of the node file names somebody else")
		return nil
	}
	to, err := lookupUser(account.User)
	if err == nil && to.uid == 0 {
		return nil
	}
	if err == nil {
		err = makeState(account.State, to)
	}
	if err == nil {
		err = execAs(to)
	}
	return fmt.Errorf("node file: user %s: %w", account.User.Name, err)
}

// lookupUser asks the system. A number need not be known there.
func lookupUser(u config.User) (ids, error) {
	var to ids
	known, err := user.Lookup(u.Name)
	number, errNumber := strconv.Atoi(u.Name)
	switch {
	case err == nil:
		if to, err = idsOf(known); err != nil {
			return ids{}, err
		}
	case errNumber == nil:
		to = ids{uid: number, gid: number}
		if known, err := user.LookupId(u.Name); err == nil {
			if to, err = idsOf(known); err != nil {
				return ids{}, err
			}
		}
	default:
		return ids{}, err
	}
	if u.Group == "" {
		return to, nil
	}
	to.groups = nil
	if known, err := user.LookupGroup(u.Group); err == nil {
		to.gid, err = strconv.Atoi(known.Gid)
		return to, err
	} else if to.gid, errNumber = strconv.Atoi(u.Group); errNumber != nil {
		return ids{}, err
	}
	return to, nil
}

func idsOf(u *user.User) (ids, error) {
	uid, err := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	to := ids{uid: uid, gid: gid}
	groups, errGroups := u.GroupIds()
	for _, text := range groups {
		g, err := strconv.Atoi(text)
		errGroups = errors.Join(errGroups, err)
		to.groups = append(to.groups, g)
	}
	return to, errors.Join(err, errGID, errGroups)
}

// makeState makes a state directory for the user; one that exists is left as it is.
func makeState(dir string, to ids) error {
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Chown(dir, to.uid, to.gid)
}

// execAs becomes the user and executes this program with the same arguments. It returns only with an error.
//
// What execve keeps is what the calling thread has. So the capabilities are set on one locked thread, which works with cgo too,
// and no goroutine of the new program has ever been root.
func execAs(to ids) error {
	runtime.LockOSThread()
	if err := boundCapabilities(); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	if err := syscall.Setgroups(to.groups); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setresgid(to.gid, to.gid, to.gid); err != nil {
		return fmt.Errorf("set group %d: %w", to.gid, err)
	}
	if err := syscall.Setresuid(to.uid, to.uid, to.uid); err != nil {
		return fmt.Errorf("set user %d: %w", to.uid, err)
	}
	const bind = 1 << unix.CAP_NET_BIND_SERVICE
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: bind, Permitted: bind, Inheritable: bind}}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("set capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_NET_BIND_SERVICE, 0, 0); err != nil {
		return fmt.Errorf("keep CAP_NET_BIND_SERVICE: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("refuse new privileges: %w", err)
	}
	return fmt.Errorf("start anew: %w", syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}

// boundCapabilities takes everything but CAP_NET_BIND_SERVICE from what a program that is executed later could ever get.
func boundCapabilities() error {
	for c := uintptr(0); ; c++ {
		if c == unix.CAP_NET_BIND_SERVICE {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) && c > unix.CAP_NET_BIND_SERVICE {
			// The kernel knows no such capability: that was the last one.
			return nil
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
}
