package engine

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/state"
)

// fakeProber keeps what it was told; tests report for it.
type fakeProber struct {
	mu       sync.Mutex
	targets  []health.Target
	restored map[health.TargetID]health.State
	// late is how late the vantage is by itself; 0 for in time.
	late time.Duration
	// hastened counts the calls of Hasten.
	hastened int
}

func (p *fakeProber) Hasten() { p.hastened++ }

func (p *fakeProber) Late(time.Time) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.late, p.late > 0
}

func (p *fakeProber) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (p *fakeProber) Alive() error                  { return nil }

func (p *fakeProber) SetTargets(t []health.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets = t
}

func (p *fakeProber) Restore(id health.TargetID, s health.State, _ time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.restored == nil {
		p.restored = map[health.TargetID]health.State{}
	}
	p.restored[id] = s
	return true
}

func (p *fakeProber) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.targets)
}

// fakePublisher keeps all that was published. slow, if set, is how long a whole model takes to compile.
type fakePublisher struct {
	mu       sync.Mutex
	views    []*health.View
	prepared int
	lowered  [][]health.PoolHorizon
	flips    map[int]time.Time
	slow     time.Duration
	// ledger is the engine's; answered are the slots of what the last view answers.
	ledger   *ledger.Ledger
	answered map[ledger.Holding]ledger.Departed
}

func (p *fakePublisher) Prepare(*health.View) {
	time.Sleep(p.slow) // in a bubble
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prepared++
}

func (p *fakePublisher) Publish(v *health.View, lower []health.PoolHorizon) ledger.Swap {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.views = append(p.views, v)
	p.lowered = append(p.lowered, lower)
	p.move(lower)
	return p.swap(v)
}

// swap answers every service with what is eligible in its pools, and with all of a pool in which nothing is.
func (p *fakePublisher) swap(v *health.View) ledger.Swap {
	quiet := make(chan struct{})
	close(quiet)
	out := ledger.Swap{Quiet: quiet}
	if p.ledger == nil {
		return out
	}
	is := make(map[ledger.Holding]ledger.Departed)
	for _, zv := range v.Zones {
		for _, svc := range zv.Zone.Services {
			for _, pool := range svc.Pools {
				up := slices.ContainsFunc(zv.Pools[pool].Endpoints, health.EndpointView.Eligible)
				for i, e := range zv.Pools[pool].Endpoints {
					if e.Drained || up && !e.Eligible() {
						continue
					}
					h := ledger.Holding{Owner: svc.Name, RData: zv.Zone.Pools[pool].Endpoints[i].V4.String()}
					is[h] = ledger.Departed{Holding: h, Slot: p.ledger.Acquire(h.Key()), Service: svc.Name, Zone: zv.Zone, Pool: pool, Endpoint: i}
				}
			}
		}
	}
	for h, d := range is {
		if _, was := p.answered[h]; !was {
			out.Entered = append(out.Entered, d.Slot)
		}
	}
	for h, d := range p.answered {
		if _, stays := is[h]; !stays {
			out.Left = append(out.Left, d)
		}
	}
	p.answered = is
	return out
}

func (p *fakePublisher) Serves(_, service string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for h := range p.answered {
		if h.Owner == service {
			return true
		}
	}
	return false
}

func (p *fakePublisher) MoveHorizons(moves []health.PoolHorizon) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.move(moves)
}

func (p *fakePublisher) PlanHash() uint64 { return 0 }

func (p *fakePublisher) move(moves []health.PoolHorizon) {
	if p.flips == nil {
		p.flips = map[int]time.Time{}
	}
	for _, m := range moves {
		p.flips[m.Pool] = m.Flip
	}
}

func (p *fakePublisher) last() *health.View {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.views[len(p.views)-1]
}

func (p *fakePublisher) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.views)
}

