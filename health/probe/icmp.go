package probe

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// An icmpChecker sends one echo request (RFC 792, RFC 4443 section 4) and waits for its reply. The socket is the
// kernel's ping socket, which needs no privilege where net.ipv4.ping_group_range has our group, else a raw one, which
// needs CAP_NET_RAW.
type icmpChecker struct{ dial *dialer }

func newICMPChecker(_ *config.Check, dial *dialer) (checker, error) {
	return &icmpChecker{dial: dial}, nil
}

// errNotPermitted means that this system lets us have no ICMP socket.
var errNotPermitted = errors.New("icmp is not permitted: set net.ipv4.ping_group_range or CAP_NET_RAW")

func (c *icmpChecker) probe(ctx context.Context, target health.Target, r *Result) {
	start := time.Now()
	s, err := c.open(ctx, target)
	r.Phases.Connect = time.Since(start)
	switch {
	case errors.Is(err, errNotPermitted):
		r.fail(because(Unsupported, "%v", err))
		return
	case err != nil:
		r.fail(dialReason(err, target))
		return
	}
	defer s.file.Close()
	defer context.AfterFunc(ctx, func() { _ = s.file.SetDeadline(time.Unix(1, 0)) })()
	start = time.Now()
	if err := s.ping(); err != nil {
		r.fail(icmpReason(err, target))
		return
	}
	r.Phases.FirstByte = time.Since(start)
}

// icmpReason says why no reply came.
func icmpReason(err error, target health.Target) Reason {
	if timedOut(err) {
		return because(NoAnswer, "no echo reply within %v", target.Check.Timeout)
	}
	reason := dialReason(err, target)
	if reason.Kind == Protocol {
		reason = because(Protocol, "icmp: %v", root(err))
	}
	return reason
}

// open makes a socket that is connected to the first address of target.
func (c *icmpChecker) open(ctx context.Context, target health.Target) (*pingSocket, error) {
	to, err := netip.ParseAddr(target.Host)
	if err != nil {
		addrs, err := c.dial.names.addresses(ctx, target.Host)
		if err != nil {
			return nil, err
		}
		to = addrs[0]
	}
	to = to.Unmap()
	if err := c.dial.fence.check(netip.AddrPortFrom(to, 0)); err != nil {
		return nil, err
	}
	return newPingSocket(to, c.dial.source.of(to))
}

// A pingSocket is a socket that sends and receives the ICMP messages of one peer.
type pingSocket struct {
	file *os.File
	// raw sockets hear of all echo replies of the peer, for IPv4 with the IP header before them.
	raw, v6 bool
}

func newPingSocket(to, from netip.Addr) (s *pingSocket, err error) {
	s = &pingSocket{v6: to.Is6()}
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if s.v6 {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	const flags = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|flags, protocol)
	if notPermitted(err) {
		s.raw = true
		fd, err = unix.Socket(family, unix.SOCK_RAW|flags, protocol)
	}
	if notPermitted(err) {
		return nil, errNotPermitted
	}
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	// The file closes the descriptor, and waits by the runtime's poller.
	s.file = os.NewFile(uintptr(fd), "icmp")
	if err := s.prepare(fd, to, from); err != nil {
		s.file.Close()
		return nil, err
	}
	return s, nil
}

// notPermitted tells whether a socket is not for us. A kernel without ping sockets does not know the protocol.
func notPermitted(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EPROTONOSUPPORT)
}

func (s *pingSocket) prepare(fd int, to, from netip.Addr) error {
	level, receiveErrors := unix.SOL_IP, unix.IP_RECVERR
	if s.v6 {
		level, receiveErrors = unix.SOL_IPV6, unix.IPV6_RECVERR
	}
	// With it, a router's "no route to host" ends the wait.
	_ = unix.SetsockoptInt(fd, level, receiveErrors, 1)
	if from.IsValid() {
		if err := unix.Bind(fd, sockaddr(from)); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

func sockaddr(a netip.Addr) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	return &unix.SockaddrInet6{Addr: a.As16()}
}

// echoSize is a header of 8 octets and a token of 16, by which the reply is told from others.
const echoSize = 24

// ping sends a request and returns when its reply has come, or with the socket's deadline.
func (s *pingSocket) ping() error {
	request := make([]byte, echoSize)
	answer := byte(0)
	if request[0] = 8; s.v6 {
		request[0], answer = 128, 129
	}
	rand.Read(request[4:]) // identifier, sequence number and token; never fails
	if !s.v6 {
		// For ICMPv6, and for ping sockets, the kernel fills in the checksum.
		binary.BigEndian.PutUint16(request[2:], checksum(request))
	}
	if _, err := s.file.Write(request); err != nil {
		return err
	}
	buf := make([]byte, 128)
	for {
		n, err := s.file.Read(buf)
		if err != nil {
			return err
		}
		reply := buf[:n]
		if s.raw && !s.v6 {
			if n == 0 || n < int(buf[0]&15)*4 {
				continue
			}
			reply = buf[int(buf[0]&15)*4 : n]
		}
		// A ping socket has put an identifier of its own in place of ours, and hears of no other.
		if len(reply) >= echoSize && reply[0] == answer && string(reply[8:echoSize]) == string(request[8:]) {
			return nil
		}
	}
}

// checksum is the Internet checksum (RFC 1071) of b, whose length is even.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
