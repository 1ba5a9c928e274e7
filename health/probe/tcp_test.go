package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fairlead-dns/fairlead/config"
)

func tcpCheck(change func(*config.Check)) *config.Check {
	check := config.Check{
		Name: "port", Type: config.CheckTCP, Interval: 20 * time.Second, Timeout: 10 * time.Second, Fall: 3, Rise: 2,
	}
	if change != nil {
		change(&check)
	}
	return sealed(check)
}

// greeting says text at once and keeps the connection open.
func greeting(text string) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, text)
		hang(conn)
	}
}

func TestTCP(t *testing.T) {
	smtp := func(c *config.Check) { c.TCP = &config.TCPCheck{Read: "220 "} }
	tests := []struct {
		name   string
		serve  func(net.Conn)
		change func(*config.Check)
		hurry  bool
		kind   Kind
		text   string
	}{
		{name: "connects", serve: hang},
		{name: "closed at once is still a connect", serve: func(net.Conn) {}},
		{name: "greeting", serve: greeting("220 mail.example.org ESMTP\r\n"), change: smtp},
		{name: "question and answer", serve: func(conn net.Conn) {
			b := make([]byte, 16)
			if n, _ := conn.Read(b); string(b[:n]) == "PING\r\n" {
				io.WriteString(conn, "+PONG\r\n")
			}
		}, change: func(c *config.Check) { c.TCP = &config.TCPCheck{Send: "PING\r\n", Read: "+PONG"} }},

		{name: "wrong greeting, then closed", serve: func(c net.Conn) { io.WriteString(c, "554 no\r\n") }, change: smtp,
			kind: BodyMismatch, text: `body mismatch: "220 " not in the 8 octets that came: "554 no\r\n"`},
		{name: "begins well", serve: func(c net.Conn) { io.WriteString(c, "250 mail\r\n") }, change: smtp,
			kind: BodyMismatch, text: `body mismatch at octet 2: got "250 mail\r\n", want "220 "`},
		{name: "flood", serve: flooding("y"), change: smtp, kind: BodyMismatch,
			text: `body mismatch: "220 " not in the 5120 octets that came: "` + strings.Repeat("y", 32) + `"…`},
		{name: "closed without a greeting", serve: func(net.Conn) {}, change: smtp, kind: Closed,
			text: "connection closed before the first byte"},
		{name: "silence", serve: hang, change: smtp, hurry: true, kind: FirstByteTimeout,
			text: "timeout after 500ms before the first byte"},
		{name: "dribble", serve: trickling("250 hello hello hello hello"), change: smtp, hurry: true, kind: BodyTimeout,
			text: "timeout after 500ms in body"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := tcpCheck(func(c *config.Check) {
				if test.hurry {
					c.Timeout = 500 * time.Millisecond
				}
				if test.change != nil {
					test.change(c)
				}
			})
			target := targetAt(t, check, listen(t, test.serve))
			if test.kind != None {
				wantFailure(t, target, test.kind, test.text)
				return
			}
			got := probeTimed(t, target)
			require.Equal(t, Reason{}, got.Reason)
			assert.True(t, got.OK)
		})
	}
}

func TestTCPRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	l.Close()
	wantFailure(t, targetAt(t, tcpCheck(nil), address), Refused, "connection refused")
}

// TestTCPBlackHole connects to a listener that never accepts and whose queue is full: the kernel drops each SYN.
func TestTCPBlackHole(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(fd, 0))
	name, err := unix.Getsockname(fd)
	require.NoError(t, err)
	address := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*unix.SockaddrInet4).Port}
	full := false
	for range 8 {
		conn, err := net.DialTimeout("tcp", address.String(), 200*time.Millisecond)
		if full = err != nil; full {
			break
		}
		defer conn.Close()
	}
	require.True(t, full, "the queue never filled")
	check := tcpCheck(func(c *config.Check) { c.Timeout = 500 * time.Millisecond })
	got := wantFailure(t, targetAt(t, check, address.String()), ConnectTimeout, "timeout after 500ms in connect")
	assert.GreaterOrEqual(t, got.Phases.Connect, check.Timeout)
}

// TestDialFailures covers what a test cannot provoke on a real network.
func TestDialFailures(t *testing.T) {
	system := func(no syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", no)}
	}
	lookup := func(err net.DNSError) error { return &net.OpError{Op: "dial", Net: "tcp", Err: &err} }
	for _, test := range []struct {
		name string
		err  error
		kind Kind
		text string
	}{
		{"no route", system(syscall.EHOSTUNREACH), Unreachable, "no route to host"},
		{"no network", system(syscall.ENETUNREACH), Unreachable, "network unreachable"},
		{"firewall", system(syscall.EPERM), Unreachable, "connect forbidden by this system: operation not permitted"},
		{"kernel gave up", system(syscall.ETIMEDOUT), ConnectTimeout, "timeout after 10s in connect"},
		{"reset", system(syscall.ECONNRESET), Closed, "connection reset in connect"},
		{"deadline", context.DeadlineExceeded, ConnectTimeout, "timeout after 10s in connect"},
		{"descriptors", system(syscall.EMFILE), Resource, "not probed: this node has no file descriptor left"},
		{"descriptors of the system", system(syscall.ENFILE), Resource, "not probed: this node has no file descriptor left"},
		{"ports", system(syscall.EADDRNOTAVAIL), Resource, "not probed: this node has no local address or port left"},
		{"memory", system(syscall.ENOBUFS), Resource, "not probed: this node has no memory left for sockets"},
		{"no such name", lookup(net.DNSError{Err: "no such host", IsNotFound: true}), NoAddress,
			"no address for the name edge.example.net"},
		{"slow resolver", lookup(net.DNSError{Err: "i/o timeout", IsTimeout: true}), NoAddress,
			"timeout after 10s in the look-up of edge.example.net"},
		{"broken resolver", lookup(net.DNSError{Err: "server misbehaving", IsTemporary: true}), NoAddress,
			"look-up of edge.example.net: server misbehaving"},
		{"descriptors for the resolver", lookup(net.DNSError{Err: "dial udp: too many open files"}), Resource,
			"not probed: this node has no file descriptor left"},
		{"anything else", errors.New("odd"), Protocol, "connect: odd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dial := func(context.Context, string, string) (net.Conn, error) { return nil, test.err }
			got := Once(t.Context(), target(tcpCheck(nil), "edge.example.net.", 80), Options{Dial: dial})
			assert.Equal(t, Reason{Kind: test.kind, Text: test.text}, got.Reason)
			assert.Equal(t, test.kind != Resource, got.Reason.Kind.Evidence())
		})
	}
}

// TestDescriptorsExhausted is the same for real, in a process of its own.
func TestDescriptorsExhausted(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), exhaustedEnv+"=1")
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, "resource: not probed: this node has no file descriptor left", string(out))
}

// probeExhausted probes while no descriptor is left, and prints the reason.
func probeExhausted() {
	// The runtime opens its poller with the first socket.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 3}); err != nil {
		panic(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	r := Once(context.Background(), target(tcpCheck(nil), "127.0.0.1", uint16(port)), Options{})
	fmt.Printf("%v: %v", r.Reason.Kind, r.Reason)
}

func TestUnsupportedOnce(t *testing.T) {
	check := tcpCheck(func(c *config.Check) { c.Type = config.CheckComposite })
	wantFailure(t, target(check, "192.0.2.1", 0), Unsupported, "check type composite is not probed")
}