// testZone is a pool of endpoints, one per address, in one AZ, and a service in horizon mode.
func testZone(name string, addresses ...string) *config.Zone {
	check := &config.Check{Name: "ready", Type: config.CheckTCP, Port: 80, Interval: 2 * time.Second, Timeout: time.Second, Fall: 3, Rise: 2}
	p := &config.Pool{Name: "web", Check: 0, AZWeights: []config.AZWeight{{AZ: 0}}, Services: []int{0}, Failbacks: []config.Failback{{Hold: 30 * time.Second}}}
	for _, a := range addresses {
		addr := netip.MustParseAddr(a)
		p.Endpoints = append(p.Endpoints, &config.Endpoint{Name: "e" + a, V4: addr, ProbeAddr: addr, Weight: 1})
	}
	svc := &config.Service{Name: "www." + name, Tiers: []config.Tier{{{Pool: 0, Weight: 1}}}, Pools: []int{0}, TTL: config.TTL{Mode: config.Horizon, Min: 2, Max: 30}}
	return &config.Zone{Name: name, AZs: []config.AZ{{Name: "eu-a"}}, Checks: []*config.Check{check}, Pools: []*config.Pool{p}, Services: []*config.Service{svc}, FileHash: config.Hash{byte(len(addresses))}, Hash: config.Hash{byte(len(addresses))}}
}

type bed struct {
	*Engine
	prober    *fakeProber
	publisher *fakePublisher
}

// start runs an engine in the bubble until the test ends.
func start(t *testing.T, opts Options) *bed {
	t.Helper()
	b, end := begin(t, opts)
	t.Cleanup(end)
	return b
}

// begin runs an engine in the bubble until end is called.
func begin(t *testing.T, opts Options) (b *bed, end func()) {
	t.Helper()
	b = &bed{prober: &fakeProber{}, publisher: &fakePublisher{slow: 3 * time.Second}}
	opts.Prober, opts.Publisher = b.prober, b.publisher
	opts.Ledger = ledger.New(time.Now())
	b.publisher.ledger = opts.Ledger
	if opts.MaxTTL == nil {
		// The first start, and nothing was answered before.
		opts.MaxTTL = new(time.Duration)
	}
	var err error
	b.Engine, err = New(opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	return b, func() {
		cancel()
		require.NoError(t, <-done)
	}
}

// tell reports on a target.
func (b *bed) tell(target health.Target, state health.State, failures int) {
	o := health.Observation{Target: target.ID, State: state, Failures: failures, At: time.Now(), Next: time.Now().Add(2 * time.Second)}
	if failures > 0 {
		o.Reason = "refused"
	}
	b.Observe(o)
	synctest.Wait()
}

// report reports on the endpoint with the given address of the zone's pool.
func (b *bed) report(z *config.Zone, i int, state health.State, failures int) {
	b.tell(health.TargetOf(z.Name, z.Checks[0], z.Pools[0].Endpoints[i]), state, failures)
}

func stateOf(v *health.View, i int) health.State { return v.Zones[0].Pools[0].Endpoints[i].State }

func TestPublishesOnlyWhatMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		require.Equal(t, 1, b.publisher.count(), "the first view is there before Run")
		require.Equal(t, health.Unknown, stateOf(b.View(), 0))
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Up, 0)
		require.Equal(t, 3, b.publisher.count())
		b.report(z, 0, health.Up, 0)
		require.Equal(t, 3, b.publisher.count(), "the same again is no news")
		b.report(z, 0, health.Up, 1)
		require.Equal(t, health.Suspect, stateOf(b.View(), 0))
		b.report(z, 0, health.Down, 3)
		require.Equal(t, health.Down, stateOf(b.View(), 0))
		require.Equal(t, "refused", b.View().Zones[0].Pools[0].Endpoints[0].Reason)
		require.Equal(t, b.publisher.last(), b.View())
	})
}

func TestHorizon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Up, 0)
		next := time.Now().Add(2 * time.Second)
		require.Equal(t, next.Add(2*1800*time.Millisecond), b.publisher.flips[0], "next start + (fall - 1) shortest intervals")
		b.report(z, 0, health.Up, 1)
		require.Equal(t, next.Add(1800*time.Millisecond), b.publisher.flips[0], "a failure brings the flip nearer")
		lowered := b.publisher.lowered[len(b.publisher.lowered)-1]
		require.Equal(t, []health.PoolHorizon{{Flip: next.Add(1800 * time.Millisecond)}}, lowered, "before the view is served")
		b.report(z, 0, health.Down, 3)
		require.Equal(t, next.Add(2*1800*time.Millisecond), b.publisher.flips[0], "what is down cannot flip")
	})
}

func TestObservationsGoStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		b.report(z, 0, health.Up, 0)
		time.Sleep(4900 * time.Millisecond)
		synctest.Wait()
		require.False(t, b.View().Zones[0].Pools[0].Endpoints[0].Stale)
		time.Sleep(1200 * time.Millisecond)
		synctest.Wait()
		e := b.View().Zones[0].Pools[0].Endpoints[0]
		require.True(t, e.Stale, "nobody probed for two intervals and a timeout")
		require.Equal(t, health.Up, e.State, "and the verdict stays")
	})
}

func TestHoldEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		b.report(z, 0, health.Up, 0)
		b.report(z, 0, health.Down, 3)
		b.report(z, 0, health.Up, 0)
		returned := time.Now()
		require.Equal(t, returned, b.View().Zones[0].Pools[0].Return.Since)
		for range 30 {
			time.Sleep(time.Second)
			b.report(z, 0, health.Up, 0)
		}
		time.Sleep(tick)
		synctest.Wait()
		require.True(t, b.View().Zones[0].Pools[0].Return.Since.IsZero())
	})
}

func TestNewModelIsCompiledBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Up, 0)
		wider := testZone("example.org.", "192.0.2.1", "192.0.2.2", "192.0.2.3")
		b.SetModel(config.NewModel([]*config.Zone{wider}))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Len(t, b.View().Zones[0].Pools[0].Endpoints, 2, "still compiling")
		require.Equal(t, 3, b.prober.count(), "the new endpoint is probed meanwhile")
		b.report(z, 1, health.Down, 3)
		require.Equal(t, health.Down, stateOf(b.View(), 1), "verdicts go on meanwhile")
		time.Sleep(3 * time.Second)
		synctest.Wait()
		v := b.View()
		require.Len(t, v.Zones[0].Pools[0].Endpoints, 3)
		require.Equal(t, []health.State{health.Up, health.Down, health.Unknown}, []health.State{stateOf(v, 0), stateOf(v, 1), stateOf(v, 2)})
		narrow := testZone("example.org.", "192.0.2.2")
		b.SetModel(config.NewModel([]*config.Zone{narrow}))
		time.Sleep(4 * time.Second)
		synctest.Wait()
		require.Equal(t, health.Down, stateOf(b.View(), 0), "a verdict follows its endpoint, not its place in the file")
		require.Equal(t, 1, b.prober.count())
	})
}

func TestRestartKeepsVerdicts(t *testing.T) {
	dir := t.TempDir()
	z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
	opts := Options{Model: config.NewModel([]*config.Zone{z}), State: dir}
	// Every bubble begins at the same instant; a later run sleeps first.
	run := func(name string, after time.Duration, f func(*testing.T, *bed)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(after)
				f(t, start(t, opts))
			})
		})
	}
	run("first", 0, func(t *testing.T, b *bed) {
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Down, 3)
		time.Sleep(2 * time.Second)
	})
	run("soon after", time.Minute, func(t *testing.T, b *bed) {
		e := b.View().Zones[0].Pools[0].Endpoints
		require.Equal(t, []health.State{health.Up, health.Down}, []health.State{e[0].State, e[1].State})
		require.True(t, e[0].Stale)
		require.Len(t, b.prober.restored, 2)
		b.report(z, 0, health.Up, 0)
		require.False(t, b.View().Zones[0].Pools[0].Endpoints[0].Stale)
	})
	run("too late", 2*time.Hour, func(t *testing.T, b *bed) {
		require.Equal(t, health.Unknown, stateOf(b.View(), 0))
	})
}

func TestTornStateIsIgnored(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "torn": `{"version":2,"endpoints":{"00`, "other version": `{"version":9}`, "not an id": `{"version":2,"endpoints":{"a/b/c":{"targets":["xx"],"state":"up"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, state.FileName), []byte(content), 0o600))
			synctest.Test(t, func(t *testing.T) {
				b := start(t, Options{Model: config.NewModel([]*config.Zone{testZone("example.org.", "192.0.2.1")}), State: dir})
				require.Equal(t, health.Unknown, stateOf(b.View(), 0))
			})
		})
	}
}
