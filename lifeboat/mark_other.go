//go:build !linux

package lifeboat

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

var errLinux = errors.New("a lifeboat runs on Linux alone: elsewhere loops and probes are not told apart")

func markSocket(_, _ string, _ syscall.RawConn) error         { return errLinux }
func keepSYN(_, _ string, _ syscall.RawConn) error            { return errLinux }
func keepSYNTransparent(_, _ string, _ syscall.RawConn) error { return errLinux }
func receiveMarks(_, _ string, _ syscall.RawConn) error       { return errLinux }
func marked(*net.TCPConn) bool                                { return true }
func markedData([]byte) bool                                  { return true }
func dropFrom(_ syscall.Conn, _ bool, _ []netip.Prefix) error { return errLinux }
