package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// MaxAsk bounds the body of a request and of a reply, in octets.
	MaxAsk = 1 << 20
	// askTimeout bounds a request, and the work on one.
	askTimeout = 10 * time.Second
	// maxTasks bounds the requests under way, out and in, each.
	maxTasks = 64
	// askWindow is how many requests of one node may overtake each other.
	askWindow = 1024
	// maxErrorText is in octets.
	maxErrorText = 512
)

var (
	// ErrBusy says that too many requests are under way.
	ErrBusy = errors.New("too many requests under way")
	// ErrUnknownNode says that the roster has no such node, or no address of it is known.
	ErrUnknownNode = errors.New("no such node")
)

// A RemoteError is what the peer answered instead of a reply.
type RemoteError struct {
	Node string
	Text string
	// UnknownKind is set where the peer, one of an older version, knows no such request.
	UnknownKind bool
}

func (e *RemoteError) Error() string { return fmt.Sprintf("node %q: %s", e.Node, e.Text) }

// unknownKind is the reply to a request that no handler takes. It is compared with by the other side, in all versions.
func unknownKind(kind string) string { return fmt.Sprintf("unknown kind %q", kind) }

// asks is the state of requests; it owns the goroutines that work on them.
type asks struct {
	out, in chan struct{}
	wg      sync.WaitGroup

	mu sync.Mutex
	// mu guards the rest. ctx is nil while the Peer does not run.
	ctx     context.Context
	lastID  uint64
	waiting map[uint64]waiting
	// seen guards against replays, by asking node.
	seen map[string]*seen
}

// waiting is a request whose reply has not come.
type waiting struct {
	node  string
	reply chan message
}

func (a *asks) init() {
	a.out, a.in = make(chan struct{}, maxTasks), make(chan struct{}, maxTasks)
	a.waiting, a.seen = map[uint64]waiting{}, map[string]*seen{}
}

func (a *asks) start(ctx context.Context) {
	a.mu.Lock()
	a.ctx = ctx
	a.mu.Unlock()
}

func (a *asks) stop() {
	a.mu.Lock()
	a.ctx = nil
	a.mu.Unlock()
}

func (a *asks) wait() { a.wg.Wait() }

// answered is the request that a message replies to, which waits no longer; ok is unset for a reply that nobody waits for from that node.
func (a *asks) answered(m message) (w waiting, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w, ok = a.waiting[m.id]; !ok || w.node != m.from {
		return w, false
	}
	delete(a.waiting, m.id)
	return w, true
}

// renamed forgets the requests of a node whose name another one has now: that begins with lower numbers than the old one had.
func (a *asks) renamed(node string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.seen, node)
}

// do runs f on a goroutine that Run waits for, if a slot is free.
func (a *asks) do(slots chan struct{}, f func(ctx context.Context)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx == nil {
		return ErrStopped
	}
	select {
	case slots <- struct{}{}:
	default:
		return ErrBusy
	}
	ctx := a.ctx
	a.wg.Go(func() {
		defer func() { <-slots }()
		f(ctx)
	})
	return nil
}

// seen has the requests of one node that have been here, by incarnation.
type seen struct {
	incarnation, greatest uint64
	ids                   map[uint64]struct{}
}

// first tells whether a request is new, and notes it.
func (s *seen) first(incarnation, id uint64) bool {
	if incarnation < s.incarnation || incarnation == s.incarnation && id+askWindow <= s.greatest {
		return false
	}
	if incarnation > s.incarnation {
		*s = seen{incarnation: incarnation, ids: map[uint64]struct{}{}}
	}
	if _, again := s.ids[id]; again {
		return false
	}
	s.ids[id] = struct{}{}
	s.greatest = max(s.greatest, id)
	if len(s.ids) > 2*askWindow {
		for i := range s.ids {
			if i+askWindow <= s.greatest {
				delete(s.ids, i)
			}
		}
	}
	return true
}

