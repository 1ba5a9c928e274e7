package lifeboat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// How new connections come to a boat.
const (
	// ByNftables is a redirection in the kernel: the application may go on. BySplice listens at the ports themselves. Auto is the first where
	// it is allowed, else the second.
	ByNftables = "nftables"
	BySplice   = "splice"
	Auto       = "auto"
)

const (
	// DefaultLinger is how long open connections may go on once nothing is taken any more.
	DefaultLinger = 30 * time.Second
	// lookEvery is how often the clock is looked at.
	lookEvery = 200 * time.Millisecond
)

// A RefusedError says why nothing may be forwarded.
type RefusedError struct {
	// Rule is that of api.LifeboatAddress; empty where nobody else is in service.
	Rule string
	Why  string
}

func (e *RefusedError) Error() string { return e.Why }

// ErrReturned: an address came back into the answers, by no order, while its arrivals were forwarded.
var ErrReturned = errors.New("it came back by health while its arrivals were forwarded")

// Options are what a Boat needs. Ask, Ports and Say are required.
type Options struct {
	// Ask is what a node says now of an endpoint, ZONE/POOL/ENDPOINT; of all that the boat is for if that is empty. Follow calls nudge for each
	// event until the stream breaks off; nil asks by the clock alone.
	Ask    func(ctx context.Context, endpoint string) (*api.Lifeboat, error)
	Follow func(ctx context.Context, nudge func()) error
	Ports  []Port
	// Mode is Auto, ByNftables or BySplice; empty is Auto.
	Mode string
	// Clamped goes on until caches that clamp have forgotten, too.
	Clamped bool
	// Stay waits for the next departure where Run would return.
	Stay bool
	// Linger and Grace are those of DefaultLinger and DefaultGrace; 0 is the default.
	Linger, Grace time.Duration
	// Probers are prefixes from which nodes probe, beside those that they say.
	Probers []netip.Prefix
	// Counters is where the counts are served, as ADDRESS:PORT; empty for nowhere.
	Counters string
	// Say prints a line.
	Say func(string)
}

// A Boat forwards late arrivals at this machine.
type Boat struct {
	opts   Options
	policy policy
	counts *counters
	flows  *flows
	// own are the addresses of this machine; all loopback ones are, but in tests.
	own        []netip.Addr
	loopbackOK bool
	// owned by Run
	berths    []*berth
	diversion *diversion
	nodes     []netip.Prefix
}

// New makes a boat; nothing is opened yet.
func New(opts Options) (*Boat, error) {
	if opts.Mode == "" {
		opts.Mode = Auto
	}
	if opts.Linger == 0 {
		opts.Linger = DefaultLinger
	}
	if opts.Grace == 0 {
		opts.Grace = DefaultGrace
	}
	switch {
	case len(opts.Ports) == 0:
		return nil, errors.New("ports: want one or more")
	case !slices.Contains([]string{Auto, ByNftables, BySplice}, opts.Mode):
		return nil, fmt.Errorf("mode %q: want auto, nftables or splice", opts.Mode)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of this machine: %w", err)
	}
	b := &Boat{
		opts: opts, policy: policy{clampedToo: opts.Clamped, grace: opts.Grace}, counts: newCounters(), flows: newFlows(),
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			b.own = append(b.own, p.Addr().Unmap())
		}
	}
	return b, nil
}

// isOwn tells whether an address is this machine's.
func (b *Boat) isOwn(a netip.Addr) bool {
	return a.IsLoopback() && !b.loopbackOK || slices.Contains(b.own, a)
}

// Run forwards until nothing is to be forwarded any more, or ctx ends; then open connections go on for Linger, or until hurry is closed.
func (b *Boat) Run(ctx context.Context, hurry <-chan struct{}) error {
	first, err := b.ask(ctx)
	if err != nil {
		return err
	}
	if err := b.board(first, time.Now()); err != nil {
		return err
	}
	defer func() {
		b.closeGates()
		b.flows.end()
		if b.diversion != nil {
			b.diversion.end()
		}
	}()
	if err := b.choose(); err != nil {
		return err
	}
	if b.opts.Counters != "" {
		end, err := b.serveCounts()
		if err != nil {
			return err
		}
		defer end()
	}
	asking, stop := context.WithCancel(ctx)
	defer stop()
	news := make(chan *api.Lifeboat)
	go b.watch(asking, news, b.endpoints())
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for b.sail(time.Now()) {
		var lost <-chan struct{}
		if b.diversion != nil {
			lost = b.diversion.gone
		}
		select {
		case <-ctx.Done():
			b.opts.Say("told to end: nothing is taken any more")
			return b.end(hurry)
		case l := <-news:
			b.hear(l, time.Now())
		case <-lost:
			return errors.New("the process nft has ended, and with it what it diverted")
		case <-look.C:
		}
	}
	stop()
	return b.end(hurry)
}

