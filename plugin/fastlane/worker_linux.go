package fastlane

import (
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coredns/coredns/plugin/metrics/vars"
	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/abuse"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// A worker owns one socket of a lane. Its methods but turn's are called by its goroutine alone.
type worker struct {
	counter
	route    *atomic.Pointer[Route]
	fallback *fallback
	conn     *net.UDPConn
	// stripe differs among workers.
	stripe uint32
	holder ledger.Holder
	base   time.Time

	in  *reader
	out *writer
	// queries are the datagrams of the batch that are plain questions, blocks those that answer them, nil for the others; spots and types
	// are for answer.Warm.
	queries [batchLen]query
	blocks  [batchLen]*entry
	spots   [batchLen]answer.Spot
	types   [batchLen]uint16
	// warmth is what answer.Warm returned.
	warmth int
	// issued is what each reply of the batch names, taken where each reply is counted.
	issued [batchLen]answer.Issued
	taken  [batchLen]taken
	// handed are the datagrams of the batch that are for the ordinary path.
	handed [batchLen]bool
	// shut is whether the node did not answer service names when the replies of the batch were begun.
	shut bool
	// filled is how many messages the last read filled.
	filled int
	// closing is set when the worker is to answer what waits and end.
	closing atomic.Bool
}

// taken is what is counted of one answered question.
type taken struct {
	id, typ         int32
	family          uint8
	rcode           uint8
	do, counted     bool
	request, length uint16
}

func newWorker(route *atomic.Pointer[Route], f *fallback, conn *net.UDPConn, stripe uint32, wildcard bool) *worker {
	return &worker{
		route: route, fallback: f, conn: conn, stripe: stripe, base: time.Now(),
		in: newReader(wildcard), out: newWriter(), filled: batchLen,
	}
}

// run answers until stop. On a socket that is broken it returns why.
func (w *worker) run() error {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return err
	}
	for {
		err := raw.Read(w.turn)
		if w.closing.Load() {
			// What came before the address was steered away is answered too.
			return raw.Control(func(fd uintptr) {
				for w.batch(fd) > 0 {
				}
			})
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// stop lets run end. Nothing must be steered to the socket any more.
func (w *worker) stop() {
	w.closing.Store(true)
	_ = w.conn.SetReadDeadline(time.Unix(1, 0))
}

// turn works on what waits at the socket and returns false: RawConn.Read then waits for the next edge, and calls it again. It must be
// called again only if the last batch was full, because what came behind a batch that was not is an edge of its own.
func (w *worker) turn(fd uintptr) (done bool) {
	for w.batch(fd) == batchLen {
		// Others of this P have their turn between batches.
		runtime.Gosched()
	}
	return w.closing.Load()
}

// batch works on one batch and returns how many datagrams it had.
func (w *worker) batch(fd uintptr) int {
	n, err := w.in.read(fd, w.filled)
	w.filled = n
	if err != 0 {
		if err == unix.EINTR {
			return w.batch(fd)
		}
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	begin := time.Since(w.base)
	w.counts.Batches++
	w.answer(fd, n)
	if w.out.n > 0 {
		w.count(time.Since(w.base) - begin)
		w.out.clear()
	}
	return n
}

// answer answers n datagrams: the snapshot is held until all is written and stamped.
func (w *worker) answer(fd uintptr, n int) {
	r := w.route.Load()
	var p pass
	if !p.begin(r.Node, w.stripe, &w.holder) {
		w.handAll(n)
		return
	}
	defer p.end()
	if !w.replies(r, &p, n) {
		w.handAll(n)
		return
	}
	if w.out.n == 0 || w.endedMeanwhile(r, n) {
		return
	}
	w.counts.Unsent += w.out.send(fd)
	p.stamp(w.issued[:w.out.n])
}

// replies makes the replies to n datagrams, and hands the others to the ordinary path. It returns false if that panicked: then nothing
// has been sent, and CoreDNS, which recovers from the panic of one question alone, is to have them all.
func (w *worker) replies(r *Route, p *pass, n int) (ok bool) {
	defer func() {
		if !ok {
			_ = recover()
			vars.Panic.Inc()
			w.out.clear()
			clear(w.issued[:])
		}
	}()
	locator, shut := r.Node.Terms()
	w.shut = shut
	past := p.past()
	for i := range n {
		q := &w.queries[i]
		q.Locator, q.Shut, q.Past, q.Stripe = locator, shut, past, w.stripe
		w.spots[i], w.blocks[i] = answer.Spot{}, w.block(r, q, i)
		if w.blocks[i] != nil {
			w.spots[i], w.types[i] = p.find(q.Name), q.Type
		}
	}
	w.warmth += answer.Warm(w.spots[:n], w.types[:n])
	for i := range n {
		w.handed[i] = w.blocks[i] == nil || !w.reply(r, p, i)
	}
	for i := range n {
		if w.handed[i] {
			w.hand(i)
		}
	}
	return true
}

// endedMeanwhile tells whether the node has ceased to answer service names since replies to n datagrams were begun, as in a process that
// stood still while its lease ended. Then nothing of them is sent, and the ordinary path says so to all.
func (w *worker) endedMeanwhile(r *Route, n int) bool {
	if _, shut := r.Node.Terms(); !shut || w.shut {
		return false
	}
	w.out.clear()
	clear(w.issued[:])
	for i := range n {
		if !w.handed[i] {
			w.hand(i)
		}
	}
	return true
}

// handAll gives n datagrams to the ordinary path.
func (w *worker) handAll(n int) {
	for i := range n {
		w.hand(i)
	}
}

// block reads the i-th datagram into q and finds the block that answers it; nil where that is for the ordinary path.
func (w *worker) block(r *Route, q *query, i int) *entry {
	if !q.read(w.in.packet(i)) {
		return nil
	}
	e := r.find(q.Name)
	if e == nil {
		return nil
	}
	q.Client = w.in.client(i).Addr().Unmap()
	if !e.block.takes(q) {
		return nil
	}
	q.Files = e.block.Files
	if e.block.MaxSize > 0 && q.EDNS {
		q.Size = max(dns.MinMsgSize, min(q.Size, e.block.MaxSize))
	}
	return e
}

// reply appends the reply to the i-th datagram to the batch; it returns false where that is for the ordinary path after all.
func (w *worker) reply(r *Route, p *pass, i int) bool {
	if !w.out.room() {
		return false
	}
	q, e, at := &w.queries[i], w.blocks[i], w.out.n
	q.Issued, q.Spot = &w.issued[at], w.spots[i]
	known := r.Jar != nil && r.readCookie(q)
	if !known {
		q.Length = len(w.in.packet(i))
	}
	out, info, ours := p.append(w.out.data, &q.Question)
	if !ours {
		return false
	}
	if r.Limiter != nil && !known && info.Zone.RRL != nil {
		switch r.Limiter.Take(info.Zone.RRL, q.Client, byte(info.Outcome), info.About, p.book.Now()) {
		case abuse.Drop:
			q.Issued.Clear()
			return true
		case abuse.Slip:
			out, info.RCode = answer.AppendTruncated(w.out.data, &q.Question), dns.RcodeSuccess
		}
	}
	t := &w.taken[at]
	*t = taken{id: int32(e.id), typ: int32(indexOf(q.Type)), rcode: uint8(info.RCode), do: q.DO, counted: e.block.Counted != "",
		request: uint16(len(w.in.packet(i))), length: uint16(len(out) - len(w.out.data))}
	if !q.Client.Is4() {
		t.family = 1
	}
	w.out.add(w.in, i, out)
	return true
}

// hand gives the i-th datagram to the ordinary path.
func (w *worker) hand(i int) {
	data := Refusable(w.in.packet(i))
	p := &packet{length: len(data), from: w.in.client(i), zone: w.in.zone(i)}
	copy(p.data[:], data)
	conn, to, source := w.conn, p.from, slices.Clone(w.in.source(i))
	if p.zone != "" {
		to = withZone(to, p.zone)
	}
	p.reply = func(b []byte) error {
		_, _, err := conn.WriteMsgUDPAddrPort(b, source, to)
		return err
	}
	if w.fallback.put(p) {
		w.counts.Handed++
	} else {
		w.counts.Shed++
	}
}

// count counts the replies of a batch, which took d.
func (w *worker) count(d time.Duration) {
	bucket := durationBucket(d)
	w.counts.Answered += uint64(w.out.n)
	for i := range w.out.n {
		k := &w.taken[i]
		if !k.counted {
			continue
		}
		t := w.of(int(k.id))
		t.types[k.family][k.typ]++
		if k.do {
			t.do++
		}
		t.rcodes[k.rcode&15]++
		t.requests[k.request]++
		t.replies[min(int(k.length), maxReply)]++
		t.durations[bucket]++
		t.taken += d
	}
}

// dropped is how many datagrams the socket had no room for.
func (w *worker) dropped() (n uint64) {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { n = socketDrops(fd) })
	return n
}
