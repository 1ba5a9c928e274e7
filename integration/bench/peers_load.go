package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A loadOrder is what a generator is to do. It runs for as long as told, and sends to 127.0.0.0/8 alone.
type loadOrder struct {
	Server string
	// Zone is that of the names n0 to n(Names-1).
	Zone  string
	Names int
	// Rate is how many questions a second; 0 for as many as are answered, with Window under way.
	Rate, Window int
	Seconds      float64
}

// A loadReport is what came of it. Latencies are in microseconds.
type loadReport struct {
	Sent, Answered, Lost int
	Seconds              float64
	P50, P99, P999       float64
}

const (
	// loadSockets are the clients; each has 65,536 ids.
	loadSockets = 16
	loadBatch   = 32
	// lateness is how long an answer may take before it counts as lost.
	lateness = 500 * time.Millisecond
)

// A loader is one generator. It runs on one thread, which is pinned by whoever starts it.
type loader struct {
	order loadOrder
	// questions are packed, with and without EDNS; the id is written over.
	questions [][]byte
	fds       [loadSockets]int
	next      [loadSockets]uint16
	// sent is when a question of a socket and id was sent; 0 for none under way.
	sent  [loadSockets][1 << 16]int64
	out   mmsgs
	in    mmsgs
	begin time.Time

	report    loadReport
	latencies []int64
}

// mmsgs is the memory of one sendmmsg or recvmmsg.
type mmsgs struct {
	msgs [loadBatch]struct {
		hdr unix.Msghdr
		n   uint32
	}
	vecs [loadBatch]unix.Iovec
	data [loadBatch][1400]byte
}

func (m *mmsgs) init() {
	for i := range m.msgs {
		m.vecs[i].Base = &m.data[i][0]
		m.msgs[i].hdr.Iov = &m.vecs[i]
		m.msgs[i].hdr.SetIovlen(1)
		m.vecs[i].SetLen(len(m.data[i]))
	}
}

func (m *mmsgs) call(trap uintptr, fd, n int) (int, unix.Errno) {
	got, _, err := unix.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&m.msgs)), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	return int(got), err
}

// playLoad is the role of the generator: an order on stdin, a report on stdout.
func playLoad() error {
	l := new(loader)
	if err := json.NewDecoder(os.Stdin).Decode(&l.order); err != nil {
		return err
	}
	server, err := netip.ParseAddrPort(l.order.Server)
	if err != nil || !server.Addr().IsLoopback() || !server.Addr().Is4() {
		return fmt.Errorf("server %q: load goes to 127.0.0.0/8 alone", l.order.Server)
	}
	l.makeQuestions()
	l.in.init()
	l.out.init()
	for i := range l.fds {
		if l.fds[i], err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); err != nil {
			return err
		}
		_ = unix.SetsockoptInt(l.fds[i], unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
		if err := unix.Connect(l.fds[i], &unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()}); err != nil {
			return err
		}
	}
	l.run()
	return json.NewEncoder(os.Stdout).Encode(l.report)
}

// makeQuestions packs a question of type A for each name, every other one with an OPT record.
func (l *loader) makeQuestions() {
	for i := range l.order.Names {
		q := []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, byte(i % 2)}
		label := fmt.Sprintf("n%d", i)
		q = append(append(q, byte(len(label))), label...)
		for rest := l.order.Zone; rest != ""; {
			var part string
			part, rest = cutDot(rest)
			q = append(append(q, byte(len(part))), part...)
		}
		q = append(q, 0, 0, 1, 0, 1)
		if i%2 == 1 {
			q = append(q, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0)
		}
		l.questions = append(l.questions, q)
	}
}

