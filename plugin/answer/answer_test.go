package answer

import (
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

var base = time.Now()

// testZone has two pools of two endpoints, 40:60 in the first, and services over both.
func testZone() *config.Zone {
	check := &config.Check{Interval: 2 * time.Second, Timeout: time.Second, Fall: 3}
	pool := func(n int, weights ...int) *config.Pool {
		p := &config.Pool{Name: fmt.Sprintf("p%d", n), AZWeights: []config.AZWeight{{AZ: 0}}}
		for i, w := range weights {
			a := netip.AddrFrom4([4]byte{192, 0, 2, byte(10*n + i)})
			p.Endpoints = append(p.Endpoints, &config.Endpoint{Name: fmt.Sprintf("e%d", i), Weight: w, V4: a, V6: netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", 16*n+i))})
		}
		return p
	}
	z := &config.Zone{
		Name: "example.org.", SOA: config.SOA{MName: "ns1.example.org.", RName: "hostmaster.example.org.", Serial: 7, NegativeTTL: 10, TTL: 10, Refresh: 7200, Retry: 3600, Expire: 1209600},
		NameServers: []config.NameServer{{Name: "ns1.example.org.", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.53")}}}, NSTTL: 3600,
		Checks: []*config.Check{check}, Pools: []*config.Pool{pool(1, 40, 60), pool(2, 1, 1)},
	}
	add := func(s config.Service) {
		for _, t := range s.Tiers {
			for _, share := range t {
				s.Pools = append(s.Pools, share.Pool)
				p := z.Pools[share.Pool]
				p.Services = append(p.Services, len(z.Services))
			}
		}
		z.Services = append(z.Services, &s)
	}
	one := func(pools ...int) (tiers []config.Tier) {
		for _, p := range pools {
			tiers = append(tiers, config.Tier{{Pool: p, Weight: 1}})
		}
		return tiers
	}
	ceiling, horizon := config.TTL{Mode: config.Ceiling, Min: 2, Max: 30}, config.TTL{Mode: config.Horizon, Min: 2, Max: 30}
	add(config.Service{Name: "www.example.org.", Tiers: one(0), Answers: 1, TTL: ceiling})
	add(config.Service{Name: "near.example.org.", Tiers: one(0), Answers: 1, TTL: horizon})
	add(config.Service{Name: "other.example.org.", Tiers: one(1), Answers: 1, TTL: ceiling})
	add(config.Service{Name: "all.example.org.", Tiers: one(1), TTL: ceiling})
	add(config.Service{Name: "*.apps.example.org.", Tiers: one(0, 1), Answers: 1, TTL: ceiling})
	return z
}

// viewOf reads a word per pool, a letter per endpoint: U up, S suspect, D down.
func viewOf(z *config.Zone, model *config.Model, prev *health.View, at time.Time, states ...string) *health.View {
	zv := &health.ZoneView{Zone: z}
	for i, word := range states {
		p := &health.PoolView{At: at, Calm: true}
		for _, c := range word {
			s := map[rune]health.State{'U': health.Up, 'S': health.Suspect, 'D': health.Down}[c]
			p.Endpoints = append(p.Endpoints, health.EndpointView{Verdict: health.Verdict{State: s, Since: base}})
			p.Calm = p.Calm && s != health.Suspect
		}
		if prev != nil {
			// As the engine does: a pool that did not change keeps its view.
			if was := prev.Zones[0].Pools[i]; fmt.Sprint(was.Endpoints) == fmt.Sprint(p.Endpoints) {
				p = was
			}
		}
		zv.Pools = append(zv.Pools, p)
	}
	return &health.View{At: at, Model: model, Zones: []*health.ZoneView{zv}}
}

type fixture struct {
	zone     *config.Zone
	model    *config.Model
	compiler *Compiler
	snap     *Snapshot
}

func newFixture(states ...string) *fixture {
	f := &fixture{zone: testZone(), compiler: NewCompiler("n1", base)}
	f.model = config.NewModel([]*config.Zone{f.zone})
	f.snap = f.compiler.Compile(nil, viewOf(f.zone, f.model, nil, base, states...))
	return f
}

func (f *fixture) move(at time.Time, states ...string) {
	f.snap = f.compiler.Compile(f.snap, viewOf(f.zone, f.model, f.snap.View, at, states...))
}

func question(name string, qtype uint16) *Question {
	return &Question{ID: 1, Name: mustPackName(name), Type: qtype, Class: classIN, Size: 512}
}

func (f *fixture) ask(t testing.TB, name string, qtype uint16, at time.Time) *dns.Msg {
	t.Helper()
	return f.reply(t, question(name, qtype), at)
}

func (f *fixture) reply(t testing.TB, q *Question, at time.Time) *dns.Msg {
	t.Helper()
	b, info, ok := f.snap.AppendAt(nil, q, at)
	require.True(t, ok)
	m := new(dns.Msg)
	require.NoError(t, m.Unpack(b))
	require.Equal(t, info.RCode, m.Rcode)
	return m
}

func TestSplitIsExact(t *testing.T) {
	f := newFixture("UU", "UU")
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 125 {
				a := f.ask(t, "www.example.org.", dns.TypeA, base)
				six := f.ask(t, "WWW.example.org.", dns.TypeAAAA, base)
				mu.Lock()
				got[a.Answer[0].(*dns.A).A.String()]++
				got[six.Answer[0].(*dns.AAAA).AAAA.String()]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Equal(t, map[string]int{"192.0.2.10": 800, "192.0.2.11": 1200, "2001:db8::10": 800, "2001:db8::11": 1200}, got)
}

func TestAnswersAll(t *testing.T) {
	f := newFixture("UU", "UU")
	m := f.ask(t, "all.example.org.", dns.TypeA, base)
	require.Len(t, m.Answer, 2)
	require.Equal(t, "all.example.org.\t30\tIN\tA\t192.0.2.20", m.Answer[0].String())
}

func TestNeighbours(t *testing.T) {
	f := newFixture("UU", "UU")
	f.zone.Services[0].Answers = 2
	f.zone.Pools[0].Endpoints = append(f.zone.Pools[0].Endpoints, &config.Endpoint{Name: "e2", Weight: 50, V4: netip.MustParseAddr("192.0.2.12")})
	f.snap = f.compiler.Compile(nil, viewOf(f.zone, f.model, nil, base, "UUU", "UU"))
	sets := map[string]bool{}
	for range 30 {
		m := f.ask(t, "www.example.org.", dns.TypeA, base)
		require.Len(t, m.Answer, 2)
		sets[m.Answer[0].(*dns.A).A.String()+" "+m.Answer[1].(*dns.A).A.String()] = true
	}
	require.Equal(t, map[string]bool{"192.0.2.10 192.0.2.11": true, "192.0.2.11 192.0.2.12": true, "192.0.2.12 192.0.2.10": true}, sets,
		"m members make at most m sets")
}

// TestCompileSharesWhatDidNotChange is the promise that a verdict recompiles only what depends on it.
func TestCompileSharesWhatDidNotChange(t *testing.T) {
	f := newFixture("UU", "UU")
	before := f.snap.zones[0]
	f.move(base, "UU", "UD")
	after := f.snap.zones[0]
	require.Same(t, before.index, after.index)
	require.Same(t, before.services[0], after.services[0])
	require.NotSame(t, before.services[2], after.services[2])
	require.Same(t, before.services[2].plans[0].sets[0].turn, after.services[2].plans[0].sets[0].turn)
	again := f.snap.zones[0]
	f.move(base, "SU", "UD")
	require.Same(t, again.services[0], f.snap.zones[0].services[0], "suspicion moves the TTL, not the plan")
}

func TestReloadKeepsTicketsAndCounters(t *testing.T) {
	f := newFixture("UU", "UU")
	for range 3 {
		f.ask(t, "www.example.org.", dns.TypeA, base)
	}
	z := testZone()
	model := config.NewModel([]*config.Zone{z})
	snap := f.compiler.Compile(f.snap, viewOf(z, model, nil, base, "UU", "UU"))
	require.Equal(t, uint64(3), snap.zones[0].services[0].plans[0].sets[0].turn.next())
	require.Equal(t, f.snap.zones[0].services[0].plans[0].sets[0].base, snap.zones[0].services[0].plans[0].sets[0].base, "the order goes on")
	require.Equal(t, uint64(3), snap.zones[0].counters.Total(Answered))
	require.Zero(t, snap.zones[0].services[0].ttl.floorUntil, "a reload that changes nothing shortens no TTL")
}

func TestTTL(t *testing.T) {
	at := func(s float64) time.Time { return base.Add(time.Duration(s * float64(time.Second))) }
	f := newFixture("UU", "UU")
	ttl := func(name string, s float64) int { return int(f.ask(t, name, dns.TypeA, at(s)).Answer[0].Header().Ttl) }
	require.Equal(t, 30, ttl("www.example.org.", 0), "peace")
	require.Equal(t, 2, ttl("near.example.org.", 0), "no horizon yet: the floor")
	f.snap.MoveHorizons([]health.PoolHorizon{{Pool: 0, Flip: at(9)}})
	for s, want := range map[float64]int{0: 8, 0.9: 8, 1.1: 6, 3: 6, 3.5: 5, 6: 3, 7.5: 2, 20: 2} {
		require.Equal(t, want, ttl("near.example.org.", s), "%v s, flip at 9 s", s)
	}
	f.snap.MoveHorizons([]health.PoolHorizon{{Pool: 0}})
	require.Equal(t, 30, ttl("near.example.org.", 0), "nothing can flip")
	f.move(at(10), "SU", "UU")
	require.Equal(t, 2, ttl("www.example.org.", 10), "a member is suspect")
	require.Equal(t, 30, ttl("other.example.org.", 10), "the other pool's names are not concerned")
	f.move(at(12), "DU", "UU")
	require.Equal(t, 2, ttl("www.example.org.", 12), "a fresh change")
	require.Equal(t, 2, ttl("www.example.org.", 41.9), "for one ttl.max")
	require.Equal(t, 30, ttl("www.example.org.", 42), "then peace again")
	require.Equal(t, f.ask(t, "x.apps.example.org.", dns.TypeA, at(12)).Answer[0].Header().Ttl, f.ask(t, "x.apps.example.org.", dns.TypeAAAA, at(12)).Answer[0].Header().Ttl)
}

func TestQuietAfterTheLastReader(t *testing.T) {
	var c Current
	f := newFixture("UU", "UU")
	require.Nil(t, c.Enter(0).Snapshot)
	<-c.Swap(f.snap)
	a, b := c.Enter(1), c.Enter(2)
	quiet := c.Swap(f.snap)
	isQuiet := func() bool {
		select {
		case <-quiet:
			return true
		default:
			return false
		}
	}
	require.False(t, isQuiet())
	a.Leave()
	later := c.Enter(1)
	require.False(t, isQuiet(), "one reader is left; the later one uses the newer snapshot")
	b.Leave()
	require.True(t, isQuiet())
	later.Leave()
}

func TestQuietUnderLoad(t *testing.T) {
	var c Current
	f := newFixture("UU", "UU")
	c.Swap(f.snap)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					l := c.Enter(uint32(i))
					runtime.Gosched() // lets a swap come in between
					l.Leave()
				}
			}
		})
	}
	for range 500 {
		<-c.Swap(f.snap)
	}
	close(stop)
	wg.Wait()
}

func TestAppendDoesNotAllocate(t *testing.T) {
	f := newFixture("UU", "UU")
	q := question("www.example.org.", dns.TypeA)
	buf := make([]byte, 0, 512)
	require.Zero(t, testing.AllocsPerRun(1000, func() { f.snap.AppendAt(buf, q, base) }))
	no := question("no.such.name.example.org.", dns.TypeA)
	require.Zero(t, testing.AllocsPerRun(1000, func() { f.snap.AppendAt(buf, no, base) }))
}

func BenchmarkAppend(b *testing.B) {
	f := newFixture("UU", "UU")
	q := question("www.example.org.", dns.TypeA)
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		f.snap.AppendAt(buf, q, base)
	}
}

func BenchmarkUpdate(b *testing.B) {
	z := testZone()
	for i := range 10000 {
		z.Services = append(z.Services, &config.Service{Name: fmt.Sprintf("s%d.example.org.", i), Tiers: z.Services[2].Tiers, Pools: []int{1}, Answers: 1})
	}
	model := config.NewModel([]*config.Zone{z})
	c := NewCompiler("n1", base)
	views := []*health.View{viewOf(z, model, nil, base, "UU", "UU")}
	views = append(views, viewOf(z, model, views[0], base, "UD", "UU"))
	s := c.Compile(nil, views[0])
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i ^= 1
		s = c.Compile(s, views[i])
	}
}
