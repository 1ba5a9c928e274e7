package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

const (
	// beat is the longest that the schedule loop sleeps; stuck is the silence after which it counts as dead.
	beat  = time.Second
	stuck = 5 * time.Second
)

// A Sink receives observations. Observe must not block; it is called from many goroutines, but for one target never
// from two at once, and in order.
type Sink interface{ Observe(health.Observation) }

// Options are what a Prober needs.
type Options struct {
	// Sink is required by New; Once does not use it.
	Sink Sink
	// Logger and Registerer may be nil.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// MaxInFlight bounds the probes in flight, at least 1. *Default*: half of the process's limit of open files, 8192
	// at the most.
	MaxInFlight int
	// Seed makes the phases and the jitter of this node differ from those of others; the same seed makes the same
	// schedule.
	Seed uint64
	// Dial opens connections in place of the whole dialer: look-up, fence and source. For tests.
	Dial DialFunc
	// Resolver looks up named targets. *Default*: Go's own, by /etc/resolv.conf.
	Resolver Resolver
	// Source is where probes come from.
	Source Source
	// Allow opens prefixes that probes refuse by default: link-local, metadata services, multicast (fence.go).
	Allow []netip.Prefix
	// Forbidden is never dialled, whatever Allow says: what this node itself listens on for operators and other nodes. An unspecified address stands
	// for all addresses of this host.
	Forbidden []netip.AddrPort
	// AllowExec lets checks run programs.
	AllowExec bool
	// Lateness excuses probes that timed out while this process itself was late; nil for never.
	Lateness Lateness
	// Router tells whether there is a route to an address. *Default*: the kernel's word.
	Router Router
}

func (o *Options) validate() error {
	if o.Sink == nil {
		return errors.New("probe: no sink")
	}
	if o.MaxInFlight < 0 {
		return fmt.Errorf("probe: max in flight %d: want at least 1, or 0 for the default", o.MaxInFlight)
	}
	if v := o.Source.V4; v.IsValid() && !v.Is4() {
		return fmt.Errorf("probe: source %v is no IPv4 address", v)
	}
	if v := o.Source.V6; v.IsValid() && (!v.Is6() || v.Is4In6()) {
		return fmt.Errorf("probe: source %v is no IPv6 address", v)
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = defaultSlots()
	}
	if o.Router == nil {
		o.Router = hasRoute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// A Prober probes targets on a schedule.
type Prober struct {
	opts    Options
	log     *slog.Logger
	metrics *metrics
	dial    *dialer
	// make builds checkers; tests replace it before the first SetTargets.
	make func(*config.Check, *dialer) (checker, error)
	// slowSlots is how many slots targets may hold whose last probe failed late.
	slowSlots int

	// turned is when the schedule loop last turned, in nanoseconds after origin, plus 1; 0 while it does not run.
	turned atomic.Int64
	origin time.Time
	// onTurn is called in each turn of the loop, if tests set it.
	onTurn func()
	// wake tells the loop that something is due earlier than it thinks.
	wake chan struct{}
	// probes counts the goroutines of probes in flight.
	probes sync.WaitGroup

	// expired is what turn found without a report in its lease, for expire. Owned by the loop.
	expired []*entry
	// reporting is held while an observation of a pushed target is made and handed over, so that they come in order. It
	// is taken before mu.
	reporting sync.Mutex

	setting sync.Mutex // serialises SetTargets, is taken before mu, and guards checks
	checks  map[config.Hash]*prepared

	mu sync.Mutex // guards the rest
	// ctx is that of Run; nil before. stopped is set when Run ends.
	ctx     context.Context
	stopped bool
	// entries are by what they dial, byID by the targets that are told.
	entries map[health.Dial]*entry
	byID    map[health.TargetID]*entry
	// leaving holds entries that were removed while in flight, so that the same target cannot be probed twice at once.
	leaving map[health.Dial]*entry
	// generation counts calls of SetTargets.
	generation uint64
	agenda     agenda
	// fast and slow hold what is due and waits for a slot.
	fast, slow             fifo
	inFlight, slowInFlight int
	// shortLogged and lateLogged are when a shortage of this node, and that it is late, were last logged.
	shortLogged, lateLogged time.Time
	// lateAt is when a probe last did not count since this node was late, by lateBy.
	lateAt time.Time
	lateBy time.Duration
	reach  reach
}

// New makes a Prober. It probes nothing before Run.
func New(opts Options) (*Prober, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	p := &Prober{
		opts: opts, log: opts.Logger, dial: newDialer(opts), make: makeChecker,
		slowSlots: max(opts.MaxInFlight*3/4, 1),
		origin:    time.Now(),
		wake:      make(chan struct{}, 1),
		entries:   map[health.Dial]*entry{},
		byID:      map[health.TargetID]*entry{},
		leaving:   map[health.Dial]*entry{},
		checks:    map[config.Hash]*prepared{},
	}
	var err error
	if p.metrics, err = newMetrics(opts.Registerer, p.loopLag); err != nil {
		return nil, err
	}
	return p, nil
}

// Run probes until ctx ends, and returns nil when no goroutine of the prober is left. It runs once.
func (p *Prober) Run(ctx context.Context) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	defer p.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		case <-timer.C:
		}
		now := time.Now()
		p.turned.Store(int64(now.Sub(p.origin)) + 1)
		if p.onTurn != nil {
			p.onTurn()
		}
		rest := p.turn(now)
		p.expire(now)
		timer.Reset(rest)
	}
}

