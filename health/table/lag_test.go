package table

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// pair is a primary and a standby that keep data, with an rpo of 10 s.
const pair = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}, us: {azs: [b]}}
checks:
  up: {type: tcp, port: 80, interval: 2s, timeout: 1s, fall: 3, rise: 2}
  behind: {type: lag, source: {json: "http://{address}:8008/lag", path: $.seconds}, interval: 2s, timeout: 1s}
pools:
  main: {region: eu, check: up, lag: behind, stateful: true, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}
  spare: {region: us, check: up, lag: behind, stateful: true, endpoints: [{name: s, az: b, addresses: [192.0.2.9]}]}
services:
  db: {tiers: [{main: 1}, {spare: 1}], rpo: 10s}
  app: {tiers: [{main: 1}, {spare: 1}]}
`

func pairBench(t *testing.T, text string) *bench {
	t.Helper()
	zone, problems := config.Parse("z.yaml", []byte(text), config.ParseOptions{})
	require.NotNil(t, zone, problems.String())
	now := time.Now()
	return &bench{New(config.NewModel([]*config.Zone{zone}), nil, NewEvidence("n1", nil, 0), nothing{}, now), t, now}
}

// lags has the lag of a pool be measured by a node, and judges.
func (b *bench) lags(pool int, value float64, vantage string) {
	z := b.Model.Zones[0]
	id := health.TargetOf(z.Name, z.Checks[z.Pools[pool].Lag], z.Pools[pool].Endpoints[0]).ID
	b.e.Lags.Note(id, Measured{health.Lag{Value: value, At: b.now, Seq: uint64(b.now.UnixNano())}, vantage})
	b.Judge(b.now)
}

func (b *bench) rpo(pool int) health.RPOView { return b.Pool(Ref{0, pool}).RPO[0] }

// The lag is held against the rpo when health would move the service, and at no other time.
func TestRPO(t *testing.T) {
	up := func(b *bench) {
		b.see(main, 0, health.Up, 0)
		b.see(spare, 0, health.Up, 0)
		b.lags(main, 0, "")
	}
	down := func(b *bench) { b.see(main, 0, health.Down, 3) }
	tests := []struct {
		name string
		do   func(b *bench)
		want health.RPOView
	}{
		{"never measured", up, health.RPOView{State: health.LagUnknown}},
		{"never measured, and its turn", func(b *bench) { up(b); down(b) }, health.RPOView{State: health.LagUnknown, Held: true}},
		{"within", func(b *bench) { up(b); b.lags(spare, 9, ""); down(b) }, health.RPOView{State: health.LagWithin, Entered: true}},
		{"over", func(b *bench) { up(b); b.lags(spare, 11, ""); down(b) }, health.RPOView{State: health.LagExceeds, Held: true}},
		{"the latest of any node counts", func(b *bench) { up(b); b.lags(spare, 3, "n2"); b.pass(time.Second); b.lags(spare, 11, "n3"); down(b) },
			health.RPOView{State: health.LagExceeds, Held: true}},
		{"too old is not known, and not 0", func(b *bench) {
			up(b)
			b.lags(spare, 0, "")
			b.pass(7 * time.Second)
			b.see(main, 0, health.Up, 0)
			down(b)
		},
			health.RPOView{State: health.LagUnknown, Held: true}},
		{"within before the first failure, more since", func(b *bench) {
			up(b)
			b.lags(spare, 9, "")
			b.see(main, 0, health.Up, 1)
			b.pass(2 * time.Second)
			b.lags(spare, 11, "")
			down(b)
		}, health.RPOView{State: health.LagWithin, Entered: true}},
		{"catches up while it is held", func(b *bench) { up(b); b.lags(spare, 11, ""); down(b); b.pass(time.Second); b.lags(spare, 1, "") },
			health.RPOView{State: health.LagWithin, Entered: true}},
		{"once entered it stays, whatever is measured", func(b *bench) {
			up(b)
			b.lags(spare, 1, "")
			down(b)
			b.pass(time.Minute)
			b.see(spare, 0, health.Up, 0)
			down(b)
		}, health.RPOView{State: health.LagUnknown, Entered: true}},
		{"out again and back while nobody took its turn", func(b *bench) {
			up(b)
			b.lags(spare, 1, "")
			down(b)
			b.see(spare, 0, health.Down, 3)
			b.pass(time.Minute)
			b.see(spare, 0, health.Up, 0)
		}, health.RPOView{State: health.LagUnknown, Entered: true}},
		{"an order moves it whatever its lag: that was refused, or overridden", func(b *bench) {
			up(b)
			b.lags(spare, 11, "")
			b.Overlay([]health.Intent{{Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "main"}, Start: b.now, Forever: true}}, b.now)
			b.Judge(b.now)
		}, health.RPOView{State: health.LagExceeds, Entered: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := pairBench(t, pair)
			tt.do(b)
			require.Equal(t, tt.want, b.rpo(spare))
			require.NotContains(t, b.Pool(Ref{0, spare}).RPO, 1, "a service without an rpo")
		})
	}
}

// A primary that comes back lacks what was written meanwhile: its lag is held against the rpo as that of any other.
func TestRPOBack(t *testing.T) {
	b := pairBench(t, pair)
	b.see(main, 0, health.Up, 0)
	b.see(spare, 0, health.Up, 0)
	b.lags(spare, 0, "")
	require.True(t, b.rpo(main).Entered, "where the data is by the file")
	b.see(main, 0, health.Down, 3)
	require.True(t, b.rpo(spare).Entered)
	require.False(t, b.rpo(main).Entered)
	b.pass(time.Minute)
	b.see(spare, 0, health.Up, 0)
	b.see(main, 0, health.Up, 0)
	b.lags(main, 60, "")

	back := health.Intent{Kind: health.IntentFailback, Scope: health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "main"}, Start: b.now, Forever: true}
	err := b.Behind(&back, b.now)
	require.EqualError(t, err, "refused by rpo: service db.example.org: pool main is 60 s behind, measured 0 s ago, and its rpo is 10 s")
	back.Override = []string{health.RuleRPO}
	require.NoError(t, b.Behind(&back, b.now))
	back.Override = nil
	b.lags(main, 2, "n2")
	require.Error(t, b.Behind(&back, b.now), "of two measurements of one instant the greater one counts")
	b.pass(time.Second)
	b.lags(main, 2, "n2")
	require.NoError(t, b.Behind(&back, b.now))
}

// What would move a service to a pool over its rpo is refused with the number, and so is what lets such a pool in.
func TestBehind(t *testing.T) {
	scope := func(pool string) health.Scope {
		return health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: pool}
	}
	b := pairBench(t, pair)
	b.see(main, 0, health.Up, 0)
	b.see(spare, 0, health.Up, 0)
	refused := func(i health.Intent) string {
		i.Start, i.Forever = b.now, true
		if err := b.Behind(&i, b.now); err != nil {
			return err.Error()
		}
		return ""
	}
	zero := health.Intent{Kind: health.IntentWeight, Scope: scope("main")}
	drain := health.Intent{Kind: health.IntentDrain, Scope: scope("main")}
	const unknown = "refused by rpo: service db.example.org: how far pool spare is behind is not known: nothing was measured, and its rpo is 10 s"
	require.Equal(t, unknown, refused(drain))
	require.Equal(t, unknown, refused(zero))
	require.Empty(t, refused(health.Intent{Kind: health.IntentDrain, Scope: scope("main"), Service: "app.example.org."}), "it has no rpo")
	require.Empty(t, refused(health.Intent{Kind: health.IntentDrain, Scope: scope("spare")}))
	b.lags(spare, 42, "")
	require.Equal(t, "refused by rpo: service db.example.org: pool spare is 42 s behind, measured 0 s ago, and its rpo is 10 s", refused(drain))
	require.NotEmpty(t, refused(health.Intent{Kind: health.IntentReady, Scope: scope("spare")}))
	require.Empty(t, refused(health.Intent{Kind: health.IntentForce, State: health.Up, Scope: health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "spare", Endpoint: "s"}}),
		"the main pool answers before it")
	b.pass(time.Second)
	b.lags(spare, 2, "")
	require.Empty(t, refused(drain))
}

// A node repeats what it measured with each round, each time on its way a little longer: that is one measurement, of its earliest instant.
func TestLagsNote(t *testing.T) {
	var l Lags
	id, at := health.TargetID{1}, time.Now()
	l.Note(id, Measured{health.Lag{Value: 1, At: at.Add(time.Second), Seq: 7}, "n2"})
	l.Note(id, Measured{health.Lag{Value: 1, At: at, Seq: 7}, "n2"})
	l.Note(id, Measured{health.Lag{Value: 1, At: at.Add(3 * time.Second), Seq: 7}, "n2"})
	require.Equal(t, at, l.Latest(id).At)
	l.Note(id, Measured{health.Lag{Value: 5, At: at.Add(2 * time.Second), Seq: 3}, ""})
	require.Equal(t, 5.0, l.Latest(id).Value)
	require.Equal(t, 1.0, l.Before(id, at.Add(time.Second), 0).Value)
	require.False(t, l.Before(id, at.Add(-time.Millisecond), 0).Known())
	require.True(t, l.Before(id, at.Add(-time.Millisecond), time.Second).Known(), "another node's may be of an earlier instant than it looks")
}
