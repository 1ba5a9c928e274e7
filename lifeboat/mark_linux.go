package lifeboat

import (
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// markSocket has what a socket sends bear the mark.
func markSocket(network, _ string, c syscall.RawConn) (err error) {
	e := c.Control(func(fd uintptr) { err = setMark(int(fd), network[len(network)-1] == '6') })
	if e != nil {
		return e
	}
	return err
}

func setMark(fd int, v6 bool) error {
	if v6 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, mark<<2)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, mark<<2)
}

// keepSYN has a listener keep the first packet of each connection, in whose header the mark stands.
func keepSYN(_, _ string, c syscall.RawConn) (err error) {
	e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_SAVE_SYN, 1) })
	if e != nil {
		return e
	}
	return err
}

// keepSYNTransparent does so for a listener that is given connections to another port than its own.
func keepSYNTransparent(network, address string, c syscall.RawConn) error {
	if err := keepSYN(network, address, c); err != nil {
		return err
	}
	var err error
	e := c.Control(func(fd uintptr) {
		if network[len(network)-1] == '6' {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, 1)
			return
		}
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1)
	})
	if e != nil {
		return e
	}
	return err
}

// marked tells whether the first packet of a connection bore the mark.
func marked(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var head string
	// What follows a zero octet is cut off; a header with the mark has none in its first two.
	_ = raw.Control(func(fd uintptr) { head, err = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_SAVED_SYN) })
	return err == nil && len(head) >= 2 && dscpOf(head[0], head[1]) == mark
}

// dscpOf is the code point in the first two octets of an IP header (RFC 2474 section 3).
func dscpOf(a, b byte) byte {
	if a>>4 == 6 {
		return (a<<4 | b>>4) >> 2
	}
	return b >> 2
}

// netOffset is where a classic filter finds the network header (SKF_NET_OFF).
const netOffset = 0xfff00000

// dropFrom has a listener take no connection from the prefixes: the kernel answers nothing, as if nobody were there.
func dropFrom(l syscall.Conn, v6 bool, from []netip.Prefix) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	code, err := bpf.Assemble(dropProgram(v6, from))
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(code))
	for i, c := range code {
		filter[i] = unix.SockFilter{Code: c.Op, Jt: c.Jt, Jf: c.Jf, K: c.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog)
	}); e != nil {
		return e
	}
	return err
}

// dropProgram drops packets whose source is in one of the prefixes.
func dropProgram(v6 bool, from []netip.Prefix) (program []bpf.Instruction) {
	words, source := 1, uint32(netOffset+12)
	if v6 {
		words, source = 4, netOffset+8
	}
	for _, p := range from {
		if p.Addr().Is6() != v6 {
			continue
		}
		b := p.Masked().Addr().AsSlice()
		for w := range words {
			bits := min(32, max(0, p.Bits()-32*w))
			mask := uint32(uint64(0xffffffff) << (32 - bits))
			want := uint32(b[4*w])<<24 | uint32(b[4*w+1])<<16 | uint32(b[4*w+2])<<8 | uint32(b[4*w+3])
			// To the next prefix: what is left of this one, three instructions a word, and its verdict.
			program = append(program, bpf.LoadAbsolute{Off: source + uint32(4*w), Size: 4}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: mask},
				bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: want, SkipTrue: uint8(3*(words-1-w) + 1)})
		}
		program = append(program, bpf.RetConstant{Val: 0})
	}
	return append(program, bpf.RetConstant{Val: 0xffffffff})
}

// receiveMarks has a UDP socket tell the code point of what it receives.
func receiveMarks(network, _ string, c syscall.RawConn) (err error) {
	e := c.Control(func(fd uintptr) {
		if network[len(network)-1] == '6' {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1)
			return
		}
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVTOS, 1)
	})
	if e != nil {
		return e
	}
	return err
}

// markedData tells whether the control messages of a datagram say that it bore the mark.
func markedData(oob []byte) bool {
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return false
	}
	for _, m := range list {
		tos := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_TOS || m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_TCLASS
		if tos && len(m.Data) > 0 && m.Data[0]>>2 == mark {
			return true
		}
	}
	return false
}
