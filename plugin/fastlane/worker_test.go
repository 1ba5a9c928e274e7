//go:build linux

package fastlane

import (
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"golang.org/x/sys/unix"
)

// A bed is a worker that the test itself turns, and a client that sends whole batches to it.
type bed struct {
	t      testing.TB
	w      *worker
	fd     int
	client *reader
	out    *writer
	peer   int
}

func newBed(t testing.TB, wildcard bool, questions ...[]byte) *bed {
	t.Helper()
	n := newTestNode(t)
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, prepareSocket(conn))
	r := &Route{Address: "dns://here", Node: n, Server: refuser{}, Blocks: []Block{{Zone: "example.org.", Counted: "errors"}}}
	new(Runtime).prepareRoute(r)
	var route atomic.Pointer[Route]
	route.Store(r)
	b := &bed{t: t, w: newWorker(&route, nil, conn, 0, wildcard), client: newReader(false), out: newWriter()}
	require.NoError(t, control(conn, func(fd int) error { b.fd = fd; return nil }))
	b.peer, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(b.peer) })
	to := conn.LocalAddr().(*net.UDPAddr)
	require.NoError(t, unix.Connect(b.peer, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte{127, 0, 0, 1}}))
	for i := range batchLen {
		b.out.add(b.client, i, append(b.out.data, questions[i%len(questions)]...))
		b.out.msgs[i].hdr.Name, b.out.msgs[i].hdr.Namelen = nil, 0
	}
	return b
}

// round sends a batch, has it answered and takes the replies.
func (b *bed) round() (replies int) {
	if b.out.send(uintptr(b.peer)) != 0 {
		b.t.Fatal("the batch was not sent")
	}
	if n := b.w.batch(uintptr(b.fd)); n != batchLen {
		b.t.Fatal("a batch of", n)
	}
	n, err := b.client.read(uintptr(b.peer), batchLen)
	if err != 0 && err != syscall.EAGAIN {
		b.t.Fatal(err)
	}
	return n
}

func questions(t testing.TB) [][]byte {
	return [][]byte{
		packed(t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)),
		packed(t, new(dns.Msg).SetQuestion("wWw.example.org.", dns.TypeAAAA).SetEdns0(1232, true)),
		packed(t, new(dns.Msg).SetQuestion("nope.example.org.", dns.TypeA)),
		packed(t, new(dns.Msg).SetQuestion("example.org.", dns.TypeSOA)),
		packed(t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeHTTPS)),
	}
}

func TestNothingIsAllocated(t *testing.T) {
	for _, wildcard := range []bool{false, true} {
		b := newBed(t, wildcard, questions(t)...)
		require.Equal(t, batchLen, b.round())
		require.Zero(t, testing.AllocsPerRun(200, func() { b.round() }))
		require.EqualValues(t, 202*batchLen, b.w.counts.Answered)
	}
}

// BenchmarkBatch is what a worker takes for an answer, system calls included; the client's are not counted.
func BenchmarkBatch(b *testing.B) {
	for name, q := range map[string][][]byte{"A": questions(b)[:1], "EDNS": questions(b)[1:2], "mixed": questions(b)} {
		b.Run(name, func(b *testing.B) {
			bed := newBed(b, false, q...)
			b.ReportAllocs()
			for i := 0; i < b.N; i += batchLen {
				b.StopTimer()
				bed.out.send(uintptr(bed.peer))
				b.StartTimer()
				bed.w.batch(uintptr(bed.fd))
				b.StopTimer()
				_, _ = bed.client.read(uintptr(bed.peer), batchLen)
				b.StartTimer()
			}
		})
	}
}

// BenchmarkReplies is what a worker takes for an answer without system calls.
func BenchmarkReplies(b *testing.B) {
	for name, q := range map[string][][]byte{"A": questions(b)[:1], "EDNS": questions(b)[1:2], "mixed": questions(b)} {
		b.Run(name, func(b *testing.B) {
			bed := newBed(b, false, q...)
			bed.out.send(uintptr(bed.peer))
			n, _ := bed.w.in.read(uintptr(bed.fd), batchLen)
			require.Equal(b, batchLen, n)
			r := bed.w.route.Load()
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += batchLen {
				var p pass
				p.begin(r.Node, 0, &bed.w.holder)
				bed.w.replies(r, &p, n)
				p.stamp(bed.w.issued[:bed.w.out.n])
				p.end()
				bed.w.count(time.Microsecond)
				bed.w.out.clear()
			}
		})
	}
}

