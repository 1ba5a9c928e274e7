package fairlead

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns/coredns/plugin/pkg/fall"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// historyZone has something of everything that decides: composites, needs, a gate, weights of 0, families, policies.
const historyZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a, us-b]}}
checks:
  ready: {type: tcp, port: 80, interval: 2s, timeout: 1s, fall: 3, rise: 2}
  deep: {type: tcp, port: 81, interval: 2s, timeout: 1s, fall: 2, rise: 1}
  db: {type: tcp, address: 192.0.2.77, port: 5432, interval: 2s, timeout: 1s, fall: 3, rise: 2}
  either: {any: [ready, deep]}
  closed: {not: deep}
pools:
  plain: {region: eu, check: ready, endpoints: [
    {name: a, addresses: [192.0.2.1], az: eu-a, weight: 3}, {name: b, addresses: [192.0.2.2], az: eu-b}, {name: zero, addresses: [192.0.2.3], az: eu-b, weight: 0}]}
  mixed: {region: us, check: either, needs: [db], az_weights: {us-a: 40, us-b: 60}, min_healthy: 2, endpoints: [
    {name: a, addresses: [192.0.2.11, "2001:db8::11"], az: us-a}, {name: b, addresses: ["2001:db8::12"], az: us-b}, {name: c, addresses: [192.0.2.13], az: us-b}]}
  gated: {region: us, check: ready, gate: closed, endpoints: [{name: a, addresses: [192.0.2.21], az: us-a}, {name: b, addresses: [192.0.2.22], az: us-b}]}
services:
  www: {tiers: [{plain: 70, mixed: 30}, {gated: 1}], failback: {hold: 10s}}
  near: {tiers: [{plain: 1}, {gated: 1}, {mixed: 1}], ttl: {mode: horizon}, failback: {hold: 0s}, on_all_down: all}
  alone: {tiers: [{plain: 1}], failback: {hold: 20s}, health: {panic_below: 60%}}
  six: {tiers: [{mixed: 1}], on_all_down: nodata, health: {max_removal: 100%}}
  behind: {tiers: [{gated: 1}]}