// board finds the addresses of this machine among what the node named.
func (b *Boat) board(l *api.Lifeboat, now time.Time) error {
	var others []string
	var refused *RefusedError
	open := 0
	for _, a := range l.Addresses {
		addr, err := netip.ParseAddr(a.Address)
		if err != nil || !slices.Contains(b.own, addr.Unmap()) {
			others = append(others, a.Address)
			continue
		}
		one := &berth{address: addr.Unmap(), targets: new(targets)}
		b.counts.know(a.Address, a.Endpoint)
		for _, p := range b.opts.Ports {
			one.gates = append(one.gates, &gate{address: one.address, port: p, targets: one.targets, counts: b.counts, flows: b.flows})
		}
		b.berths = append(b.berths, one)
		if one.take(a, b.isOwn, now); a.State == api.BoatRefused {
			refused = &RefusedError{Rule: a.Rule, Why: a.Endpoint + " " + a.Address + ": " + a.Text}
		} else {
			open++
		}
	}
	if len(b.berths) == 0 {
		return fmt.Errorf("none of the addresses of %s %s is one of this machine: %s", l.Scope.Kind, l.Scope.Name, strings.Join(others[:min(len(others), 5)], ", "))
	}
	b.mindProbers(l)
	if open == 0 {
		return refused
	}
	return nil
}

