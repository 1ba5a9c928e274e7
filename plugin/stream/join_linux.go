package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// sendBuffer and receiveBuffer are what the kernel holds for one connection, in octets, which it doubles. Without them a client
	// that never reads has the kernel hold 4 MB.
	sendBuffer    = 32 << 10
	receiveBuffer = 16 << 10
)

// Join opens one more listener on an address that has core listeners with SO_REUSEPORT already, and has the kernel give all new
// connections to it.
func Join(address string, core int) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd int) error {
			return errors.Join(
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer),
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer))
		})
	}}
	// The listeners of MPTCP, which Go opens by itself, take no program.
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err == nil {
		err = control(raw, func(fd int) error { return steerTo(fd, core) })
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("choose among the listeners of %s: %w", address, err), l.Close())
	}
	return l, nil
}

// steerTo has the kernel give new connections to the listener of that number, in the order in which they were opened. A number that
// there is not lands anywhere on the address.
func steerTo(fd, number int) error {
	program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: uint32(number)}}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// control calls do with the descriptor, and returns the first error.
func control(raw syscall.RawConn, do func(fd int) error) error {
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = do(int(fd)) }); err != nil {
		return err
	}
	return inner
}
