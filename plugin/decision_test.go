package fairlead

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// decisionZone has two pools of two AZs; ref is a reference of the vantage.
const decisionZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a, us-b]}}
checks:
  ready: {type: tcp, port: 80, interval: 2s, timeout: 1s, fall: 3, rise: 2}
pools:
  eu: {region: eu, check: ready, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}, {name: b, addresses: [192.0.2.2], az: eu-b}]}
  us: {region: us, check: ready, endpoints: [{name: c, addresses: [192.0.2.3], az: us-a}, {name: d, addresses: [192.0.2.4], az: us-b}]}
services:
  www: {tiers: [{eu: 1}, {us: 1}], ttl: {max: 30s, min: 2s}, failback: {hold: 10s}}
  near: {tiers: [{eu: 1}, {us: 1}], ttl: {mode: horizon, max: 30s, min: 2s}, failback: {hold: 0s}}
`

// A row is one instant: what is reported then, and what must hold after it. Reports are a letter for each of a, b, c, d: U
// up, 1 and 2 up with so many failures, D down, - nothing yet, . silence. States likewise, in lower case when stale, ? for
// pending. The set is who answers www, the TTLs are those of www and near, settle after the reports.
type row struct {
	name    string
	at      float64
	reports string
	states  string
	set     string
	ttl     uint32
	near    uint32
}

var decisions = []struct {
	name string
	rows []row
}{
	{"cold start", []row{
		{"nothing is known: everybody of the first tier, at the floor", 0, "----", "????", "ab", 2, 2},
		{"the first one up shares with the one of which nothing is known", 0.1, "U---", "U???", "ab", 2, 2},
		{"then the other", 0.2, "UU--", "UU??", "ab", 2, 5},
		{"a standby that is not judged troubles the TTL", 0.3, "UUU-", "UUU?", "ab", 2, 5},
		{"all are judged, and what is answered is what was: peace", 0.4, "UUUU", "UUUU", "ab", 30, 5},
		{"one ttl.max later too", 33, "UUUU", "UUUU", "ab", 30, 5},
	}},
	{"one endpoint dies", []row{
		{"peace", 0, "UUUU", "UUUU", "ab", 30, 5},
		{"the first failure: suspect, the floor", 2, "1UUU", "SUUU", "ab", 2, 3},
		{"the second", 4, "2UUU", "SUUU", "ab", 2, 2},
		{"the third: out", 6, "DUUU", "DUUU", "b", 2, 5},
		{"the change is fresh for one ttl.max", 35.5, "DUUU", "DUUU", "b", 2, 5},
		{"then peace without it", 36, "DUUU", "DUUU", "b", 30, 5},
	}},
	{"a failure that was none", []row{
		{"peace", 0, "UUUU", "UUUU", "ab", 30, 5},
		{"suspect", 2, "1UUU", "SUUU", "ab", 2, 3},
		{"well again: peace at once, for nothing changed", 4, "UUUU", "UUUU", "ab", 30, 5},
	}},
	{"a standby fails", []row{
		{"peace", 0, "UUUU", "UUUU", "ab", 30, 5},
		{"its suspicion counts too: it could be returned", 2, "UU1U", "UUSU", "ab", 2, 3},
		{"it is out, and nothing moved for www", 6, "UUDU", "UUDU", "ab", 30, 5},
	}},
	{"an AZ returns", []row{
		{"peace", 0, "UUUU", "UUUU", "ab", 30, 5},
		{"it leaves", 2, "DUUU", "DUUU", "b", 2, 5},
		{"it is up, and held for 10 s", 6, "UUUU", "UUUU", "b", 2, 5},
		{"the hold runs", 15.5, "UUUU", "UUUU", "b", 2, 5},
		{"the hold has passed", 16, "UUUU", "UUUU", "ab", 2, 5},
	}},
	{"an AZ fails in its hold", []row{
		{"peace", 0, "UUUU", "UUUU", "ab", 30, 5},
		{"it leaves", 2, "DUUU", "DUUU", "b", 2, 5},
		{"it is up", 6, "UUUU", "UUUU", "b", 2, 5},
		{"and down again", 10, "DUUU", "DUUU", "b", 2, 5},
		{"and up: the hold begins anew", 14, "UUUU", "UUUU", "b", 2, 5},
		{"ten seconds after the first return it is still held", 17, "UUUU", "UUUU", "b", 2, 5},
		{"ten seconds after the second it answers", 24, "UUUU", "UUUU", "ab", 2, 5},
	}},
	{"the first tier fails, and returns", []row{
		{"peace", 0, "UUUU", "UUUU", "ab", 30, 5},
		{"both are down: a whole pool may leave while another stands", 2, "DDUU", "DDUU", "cd", 2, 5},
		{"one is back: the pool is held", 6, "UDUU", "UDUU", "cd", 2, 5},
		{"the standby dies in the hold: held is better than nothing", 8, "UDDD", "UDDD", "a", 2, 5},
	}},
	{"everything fails at once", []row{
		{"peace", 0, "UUUU", "UUUU", "ab", 30, 5},
		{"the speed limit lets one go and keeps the rest", 2, "DDDD", "DDDD", "b", 2, 2},
		{"a minute later it lets go: the last set answers", 62.5, "DDDD", "DDDD", "ab", 2, 2},
		{"one is back and answers at once", 64, "DUDD", "DUDD", "b", 2, 5},
	}},
	{"the prober falls silent", []row{
		{"peace", 0, "UUDU", "UUDU", "ab", 30, 5},
		{"for two intervals nothing is wrong", 4.5, "....", "UUDU", "ab", 30, 2},
		{"then verdicts stay and are stale", 6.1, "....", "uudu", "ab", 2, 2},
		{"it speaks again", 10, "UUDU", "UUDU", "ab", 30, 5},
	}},
}

// TestDecisions is the timeline of every decision from an observation to the TTL, on the production code.
func TestDecisions(t *testing.T) {
	for _, tt := range decisions {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newDecisionBed(t).play(tt.rows) })
		})
	}
}

type decisionBed struct {
	t       *testing.T
	zone    *config.Zone
	engine  *engine.Engine
	current *answer.Current
	began   time.Time
}

// stillProber probes nothing: the test reports.
type stillProber struct{}

func (stillProber) Run(ctx context.Context) error                         { <-ctx.Done(); return nil }
func (stillProber) SetTargets([]health.Target)                            {}
func (stillProber) Restore(health.TargetID, health.State, time.Time) bool { return true }
func (stillProber) Alive() error                                          { return nil }

func newDecisionBed(t *testing.T) *decisionBed {
	zone, problems := config.Parse("zone.yaml", []byte(decisionZone), config.ParseOptions{})
	require.NoError(t, problems.Err())
	b := &decisionBed{t: t, zone: zone, current: new(answer.Current), began: time.Now()}
	var err error
	compiler := answer.NewCompiler("n1", b.began)
	b.engine, err = engine.New(engine.Options{
		Publisher: &answer.Publisher{Compiler: compiler, Current: b.current}, Ledger: compiler.Ledger(), MaxTTL: new(time.Duration),
		Prober: stillProber{}, Model: config.NewModel([]*config.Zone{zone}),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return b
}

// play goes through rows. A scenario that begins in peace has had half a minute of it before.
func (b *decisionBed) play(rows []row) {
	if rows[0].reports != "----" {
		for range 31 {
			b.report(rows[0].reports)
			time.Sleep(time.Second)
		}
		b.began = time.Now()
	}
	last := rows[0].reports
	for _, r := range rows {
		// What was reported last is reported again and again until something else is.
		for time.Since(b.began).Seconds() < r.at {
			if !strings.Contains(r.reports, ".") {
				b.report(last)
			}
			time.Sleep(min(time.Second, time.Until(b.began.Add(time.Duration(r.at*float64(time.Second))))))
		}
		b.report(r.reports)
		b.check(r)
		last = r.reports
	}
}

func (b *decisionBed) report(letters string) {
	for i, letter := range letters {
		e := b.zone.Pools[i/2].Endpoints[i%2]
		o := health.Observation{Target: health.TargetOf(b.zone.Name, b.zone.Checks[0], e).ID, At: time.Now(), Next: time.Now().Add(2 * time.Second), State: health.Up}
		switch letter {
		case '-', '.':
			continue
		case 'D':
			o.State, o.Failures = health.Down, 3
		case '1', '2':
			o.Failures = int(letter - '0')
		}
		if o.Failures > 0 {
			o.Reason = "connection refused"
		}
		b.engine.Observe(o)
	}
	synctest.Wait()
}

// settle is a little more than the engine's tick, at which horizons move and holds end.
const settle = 300 * time.Millisecond

func (b *decisionBed) check(r row) {
	b.t.Helper()
	time.Sleep(settle) // in a bubble
	synctest.Wait()
	view, snap, now := b.engine.View(), b.current.Load(), time.Now()
	states, set := "", []string{}
	for _, p := range view.Zones[0].Pools {
		for _, e := range p.Endpoints {
			letter := map[health.State]string{health.Unknown: "?", health.Up: "U", health.Suspect: "S", health.Down: "D"}[e.State]
			if e.Stale {
				letter = strings.ToLower(letter)
			}
			states += letter
		}
	}
	plan := snap.Plan(b.zone, 0)
	for _, m := range plan.Sets[0] {
		set = append(set, b.zone.Pools[m.Pool].Endpoints[m.Endpoint].Name)
	}
	slices.Sort(set)
	ttl, _ := snap.ServiceTTL(b.zone, 0, now)
	near, _ := snap.ServiceTTL(b.zone, 1, now)
	got := fmt.Sprintf("%s %s ttl %d near %d", states, strings.Join(set, ""), ttl, near)
	want := fmt.Sprintf("%s %s ttl %d near %d", r.states, r.set, r.ttl, r.near)
	if want != got {
		b.t.Errorf("at %v s, %s:\n got %s\nwant %s", r.at, r.name, got, want)
	}
}