// TestQuietWaitsForWorkers is the rule "quiesce" for lanes: a snapshot that was replaced is quiet only once the batch that began with
// it has been written and stamped.
func TestQuietWaitsForWorkers(t *testing.T) {
	n := newTestNode(t)
	_, _, conn := newTestRuntime(t, n, refuser{})
	held := make(chan struct{})
	n.held.Store(&held)
	send(t, conn, packed(t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)))
	<-held
	n.held.Store(nil)
	old := n.current.Load()
	slot := old.Ledger().Acquire(ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.1"}.Key())
	other := old.Ledger().Acquire(ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.2"}.Key())
	quiet := n.swap()
	select {
	case <-quiet:
		t.Fatal("quiet, and a worker still answers from the old snapshot")
	default:
	}
	require.Zero(t, old.Ledger().Until(slot))
	require.Zero(t, old.Ledger().Until(other))
	held <- struct{}{}
	<-quiet
	require.False(t, old.Ledger().Until(slot).IsZero() && old.Ledger().Until(other).IsZero(), "quiet, and the answer is not stamped")
	require.Len(t, receive(t, conn).Answer, 1)
}

// TestNothingIsSentAfterTheLease: where the node is shut between the making of replies and their being sent, the ordinary path answers.
func TestNothingIsSentAfterTheLease(t *testing.T) {
	n := newTestNode(t)
	n.open.Store(1)
	_, _, conn := newTestRuntime(t, n, refuser{})
	send(t, conn, packed(t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)))
	require.Equal(t, dns.RcodeRefused, receive(t, conn).Rcode)
	l := n.current.Load().Ledger()
	require.Zero(t, l.Until(l.Acquire(ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.1"}.Key())))
	require.Zero(t, l.Until(l.Acquire(ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.2"}.Key())))
}

// TestWorkersStampTheirAnswers: what is answered through a lane is in the ledger, with its count.
func TestWorkersStampTheirAnswers(t *testing.T) {
	n := newTestNode(t)
	rt, _, conn := newTestRuntime(t, n, refuser{})
	for range 100 {
		send(t, conn, packed(t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)))
		receive(t, conn)
	}
	rt.Release(t)
	l := n.current.Load().Ledger()
	count := func(address string) uint64 {
		return l.AnswersOf(ledger.Holding{Owner: "www.example.org.", RData: address}.Key())
	}
	require.EqualValues(t, 100, count("192.0.2.1")+count("192.0.2.2"))
	require.InDelta(t, 40, count("192.0.2.1"), 1)
	require.EqualValues(t, 100, rt.Counts().Answered, "what a lane counted outlives it")
}

// TestOverloadSheds: the ordinary path works on so many packets, so many wait, and the rest is dropped and counted; the lane goes
// on meanwhile.
func TestOverloadSheds(t *testing.T) {
	may := make(chan struct{})
	rt, _, conn := newTestRuntime(t, newTestNode(t), refuser{may})
	const more = 100
	for i := range maxHandling + queueLen + more {
		m := new(dns.Msg).SetQuestion("example.net.", dns.TypeA)
		m.Id = uint16(i)
		send(t, conn, packed(t, m))
		// One plain question behind every few: its answer tells that the ones before it have been read.
		if i%16 == 0 {
			send(t, conn, packed(t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)))
			require.Len(t, receive(t, conn).Answer, 1)
		}
	}
	send(t, conn, packed(t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)))
	require.Len(t, receive(t, conn).Answer, 1)
	c := rt.Counts()
	require.EqualValues(t, maxHandling+queueLen+more, c.Handed+c.Shed)
	// The one that the server of miekg/dns holds in its hand may count for either.
	require.InDelta(t, more, c.Shed, 2)
	require.Zero(t, c.Dropped)
	for range c.Handed {
		// One by one: the client's socket has no room for all.
		may <- struct{}{}
		require.Equal(t, dns.RcodeRefused, receive(t, conn).Rcode)
	}
}
