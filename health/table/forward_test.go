package table

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

const steps = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}}
checks:
  up: {type: tcp, port: 80, interval: 2s, timeout: 1s, fall: 3, rise: 2}
  ready: {type: tcp, port: 81, interval: 2s, timeout: 1s, fall: 3, rise: 2}
pools:
  main: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}
  spare: {region: eu, check: up, endpoints: [{name: s, az: a, addresses: [192.0.2.9]}]}
  sorry: {region: eu, endpoints: [{name: x, az: a, addresses: [192.0.2.8]}]}
services:
  www: {tiers: [{main: 1}, {spare: 1}, {sorry: 1}], failover: {ramp: [10%, 40%, 100%], step: 10s, while: ready}}
`

// seeReady has this node's probe by the check of the takeover end with a state, and judges.
func (b *bench) seeReady(state health.State, failures int) {
	z := b.Model.Zones[0]
	id := health.TargetOf(z.Name, z.Checks[1], z.Pools[spare].Endpoints[0]).ID
	b.e.Put(map[health.TargetID]health.Observation{id: {Target: id, State: state, Failures: failures, Since: b.now, At: b.now, Next: b.now.Add(2 * time.Second)}})
	b.Judge(b.now)
}

// A standby takes over by steps, each when it is due and its check lets it, and is done with that when the first pool is back.
func TestTakeover(t *testing.T) {
	b := pairBench(t, steps)
	percent := func() int { return b.Pool(Ref{0, spare}).Forward[0].Percent }
	later := func(d time.Duration, state health.State, failures int) {
		b.pass(d)
		b.seeReady(state, failures)
		b.see(spare, 0, health.Up, 0)
	}
	b.see(main, 0, health.Up, 0)
	b.see(spare, 0, health.Up, 0)
	require.Empty(t, b.Pool(Ref{0, spare}).Forward)
	b.see(main, 0, health.Down, 3)
	require.Equal(t, 10, percent())
	later(9*time.Second, health.Up, 0)
	require.Equal(t, 10, percent(), "not due")
	later(time.Second, health.Up, 1)
	require.Equal(t, 10, percent(), "it cannot bear what it has")
	later(20*time.Second, health.Down, 3)
	require.Equal(t, 10, percent())
	later(time.Second, health.Up, 0)
	require.Equal(t, 40, percent(), "one step, however late")
	later(9*time.Second, health.Up, 0)
	require.Equal(t, 40, percent())

	// Another version of the file goes on where this one is.
	next := New(config.NewModel([]*config.Zone{withSerial(t, steps)}), b.Table, b.e, nothing{}, b.now)
	next.Judge(b.now)
	require.Equal(t, 40, next.Pool(Ref{0, spare}).Forward[0].Percent)

	later(2*time.Second, health.Up, 0)
	require.Equal(t, health.Whole, percent())
	later(time.Hour, health.Down, 3)
	require.Equal(t, health.Whole, percent(), "it has all")
	b.see(main, 0, health.Up, 0)
	b.pass(time.Minute)
	b.see(main, 0, health.Up, 0)
	b.Judge(b.now)
	require.Empty(t, b.Pool(Ref{0, spare}).Forward)
}

// withSerial is the zone of text in another version.
func withSerial(t *testing.T, text string) *config.Zone {
	t.Helper()
	zone, problems := config.Parse("z.yaml", []byte(text+"serial: 7\n"), config.ParseOptions{})
	require.NotNil(t, zone, problems.String())
	return zone
}