// mindProbers takes over from where nodes probe.
func (b *Boat) mindProbers(l *api.Lifeboat) (changed bool) {
	from := slices.Clone(b.opts.Probers)
	for _, text := range l.Nodes {
		if a, err := netip.ParseAddr(text); err == nil {
			from = append(from, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
		}
	}
	for _, a := range b.own {
		// A node on this machine.
		from = append(from, netip.PrefixFrom(a, a.BitLen()))
	}
	if slices.Equal(from, b.nodes) {
		return false
	}
	b.nodes = from
	for _, one := range b.berths {
		for _, g := range one.gates {
			if err := g.mind(from); err != nil {
				b.opts.Say(fmt.Sprintf("%s port %s: a filter for probes: %s", g.address, g.port, err))
				g.close()
			}
		}
	}
	return true
}

// choose decides how new connections come here, and finds out what is not allowed.
func (b *Boat) choose() error {
	if b.opts.Mode != BySplice {
		d, err := newDiversion(fmt.Sprintf("fairlead_lifeboat_%d", os.Getpid()))
		if err == nil {
			b.diversion = d
			return nil
		}
		if b.opts.Mode == ByNftables {
			return fmt.Errorf("%w (it needs root or CAP_NET_ADMIN)", err)
		}
		b.opts.Say(fmt.Sprintf("no diversion: %s; listening at the ports themselves once they are free", err))
	}
	for _, one := range b.berths {
		for _, g := range one.gates {
			err := g.open(context.Background(), false)
			g.close()
			if err != nil && !errors.Is(err, syscall.EADDRINUSE) {
				if errors.Is(err, os.ErrPermission) {
					err = fmt.Errorf("%w (a port below 1024 needs root or CAP_NET_BIND_SERVICE)", err)
				}
				return err
			}
		}
	}
	return nil
}

// hear takes what a node says.
func (b *Boat) hear(l *api.Lifeboat, now time.Time) {
	for _, one := range b.berths {
		for _, a := range l.Addresses {
			if a.Address == one.address.String() && a.Endpoint == one.word.Endpoint {
				one.take(a, b.isOwn, now)
			}
		}
	}
	if b.mindProbers(l) && b.diversion != nil {
		b.divert()
	}
}

// sail does for each address what its course is; false once all are over.
func (b *Boat) sail(now time.Time) bool {
	open, changed := 0, false
	var closing []*gate
	var lines []string
	for _, one := range b.berths {
		if one.over {
			continue
		}
		c := one.course(b.policy, now)
		if c.carry {
			one.carried = true
		}
		for _, g := range one.gates {
			switch {
			case c.carry && g.closer == nil:
				changed = b.openGate(g) || changed
			case !c.carry && g.closer != nil:
				closing = append(closing, g)
			}
		}
		if line := one.line(c, b.counts.of(one.address.String()), b.how()); line != "" {
			lines = append(lines, line)
		}
		one.over, one.returned = c.over, c.returned
		if b.opts.Stay && c.over && (!c.returned || one.drained) {
			one.rest()
		}
		if !one.over {
			open++
		}
	}
	if (changed || len(closing) > 0) && b.diversion != nil {
		b.divert(closing...)
	}
	for _, g := range closing {
		g.close()
	}
	// Said once it is so.
	for _, line := range lines {
		b.opts.Say(line)
	}
	return open > 0
}

func (b *Boat) how() string {
	if b.diversion != nil {
		return ByNftables
	}
	return BySplice
}

// openGate begins to take what arrives at a port; a port that is in use is tried again with each look.
func (b *Boat) openGate(g *gate) bool {
	err := g.open(context.Background(), b.diversion != nil)
	if err == nil {
		if g.busy {
			b.opts.Say(fmt.Sprintf("%s port %s is free now", g.address, g.port))
		}
		g.busy = false
		return true
	}
	if !g.busy {
		g.busy = true
		if errors.Is(err, syscall.EADDRINUSE) {
			b.opts.Say(fmt.Sprintf("%s port %s is in use: what listens there gets who arrives; it is taken once it is free (or use --mode nftables)", g.address, g.port))
		} else {
			b.opts.Say(fmt.Sprintf("%s port %s: %s; tried again", g.address, g.port, err))
		}
	}
	return false
}

// divert has the kernel hand over what the open gates take, but for some.
func (b *Boat) divert(but ...*gate) {
	var open []*gate
	for _, one := range b.berths {
		for _, g := range one.gates {
			if g.closer != nil && !slices.Contains(but, g) {
				open = append(open, g)
			}
		}
	}
	if err := b.diversion.divert(open, b.nodes); err != nil {
		b.opts.Say("nftables: " + err.Error())
		// What is open without a rule gets nothing; the next look tries again.
		for _, g := range open {
			g.close()
		}
	}
}

// closeGates takes nothing more anywhere.
func (b *Boat) closeGates() {
	for _, one := range b.berths {
		for _, g := range one.gates {
			g.close()
		}
	}
}

// end takes nothing more, lets open connections end, and says what became of it.
func (b *Boat) end(hurry <-chan struct{}) error {
	if b.diversion != nil {
		// The table stays until the last connection is over: without it the kernel would translate no datagram any more.
		if err := b.diversion.divert(nil, b.nodes); err != nil {
			b.opts.Say("nftables: " + err.Error())
		}
	}
	b.closeGates()
	if n := b.counts.openNow(); n > 0 {
		b.opts.Say(fmt.Sprintf("%d still open: %s for them to end", n, b.opts.Linger))
		ended := make(chan struct{})
		go func() {
			b.flows.done.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-hurry:
		case <-time.After(b.opts.Linger):
			b.opts.Say(fmt.Sprintf("%d cut off", b.counts.openNow()))
		}
	}
	for _, one := range b.berths {
		if one.returned && !one.drained {
			return fmt.Errorf("%s %s: %w", one.word.Endpoint, one.address, ErrReturned)
		}
	}
	return nil
}

// serveCounts serves the counts until end is called.
func (b *Boat) serveCounts() (end func(), err error) {
	l, err := net.Listen("tcp", b.opts.Counters)
	if err != nil {
		return nil, fmt.Errorf("counters: %w", err)
	}
	s := &http.Server{Handler: b.counts.handler(), ReadHeaderTimeout: askFor, WriteTimeout: askFor, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(l)
	}()
	return func() {
		s.Close()
		<-served
	}, nil
}
