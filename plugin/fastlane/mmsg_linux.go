package fastlane

import (
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchLen is how many datagrams are read and written by one system call. With 64 the kernel's buffers leave the nearest caches before they
// are used again: bench-peers gives 16 four to seven points of the echo server's rate more.
const batchLen = 16

// An mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	// n is the length of the datagram that was read.
	n uint32
}

// controlLen has room for one IPV6_PKTINFO or IP_PKTINFO.
const controlLen = 40

// A reader holds the memory of one recvmmsg.
type reader struct {
	msgs    [batchLen]mmsghdr
	vecs    [batchLen]unix.Iovec
	names   [batchLen]unix.RawSockaddrInet6
	control [batchLen][controlLen]byte
	data    [batchLen][maxQuery]byte
	// wildcard is set when datagrams tell to which address they came.
	wildcard bool
}

func newReader(wildcard bool) *reader {
	r := &reader{wildcard: wildcard}
	for i := range r.msgs {
		h := &r.msgs[i].hdr
		r.vecs[i].Base = &r.data[i][0]
		r.vecs[i].SetLen(maxQuery)
		h.Name, h.Iov = (*byte)(unsafe.Pointer(&r.names[i])), &r.vecs[i]
		h.SetIovlen(1)
		if wildcard {
			h.Control = &r.control[i][0]
		}
	}
	return r
}

// read reads what waits at the socket, without waiting. used is how many of the messages the last read filled.
func (r *reader) read(fd uintptr, used int) (n int, err syscall.Errno) {
	for i := range used {
		h := &r.msgs[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		if r.wildcard {
			h.SetControllen(controlLen)
		}
	}
	// Raw: it never waits, and the scheduler need not know.
	got, _, err := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.msgs)), batchLen, unix.MSG_DONTWAIT, 0, 0)
	if err != 0 {
		return 0, err
	}
	return int(got), 0
}

// packet is the i-th datagram.
func (r *reader) packet(i int) []byte { return r.data[i][:min(r.msgs[i].n, maxQuery)] }

// client is who sent it. A socket for both families shows IPv4 mapped, and so does this.
func (r *reader) client(i int) netip.AddrPort {
	if name := &r.names[i]; name.Family == unix.AF_INET6 {
		return netip.AddrPortFrom(netip.AddrFrom16(name.Addr), hostPort(name.Port))
	}
	name := (*unix.RawSockaddrInet4)(unsafe.Pointer(&r.names[i]))
	return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), hostPort(name.Port))
}

// zone is the scope of a link-local client, by the name of the interface.
func (r *reader) zone(i int) string {
	name := &r.names[i]
	if name.Family != unix.AF_INET6 || name.Scope_id == 0 {
		return ""
	}
	if ifi, err := net.InterfaceByIndex(int(name.Scope_id)); err == nil {
		return ifi.Name
	}
	return ""
}

// hostPort is a port as sockaddrs have it.
func hostPort(p uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&p))
	return uint16(b[0])<<8 | uint16(b[1])
}

// source turns the control message of the i-th datagram, which says to which address it came, into one that makes an answer leave
// from there: the interface is left to the routes, as miekg's server does. It is empty where nothing was said.
func (r *reader) source(i int) []byte {
	h := &r.msgs[i].hdr
	if !r.wildcard || h.Controllen < unix.SizeofCmsghdr {
		return nil
	}
	c := (*unix.Cmsghdr)(unsafe.Pointer(&r.control[i][0]))
	data := unsafe.Pointer(&r.control[i][unix.SizeofCmsghdr])
	switch {
	case c.Level == unix.IPPROTO_IP && c.Type == unix.IP_PKTINFO:
		info := (*unix.Inet4Pktinfo)(data)
		info.Ifindex, info.Spec_dst = 0, info.Addr
		return r.control[i][:unix.CmsgSpace(unix.SizeofInet4Pktinfo)]
	case c.Level == unix.IPPROTO_IPV6 && c.Type == unix.IPV6_PKTINFO:
		(*unix.Inet6Pktinfo)(data).Ifindex = 0
		return r.control[i][:unix.CmsgSpace(unix.SizeofInet6Pktinfo)]
	}
	return nil
}

// A writer holds the memory of one sendmmsg: replies one behind the other.
type writer struct {
	msgs [batchLen]mmsghdr
	vecs [batchLen]unix.Iovec
	n    int
	data []byte
}

func newWriter() *writer { return &writer{data: make([]byte, 0, batchLen*maxReply)} }

// room tells whether one more reply fits. Replies are not moved once they are written: messages point to them.
func (w *writer) room() bool { return cap(w.data)-len(w.data) >= maxReply }

// add queues the reply that was appended to data last, for the client of r's i-th datagram.
func (w *writer) add(r *reader, i int, data []byte) {
	begin := len(w.data)
	w.data = data
	m := &w.msgs[w.n]
	m.hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&r.names[i])), Namelen: r.msgs[i].hdr.Namelen, Iov: &w.vecs[w.n]}
	m.hdr.SetIovlen(1)
	if from := r.source(i); from != nil {
		m.hdr.Control = &from[0]
		m.hdr.SetControllen(len(from))
	}
	w.vecs[w.n].Base = &data[begin]
	w.vecs[w.n].SetLen(len(data) - begin)
	w.n++
}

// sendWait is how long a full socket may keep a batch, in milliseconds. Then the rest of it is dropped.
const sendWait = 100

// send writes everything and returns how many replies the system did not take.
func (w *writer) send(fd uintptr) (unsent uint64) {
	for at := 0; at < w.n; {
		n, _, err := syscall.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&w.msgs[at])), uintptr(w.n-at), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case err == 0:
			at += int(n)
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if ready, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, sendWait); ready == 0 {
				return unsent + uint64(w.n-at)
			}
		default:
			// It is about the first one alone: a client without a route, a firewall.
			unsent++
			at++
		}
	}
	return unsent
}

// clear makes room.
func (w *writer) clear() { w.n, w.data = 0, w.data[:0] }
