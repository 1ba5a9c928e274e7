package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// TestHeardBy: what another node says of its listeners counts if it said it after it had let go, and lately; else it is unknown, and never none.
func TestHeardBy(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	k := ledger.RDataKeyOf("192.0.2.1")
	boot := round.Boot{1}
	row := ledger.Listening{RData: k, At: now.Add(-2 * time.Second), Confirmed: 41, Last: 300 * time.Millisecond, Silent: 1, Since: now.Add(-time.Second), Until: now.Add(time.Minute)}
	for _, tt := range []struct {
		name   string
		change func(p *peer)
		// verb and age are of the node's word, which it makes at 100 s of its clock.
		verb ledger.Verb
		age  time.Duration
		want string
	}{
		{"it knows", func(*peer) {}, ledger.Out, 2 * time.Second, "subscribers: 41 of 42 confirmed at +0.3 s; 1 silent since -1s, may keep it until 1m0s"},
		{"nobody held it", func(p *peer) { p.listened.Rows = nil }, ledger.Out, 2 * time.Second, "subscribers: none was given it"},
		{"too much", func(p *peer) { p.listened.Rows, p.listened.Cut = nil, true }, ledger.Out, 2 * time.Second, "subscribers: unknown: n2 has too much to tell apart"},
		{"said before", func(p *peer) { p.listened.Clock = 97 * time.Second }, ledger.Out, 2 * time.Second, "subscribers: unknown: n2 has not said"},
		{"another run", func(p *peer) { p.listened.Boot = round.Boot{2} }, ledger.Out, 2 * time.Second, "subscribers: unknown: n2 has not said"},
		{"answers it", func(*peer) {}, ledger.Answering, 0, "subscribers: unknown: n2 has not let it go"},
		{"silent", func(p *peer) { p.fresh = false }, ledger.Out, 2 * time.Second, "subscribers: unknown: n2 is not heard"},
		{"stale", func(p *peer) { p.listened.At = now.Add(-freshFor) }, ledger.Out, 2 * time.Second, "subscribers: unknown: n2 is not heard"},
		{"never heard", func(p *peer) { p.statusAt = time.Time{} }, ledger.Out, 2 * time.Second, "subscribers: unknown: n2 is not heard"},
		{
			"started since", func(p *peer) { p.status.Uptime, p.listened.Rows = time.Second, nil }, ledger.Out, 2 * time.Second,
			"subscribers: unknown: n2 has started since, or shortly before: who listened earlier is not known",
		},
		{
			"started shortly before", func(p *peer) { p.status.Uptime = 4 * time.Second }, ledger.Out, 2 * time.Second,
			"subscribers: 41 of 42 confirmed at +0.3 s; 1 silent since -1s, may keep it until 1m0s; unknown: n2 has started since, or shortly before: who listened earlier is not known",
		},
		{"no feeds", func(p *peer) { p.status.Feeds = false }, ledger.Out, 2 * time.Second, "subscribers: none was given it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &peer{name: "n2", fresh: true, statusAt: now, listened: round.Listened{
				Listeners: ledger.Listeners{Rows: []ledger.Listening{row}}, Boot: boot, Clock: 100 * time.Second, At: now,
			}}
			p.status.Feeds, p.status.Uptime = true, time.Hour
			words, untold := round.EncodeWords(boot, 100*time.Second, []round.RDataWord{{RData: k, Word: round.Word{Verb: tt.verb, Age: tt.age}, Own: true}})
			require.Zero(t, untold)
			require.NoError(t, p.words.Take(words, now))
			tt.change(p)
			w := &Words{Self: "n1", Lives: &Lives{nodes: map[string]round.Remembered{"n2": {Greatest: 30 * time.Second}}}, Members: &Members{self: "n1", peers: map[string]*peer{"n2": p}}}
			h := (&Instant{Words: w, now: now, configured: []string{"n1", "n2"}}).Heard(ledger.Key{RData: k}, now)
			require.Equal(t, tt.want, h.Line(func(at time.Time) string { return at.Sub(now).String() }))
			require.Equal(t, tt.name != "no feeds" && tt.name != "never heard", h.Feeds)
		})
	}
}