`

// settleTime is longer than every hold, the removal window and the distrust after blindness.
const settleTime = 75 * time.Second

// A historian is one node that hears what the test makes up.
type historian struct {
	*answer.Publisher
	t      *testing.T
	zone   *config.Zone
	engine *engine.Engine
	h      *Handler
	heard  map[health.TargetID]health.Observation

	mu sync.Mutex
	// views are those published since the last look; guarded by mu.
	views []*health.View
}

func newHistorian(t *testing.T, z *config.Zone) *historian {
	current := new(answer.Current)
	n := &historian{t: t, zone: z, heard: make(map[health.TargetID]health.Observation), Publisher: &answer.Publisher{Compiler: answer.NewCompiler("n1", time.Now()), Current: current}}
	n.h = &Handler{directive: &directive{origins: []string{"."}, fall: fall.F{}}}
	n.h.serve(&testBackend{current: current})
	var err error
	n.engine, err = engine.New(engine.Options{Publisher: n, Ledger: n.Compiler.Ledger(), MaxTTL: new(time.Duration), Prober: stillProber{}, Model: config.NewModel([]*config.Zone{z}), References: []health.Target{timelineReference}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return n
}

func (n *historian) Publish(v *health.View, lower []health.PoolHorizon) ledger.Swap {
	n.mu.Lock()
	n.views = append(n.views, v)
	n.mu.Unlock()
	return n.Publisher.Publish(v, lower)
}

// published are the views since the last call.
func (n *historian) published() []*health.View {
	n.mu.Lock()
	defer n.mu.Unlock()
	views := n.views
	n.views = nil
	return views
}

// historyTargets are all that is dialled, in a fixed order.
func historyTargets(z *config.Zone) []health.TargetID {
	var ids []health.TargetID
	for _, p := range z.Pools {
		for _, e := range p.Endpoints {
			for _, leaf := range judge.Leaves(z, p) {
				for _, target := range health.TargetsOf(z.Name, z.Checks[leaf], e) {
					if !slices.Contains(ids, target.ID) {
						ids = append(ids, target.ID)
					}
				}
			}
		}
	}
	return ids
}

// randomObservation is anything that a prober could say now of a target that has been decided.
func randomObservation(r *rand.Rand, id health.TargetID) health.Observation {
	o := health.Observation{Target: id, At: time.Now(), Next: time.Now().Add(2 * time.Second)}
	switch r.IntN(4) {
	case 0:
		o.State, o.Failures, o.Reason = health.Up, 1, "refused"
	case 1:
		o.State, o.Failures, o.Reason = health.Down, 3, "refused"
	case 2:
		o.State, o.Successes = health.Down, 1
	default:
		o.State, o.Successes = health.Up, 2
	}
	return o
}

// hear reports in the given order; together leaves it to the engine how many are folded at once.
func (n *historian) hear(obs []health.Observation, together bool) {
	for _, o := range obs {
		n.heard[o.Target] = o
		n.engine.Observe(o)
		if !together {
			synctest.Wait()
		}
	}
	synctest.Wait()
}

func parseHistoryZone(t *testing.T) *config.Zone {
	z, problems := config.Parse("zone.yaml", []byte(historyZone), config.ParseOptions{})
	require.NoError(t, problems.Err())
	return z
}

// TestNoFlipWithoutCause: an endpoint crosses between in and out of service only in a step in which one of its leaves was
// heard to change or had gone stale before, or the vantage was blind a moment ago or the freeze was changed.
func TestNoFlipWithoutCause(t *testing.T) {
	for seed := range suite.Cases(12, 2) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			z := parseHistoryZone(t)
			n := newHistorian(t, z)
			ids := historyTargets(z)
			troubled := seed%2 == 1
			excused := time.Time{}
			last := n.engine.View()
			for range 150 {
				causes := n.step(r, ids)
				if troubled && n.disturb(r) {
					excused = time.Now().Add(15 * time.Second)
				}
				synctest.Wait()
				for _, v := range n.published() {
					if !time.Now().Before(excused) {
						n.requireCauses(last, v, causes)
					}
					last = v
				}
				n.requireAnswers()
			}
		})
	}
}

// step lets up to three seconds pass and some targets be heard; causes are those that gave a cause for a flip.
func (n *historian) step(r *rand.Rand, ids []health.TargetID) (causes map[health.TargetID]bool) {
	time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond) // in a bubble
	synctest.Wait()
	causes = make(map[health.TargetID]bool)
	var batch []health.Observation
	for _, id := range ids {
		was, known := n.heard[id]
		stale := !known || time.Since(was.At) >= 5*time.Second
		o := was
		o.At, o.Next = time.Now(), time.Now().Add(2*time.Second)
		if r.IntN(12) == 0 || !known && r.IntN(3) == 0 {
			o = randomObservation(r, id)
		} else if !known || r.IntN(6) == 0 {
			causes[id] = stale
			continue
		}
		causes[id] = stale || o.State != was.State
		batch = append(batch, o)
	}
	r.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	n.hear(batch, r.IntN(2) == 0)
	return causes
}

// disturb now and then turns the reference or the freeze; it tells whether either is in the way of verdicts.
func (n *historian) disturb(r *rand.Rand) bool {
	switch o := (health.Observation{Target: timelineReference.ID, State: health.Up, At: time.Now(), Next: time.Now().Add(2 * time.Second)}); r.IntN(20) {
	case 0:
		n.engine.Observe(o)
	case 1:
		o.State, o.Failures, o.Reason = health.Down, 1, "refused"
		n.engine.Observe(o)
	case 2:
		require.NoError(n.t, n.engine.Freeze(!n.engine.Frozen().On, "ada", "history"))
		return true
	}
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.engine.View().Frozen || n.engine.View().Blind || slices.ContainsFunc(n.views, func(v *health.View) bool { return v.Blind })
}

func (n *historian) requireCauses(before, after *health.View, causes map[health.TargetID]bool) {
	for pi, p := range n.zone.Pools {
		for i, e := range p.Endpoints {
			if before.Zones[0].Pools[pi].Endpoints[i].InService() == after.Zones[0].Pools[pi].Endpoints[i].InService() {
				continue
			}
			caused := false
			for _, leaf := range judge.Leaves(n.zone, p) {
				for _, target := range health.TargetsOf(n.zone.Name, n.zone.Checks[leaf], e) {
					caused = caused || causes[target.ID]
				}
			}
			require.True(n.t, caused, "%s/%s flipped without a cause", p.Name, e.Name)
		}
	}
}

// requireAnswers: whoever has an eligible endpoint is never answered empty, nor is who has last_good or all; and each
// member has its share of the replies, 2 off at most, since a change may have begun a new count between.
func (n *historian) requireAnswers() {
	view, snap := n.engine.View().Zones[0], n.Current.Load()
	for si, svc := range n.zone.Services {
		plan := snap.Plan(n.zone, si)
		members := len(plan.Sets[steer.V4]) + len(plan.Sets[steer.V6])
		if svc.OnAllDown.Policy != config.NoData || n.eligible(view, svc) {
			require.NotZero(n.t, members, "%s is empty: %v", svc.Name, plan.Source)
		}
		n.requireShares(svc.Name, dns.TypeA, plan.Sets[steer.V4])
		n.requireShares(svc.Name, dns.TypeAAAA, plan.Sets[steer.V6])
	}
}

func (n *historian) eligible(view *health.ZoneView, svc *config.Service) bool {
	for _, p := range svc.Pools {
		for i, e := range n.zone.Pools[p].Endpoints {
			if !view.Pools[p].GateClosed && view.Pools[p].Endpoints[i].Eligible() && e.Weight > 0 {
				return true
			}
		}
	}
	return false
}

func (n *historian) requireShares(name string, qtype uint16, members []steer.Member) {
	const replies = 24
	counts := make(map[string]int)
	for range replies {
		w := newWireRecorder(false)
		_, err := n.h.ServeDNS(n.t.Context(), w, new(dns.Msg).SetQuestion(name, qtype))
		require.NoError(n.t, err)
		for _, rr := range w.reply(n.t).Answer {
			counts[dns.Field(rr, 1)]++
		}
	}
	require.Len(n.t, counts, min(len(counts), len(members)), "%s: somebody answers who is not in the plan", name)
	var sum uint64
	for _, m := range members {
		sum += m.Weight
	}
	for _, m := range members {
		e := n.zone.Pools[m.Pool].Endpoints[m.Endpoint]
		address := e.V4
		if qtype == dns.TypeAAAA {
			address = e.V6
		}
		quota := replies * float64(m.Weight) / float64(sum)
		require.InDelta(n.t, quota, counts[address.String()], 2, fmt.Sprintf("%s: %s", name, e.Name))
	}
}
