package fastlane

import (
	"fmt"
	"net"
	"unsafe"

	"github.com/coredns/coredns/plugin/pkg/reuseport"
	"golang.org/x/sys/unix"
)

// receiveBuffer is how many octets may wait at a socket: some 5,000 small questions, 20 ms at 250,000 a second. What waits for longer
// is asked again anyway.
const receiveBuffer = 4 << 20

// listen opens one more socket on the address of a CoreDNS server, just as CoreDNS opens its own, so that they share it.
func listen(address string) (*net.UDPConn, error) {
	c, err := reuseport.ListenPacket("udp", address)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.UDPConn)
	if !ok {
		return nil, fmt.Errorf("%s: a %T is no UDP socket", address, c)
	}
	return conn, nil
}

// isWildcard tells whether a socket gets datagrams for any address of this host.
func isWildcard(conn *net.UDPConn) bool { return conn.LocalAddr().(*net.UDPAddr).IP.IsUnspecified() }

// prepareSocket sets the options of a lane's socket.
func prepareSocket(conn *net.UDPConn) error {
	return control(conn, func(fd int) error {
		// The force needs a privilege; without it the limit of the system stays.
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		}
		if !isWildcard(conn) {
			return nil
		}
		domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil {
			return err
		}
		if domain == unix.AF_INET6 {
			// For both families: IPv4 addresses are shown mapped.
			return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	})
}

// The random number as a word to load (linux/filter.h: SKF_AD_OFF + SKF_AD_RANDOM).
const loadRandom = 0xfffff000 + 56

// steerTo makes the kernel choose among the sockets first to first+n-1 of the address, in the order in which they were bound. It
// is by chance: neither a client nor a hash can fill one queue while another one is empty. A number that no socket has lands
// anywhere on the address.
func steerTo(conn *net.UDPConn, first, n int) error {
	const load, arithmetic, give = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_ALU | unix.BPF_K, unix.BPF_RET | unix.BPF_A
	filter := []unix.SockFilter{
		{Code: load, K: loadRandom},
		{Code: arithmetic | unix.BPF_MOD, K: uint32(n)},
		{Code: arithmetic | unix.BPF_ADD, K: uint32(first)},
		{Code: give},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return control(conn, func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program)
	})
}

// memInfo is SK_MEMINFO_VARS of linux/sock_diag.h, and memDrops SK_MEMINFO_DROPS of it: what SO_RXQ_OVFL counts too, but asked
// when somebody wants to know and not with each datagram.
const (
	memInfo  = 9
	memDrops = 8
)

// socketDrops is how many datagrams a socket had no room for.
func socketDrops(fd uintptr) uint64 {
	var info [memInfo]uint32
	size := uint32(unsafe.Sizeof(info))
	if _, _, err := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0); err != 0 {
		return 0
	}
	return uint64(info[memDrops])
}

// control calls f with the descriptor of conn.
func control(conn *net.UDPConn, f func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	if errControl := raw.Control(func(fd uintptr) { err = f(int(fd)) }); errControl != nil {
		return errControl
	}
	return err
}