func cutDot(s string) (before, after string) {
	for i := range s {
		if s[i] == '.' {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// run sends and reads until the time is over, and then waits for what is late.
func (l *loader) run() {
	l.begin = time.Now()
	end := time.Duration(l.order.Seconds * float64(time.Second))
	lastAnswer, under := time.Duration(0), 0
	for at := 0; ; at = (at + 1) % loadSockets {
		now := time.Since(l.begin)
		if now >= end {
			break
		}
		n := min(loadBatch, l.order.Window-under)
		if l.order.Rate > 0 {
			n = min(loadBatch, int(float64(l.order.Rate)*now.Seconds())-l.report.Sent)
		}
		if n > 0 {
			l.send(at, n)
			under += n
		}
		got := 0
		for s := range l.fds {
			got += l.receive(s)
		}
		under -= got
		switch {
		case got > 0:
			lastAnswer = now
		case l.order.Rate == 0 && under > 0 && now-lastAnswer > lateness/10:
			// Whatever is under way is lost, or nearly so.
			under, lastAnswer = 0, now
		case l.order.Rate > 0 && n <= 0:
			l.pause()
		}
	}
	l.report.Seconds = time.Since(l.begin).Seconds()
	for late := time.Now().Add(lateness); time.Now().Before(late) && l.report.Answered < l.report.Sent; {
		for s := range l.fds {
			l.receive(s)
		}
	}
	l.report.Lost = l.report.Sent - l.report.Answered
	slices.Sort(l.latencies)
	at := func(q float64) float64 {
		if len(l.latencies) == 0 {
			return 0
		}
		return float64(l.latencies[int(q*float64(len(l.latencies)-1))]) / 1000
	}
	l.report.P50, l.report.P99, l.report.P999 = at(0.5), at(0.99), at(0.999)
}

// pause waits for an answer, or for a moment: the generator has a core for itself.
func (l *loader) pause() {
	var fds [loadSockets]unix.PollFd
	for i, fd := range l.fds {
		fds[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	gap := unix.NsecToTimespec(int64(20 * time.Microsecond))
	_, _ = unix.Ppoll(fds[:], &gap, nil)
}

func (l *loader) send(socket, n int) {
	now := int64(time.Since(l.begin))
	for i := range n {
		q := l.questions[rand.IntN(len(l.questions))]
		id := l.next[socket]
		l.next[socket]++
		copy(l.out.data[i][:], q)
		binary.BigEndian.PutUint16(l.out.data[i][:], id)
		l.out.vecs[i].SetLen(len(q))
		l.sent[socket][id] = now
	}
	// What the system does not take is lost, and counts as that.
	_, _ = l.out.call(unix.SYS_SENDMMSG, l.fds[socket], n)
	l.report.Sent += n
}

func (l *loader) receive(socket int) int {
	n, err := l.in.call(unix.SYS_RECVMMSG, l.fds[socket], loadBatch)
	if err != 0 {
		return 0
	}
	now := int64(time.Since(l.begin))
	for i := range n {
		id := binary.BigEndian.Uint16(l.in.data[i][:])
		if at := l.sent[socket][id]; at != 0 && now-at < int64(lateness) {
			l.report.Answered++
			l.latencies = append(l.latencies, now-at)
		}
		l.sent[socket][id] = 0
	}
	return n
}

// playEcho is the role of the server without DNS: it sends each datagram back, in batches. It is the limit of what a server can do
// with these system calls.
func playEcho() error {
	conn, err := net.ListenPacket("udp4", os.Getenv("BENCH_LISTEN"))
	if err != nil {
		return err
	}
	file, err := conn.(*net.UDPConn).File()
	if err != nil {
		return err
	}
	fd := int(file.Fd())
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
	var m mmsgs
	m.init()
	var names [loadBatch]unix.RawSockaddrInet4
	for i := range names {
		m.msgs[i].hdr.Name = (*byte)(unsafe.Pointer(&names[i]))
	}
	for {
		for i := range m.msgs {
			m.msgs[i].hdr.Namelen = unix.SizeofSockaddrInet4
			m.vecs[i].SetLen(len(m.data[i]))
		}
		// It waits for the first one, and takes what else is there.
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.msgs)), loadBatch, unix.MSG_WAITFORONE, 0, 0)
		if errno != 0 {
			return errno
		}
		for i := range int(n) {
			m.data[i][2] |= 0x80
			m.vecs[i].SetLen(int(m.msgs[i].n))
		}
		if _, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.msgs)), n, 0, 0, 0); errno != 0 && errno != unix.ECONNREFUSED {
			return errno
		}
	}
}