// Ask sends a request to one node over a stream and waits for the reply, ten seconds at most, once this Peer runs. The handler runs at most once
// for it. An error other than a *RemoteError leaves open whether it ran.
func (p *Peer) Ask(ctx context.Context, node, kind string, body []byte) ([]byte, error) {
	if err := checkName(kind); err != nil {
		return nil, fmt.Errorf("ask %q: %w", kind, err)
	}
	if len(body) > MaxAsk {
		return nil, fmt.Errorf("ask %q: body of %d octets: at most %d", kind, len(body), MaxAsk)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	select {
	case <-p.ready:
	case <-ctx.Done():
		return nil, fmt.Errorf("ask %q of node %q: %w", kind, node, ErrStopped)
	}
	p.mu.Lock()
	var to uint64
	if k := p.known[node]; k != nil {
		to = k.incarnation
	}
	p.mu.Unlock()
	reply, err := p.ask(ctx, node, kind, body, to)
	if err == nil && reply.status == replyIncarnation {
		// It has started anew, or was never heard. It says so itself, and signs it.
		reply, err = p.ask(ctx, node, kind, body, reply.incarnation)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		p.metrics.asks[outcomeTimeout].Inc()
	case err != nil || reply.status != replied:
		p.metrics.asks[outcomeError].Inc()
	default:
		p.metrics.asks[outcomeOK].Inc()
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask %q of node %q: %w", kind, node, err)
	case reply.status == replyIncarnation:
		return nil, &RemoteError{Node: node, Text: "its incarnation changes all the time"}
	case reply.status == replyError:
		return nil, &RemoteError{Node: node, Text: string(reply.body), UnknownKind: string(reply.body) == unknownKind(kind)}
	}
	return reply.body, nil
}

func (p *Peer) ask(ctx context.Context, node, kind string, body []byte, to uint64) (message, error) {
	p.mu.Lock()
	list, addresses := p.list, p.addressesLocked(node)
	m := message{kind: kindAsk, cluster: p.o.Cluster, from: p.o.Node, to: node, incarnation: p.incarnation, toIncarnation: to,
		addr: p.advertise, about: kind, body: body}
	_, ok := p.roster.members[node]
	p.mu.Unlock()
	switch {
	case list == nil:
		return message{}, ErrStopped
	case !ok || node == p.o.Node || len(addresses) == 0:
		return message{}, ErrUnknownNode
	}
	reply := make(chan message, 1)
	p.asks.mu.Lock()
	p.asks.lastID++
	m.id = p.asks.lastID
	p.asks.waiting[m.id] = waiting{node, reply}
	p.asks.mu.Unlock()
	defer func() {
		p.asks.mu.Lock()
		delete(p.asks.waiting, m.id)
		p.asks.mu.Unlock()
	}()
	unsent := make(chan error, 1)
	ended := make(chan struct{})
	err := p.asks.do(p.asks.out, func(run context.Context) {
		if err := p.sendMessage(ctx, list, addresses, m); err != nil {
			unsent <- err
			return
		}
		// The slot is held until the request is over, so that they bound what waits.
		select {
		case <-ctx.Done():
		case <-ended:
		case <-run.Done():
			unsent <- ErrStopped
		}
	})
	if err != nil {
		return message{}, err
	}
	defer close(ended)
	select {
	case r := <-reply:
		return r, nil
	case err := <-unsent:
		return message{}, err
	case <-ctx.Done():
		return message{}, ctx.Err()
	}
}

// sendMessage tries one address after the other.
func (p *Peer) sendMessage(ctx context.Context, list *memberlist.Memberlist, addresses []netip.AddrPort, m message) error {
	b := appendMessage(m, p.o.SigningKey)
	var errs []error
	for _, a := range addresses {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		// Not under ringMu, since this dials: a request that meets RemoveKey may be lost, as any may.
		err := list.SendReliable(&memberlist.Node{Name: m.to, Addr: a.Addr().AsSlice(), Port: a.Port()}, b)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// message takes a request or a reply.
func (p *Peer) message(b []byte) {
	m, err := decodeMessage(b)
	switch {
	case err != nil:
		p.metrics.drop(dropMalformed)
		return
	case m.cluster != p.o.Cluster:
		p.metrics.drop(dropCluster)
		return
	}
	p.mu.Lock()
	member, ok := p.roster.members[m.from]
	incarnation := p.incarnation
	p.mu.Unlock()
	switch {
	case !ok || m.to != p.o.Node || m.from == p.o.Node:
		p.metrics.drop(dropNode)
	case !verify(askDomain, m.signed, m.sig, member.PublicKey):
		p.metrics.drop(dropSignature)
	case m.kind == kindReply:
		p.takeReply(m)
	case m.toIncarnation != incarnation:
		// Nothing is done, so a replay learns a number and no more.
		p.metrics.drop(dropIncarnation)
		p.answer(m, replyIncarnation, nil)
	default:
		p.takeRequest(m)
	}
}

func (p *Peer) takeReply(m message) {
	w, ok := p.asks.answered(m)
	p.mu.Lock()
	mine := m.toIncarnation == p.incarnation
	p.mu.Unlock()
	if !ok || !mine {
		p.metrics.drop(dropOld)
		return
	}
	w.reply <- m
}

func (p *Peer) takeRequest(m message) {
	p.asks.mu.Lock()
	s := p.asks.seen[m.from]
	if s == nil {
		s = &seen{ids: map[uint64]struct{}{}}
		p.asks.seen[m.from] = s
	}
	first := s.first(m.incarnation, m.id)
	p.asks.mu.Unlock()
	if !first {
		p.metrics.drop(dropOld)
		return
	}
	handler, ok := p.o.Handlers[m.about]
	if !ok {
		p.answer(m, replyError, []byte(unknownKind(m.about)))
		return
	}
	err := p.asks.do(p.asks.in, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		body, err := handler(ctx, m.from, m.body)
		status := replied
		if err == nil && len(body) > MaxAsk {
			err = fmt.Errorf("reply of %d octets: at most %d", len(body), MaxAsk)
		}
		if err != nil {
			status, body = replyError, []byte(err.Error())
			body = body[:min(len(body), maxErrorText)]
		}
		p.reply(ctx, m, status, body)
	})
	if err != nil {
		// The asker runs into its timeout.
		p.metrics.drop(dropBusy)
	}
}

// answer replies on a goroutine of its own, since the deliverer must not dial.
func (p *Peer) answer(m message, status byte, body []byte) {
	if p.asks.do(p.asks.in, func(ctx context.Context) { p.reply(ctx, m, status, body) }) != nil {
		p.metrics.drop(dropBusy)
	}
}

func (p *Peer) reply(ctx context.Context, m message, status byte, body []byte) {
	p.mu.Lock()
	list := p.list
	addresses := p.addressesLocked(m.from)
	r := message{kind: kindReply, cluster: p.o.Cluster, from: p.o.Node, to: m.from, incarnation: p.incarnation,
		toIncarnation: m.incarnation, id: m.id, addr: p.advertise, status: status, about: m.about, body: bytes.Clone(body)}
	p.mu.Unlock()
	if m.addr.IsValid() {
		addresses = []netip.AddrPort{m.addr}
	}
	if list == nil {
		return
	}
	if err := p.sendMessage(ctx, list, addresses, r); err != nil {
		p.metrics.sendErrors.Inc()
		p.log.Debug("gossip: reply", "node", m.from, "err", err)
	}
}
