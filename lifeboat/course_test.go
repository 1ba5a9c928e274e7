package lifeboat

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestCourse: it carries what has departed and nothing else, ends with the ledger's word, and alone goes no further than what it was told.
func TestCourse(t *testing.T) {
	heard := time.Now()
	in := func(s float64) *float64 { return &s }
	one := []api.LifeboatTarget{{Address: "192.0.2.2", Fraction: 1}}
	const t0 = 10
	departed := api.LifeboatAddress{State: api.BoatDeparted, Targets: one, RemainingSeconds: in(t0), ClampedRemainingSeconds: in(70)}
	unknown := api.LifeboatAddress{State: api.BoatDeparted, Targets: one}
	forgotten := api.LifeboatAddress{State: api.BoatForgot, Targets: one, RemainingSeconds: in(0), ClampedRemainingSeconds: in(55)}
	answered := api.LifeboatAddress{State: api.BoatAnswered, Targets: one}
	for _, tt := range []struct {
		name                  string
		word                  api.LifeboatAddress
		clamped, carried      bool
		after                 float64
		carry, over, returned bool
		alone                 bool
	}{
		{name: "departed", word: departed, carry: true},
		{name: "T has passed and the nodes have yet to say so", word: departed, after: t0 + 2, carry: false, over: true, alone: true},
		{name: "alone, before T", word: departed, after: t0 - 1, carry: true, alone: true},
		{name: "alone, at T", word: departed, after: t0, over: true, alone: true},
		{name: "alone, clamped too", word: departed, clamped: true, after: 69, carry: true, alone: true},
		{name: "alone, clamped too, at the end", word: departed, clamped: true, after: 70, over: true, alone: true},
		{name: "until when is not known", word: unknown, carry: true},
		{name: "alone, within the grace", word: unknown, after: 59, carry: true, alone: true},
		{name: "alone, past the grace", word: unknown, after: 60, over: true, alone: true},
		{name: "forgotten", word: forgotten, carried: true, over: true},
		{name: "forgotten, clamped too", word: forgotten, clamped: true, carried: true, carry: true},
		{name: "forgotten, clamped too, at the end", word: forgotten, clamped: true, carried: true, after: 55, over: true, alone: false},
		{name: "answered, before", word: answered},
		{name: "answered, and nobody can be asked", word: answered, after: 100, alone: true},
		{name: "answered again", word: answered, carried: true, over: true, returned: true},
		{name: "refused", word: api.LifeboatAddress{State: api.BoatRefused, Targets: one}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := wordOf(tt.word, heard)
			p := policy{clampedToo: tt.clamped, grace: time.Minute}
			c := p.courseOf(&w, tt.carried, heard.Add(seconds(tt.after)))
			require.Equal(t, []bool{tt.carry, tt.over, tt.returned}, []bool{c.carry, c.over, c.returned}, "%+v", c)
			if !c.over {
				require.Equal(t, tt.alone, c.alone)
			}
			require.NotEqual(t, true, c.carry && c.over)
		})
	}
}

// TestOwnAddresses: nothing is forwarded to this machine, whatever a node says.
func TestOwnAddresses(t *testing.T) {
	own := netip.MustParseAddr("192.0.2.9")
	var b berth
	b.targets = new(targets)
	b.take(api.LifeboatAddress{State: api.BoatDeparted, Targets: []api.LifeboatTarget{{Address: "192.0.2.9", Fraction: 1}}},
		func(a netip.Addr) bool { return a == own }, time.Now())
	c := b.course(policy{grace: time.Minute}, time.Now())
	require.False(t, c.carry)
	require.False(t, c.over)
	require.Equal(t, "nobody is in service but this machine", c.why)
}

// TestOrder: endpoints are tried by their weights, those that could not be reached last.
func TestOrder(t *testing.T) {
	var x targets
	x.set([]api.LifeboatTarget{{Address: "192.0.2.1", Fraction: 0.75}, {Address: "192.0.2.2", Fraction: 0.25}, {Address: "192.0.2.3", Fraction: 0}, {Address: "web.example.org", Fraction: 1}},
		func(netip.Addr) bool { return false })
	now, first := time.Now(), map[string]int{}
	for range 10_000 {
		order := x.order(now)
		require.Len(t, order, 2)
		first[order[0].String()]++
	}
	require.InDelta(t, 7500, first["192.0.2.1"], 300)
	x.unreachable(netip.MustParseAddr("192.0.2.1"), now)
	for range 100 {
		require.Equal(t, "192.0.2.2", x.order(now)[0].String())
	}
	seen := map[string]bool{}
	for range 1000 {
		seen[x.order(now.Add(avoidFor))[0].String()] = true
	}
	require.Len(t, seen, 2)
}