func (p *Prober) begin(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx != nil {
		return errors.New("probe: Run was called before")
	}
	p.ctx = ctx
	now := time.Now()
	p.turned.Store(int64(now.Sub(p.origin)) + 1)
	// Targets that were set before have waited for this moment.
	p.agenda = p.agenda[:0]
	p.enterLocked(slices.Collect(maps.Values(p.entries)), now)
	return nil
}

// end lets no probe start any more and waits for those in flight, which ctx has cut short.
func (p *Prober) end() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.probes.Wait()
	p.turned.Store(0)
}

// turn starts what is due at now, and returns how long the loop may sleep.
func (p *Prober) turn(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.agenda) > 0 && !p.agenda[0].next.After(now) {
		e := p.agenda.take()
		if e.push != nil {
			p.restLocked(e, now)
			continue
		}
		e.place = waiting
		if e.late {
			p.slow.add(e)
		} else {
			p.fast.add(e)
		}
		p.pumpLocked()
	}
	if len(p.agenda) == 0 {
		return beat
	}
	return min(p.agenda[0].next.Sub(now), beat)
}

// pumpLocked starts waiting targets while there are slots: first those whose last probe did not time out.
func (p *Prober) pumpLocked() {
	for !p.stopped && p.inFlight < p.opts.MaxInFlight {
		e := p.fast.take()
		if e == nil && p.slowInFlight < p.slowSlots {
			e = p.slow.take()
		}
		if e == nil {
			return
		}
		p.startLocked(e)
	}
}

func (p *Prober) startLocked(e *entry) {
	e.place = running
	p.inFlight++
	if e.late {
		p.slowInFlight++
	}
	p.metrics.inFlight.Inc()
	p.probes.Add(1)
	go p.run(e, e.target, e.check, e.late)
}

// silence is for how long the loop has not turned; ok is unset while it does not run.
func (p *Prober) silence() (d time.Duration, ok bool) {
	turned := p.turned.Load()
	return time.Since(p.origin) - time.Duration(turned-1), turned != 0
}

// loopLag is the silence beyond the longest rest of the loop, in seconds: 0 while all is well.
func (p *Prober) loopLag() float64 {
	silent, ok := p.silence()
	if !ok {
		return math.Inf(1)
	}
	return max(silent-beat, 0).Seconds()
}

// Alive is nil while the schedule loop turns; otherwise it says for how long it has been silent.
func (p *Prober) Alive() error {
	silent, ok := p.silence()
	switch {
	case !ok:
		return errors.New("probe loop does not run")
	case silent > stuck:
		return fmt.Errorf("probe loop stuck for %v", silent.Round(time.Second))
	}
	return nil
}
