package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/round"
)

// remembered is what a node said that it remembers.
func remembered(now time.Time, m round.Memory) *HeardMemory {
	return &HeardMemory{shards: map[int]round.Memory{0: m}, at: map[int]time.Time{0: now}, count: 1}
}

// TestRecallReturn: the middle of what all remember decides, the more careful half of an even number.
func TestRecallReturn(t *testing.T) {
	now := time.Now()
	key := round.MemoryKey{1}
	none := health.Return{}
	young, old := health.Return{Since: now.Add(-10 * time.Second)}, health.Return{Since: now.Add(-time.Minute)}
	begun := health.Return{Since: now.Add(time.Second - memorySlack)}
	let := health.Return{Since: now.Add(-time.Minute), Admitted: now.Add(-20 * time.Second)}
	ancient, failed := health.Return{Since: now.Add(-5 * time.Hour)}, old.Retry(now.Add(-20*time.Second))
	justFailed, ahead := old.Retry(now.Add(-time.Second)), health.Return{Since: old.Since.Add(-time.Second)}
	for _, tt := range []struct {
		name   string
		own    health.Return
		others []health.Return
		want   health.Return
	}{
		{"one that missed the outage waits with the others", none, []health.Return{old, old}, old},
		{"one that comes late is let in with the others", young, []health.Return{none, none}, none},
		{"others may not have seen yet what begins", begun, []health.Return{none, none}, begun},
		{"one has seen it", begun, []health.Return{none, begun}, begun},
		{"the word of one alone lets nothing in", old, []health.Return{none, old}, old},
		{"of two the more careful one", none, []health.Return{young}, young},
		{"of two the more careful one, seen from there", young, []health.Return{none}, young},
		{"a person let it in while this node was away", old, []health.Return{let, let}, let},
		{"a second later is the same", old, []health.Return{{Since: old.Since.Add(time.Second)}, {Since: old.Since.Add(time.Second)}}, old},
		{"the middle of three ages", health.Return{Since: now.Add(-2 * time.Hour)}, []health.Return{young, old}, old},
		{"what is over was said before it was", none, []health.Return{ancient, ancient}, none},
		{"a failed probe that most saw", old, []health.Return{failed, failed}, failed},
		{"a failed probe that this node alone saw", failed, []health.Return{old, old}, old},
		{"others may not have seen yet what failed", justFailed, []health.Return{old, old}, justFailed},
		{"the earliest instant", old, []health.Return{ahead, old}, ahead},
		{"but not that of another return", young, []health.Return{young, old}, young},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var heard []*HeardMemory
			for _, r := range tt.others {
				m := round.Memory{Returns: map[round.MemoryKey]health.Return{}}
				if r.On() {
					m.Returns[key] = r
				}
				heard = append(heard, remembered(now, m))
			}
			own := tt.own
			r := recall{heard: heard, now: now, failbacks: []config.Failback{{Hold: 3 * time.Hour, Ramp: []int{10, 100}, Step: time.Hour}}}
			changed := r.returned(&own, key, func(time.Time) bool { return false })
			require.True(t, tt.want.Equal(&own), "%+v", own)
			require.Equal(t, !tt.want.Equal(&tt.own), changed)
		})
	}
}

// TestRecallOtherFile: what a node with another file remembers counts, and what it does not name may be what its file lacks.
func TestRecallOtherFile(t *testing.T) {
	now := time.Now()
	key := round.MemoryKey{1}
	waits := health.Return{Since: now.Add(-10 * time.Second)}
	other := func(m round.Memory) *HeardMemory {
		h := remembered(now, m)
		h.others = true
		return h
	}
	names := other(round.Memory{Returns: map[round.MemoryKey]health.Return{key: waits}})
	lacks := other(round.Memory{})
	for _, tt := range []struct {
		name      string
		own, want health.Return
		heard     []*HeardMemory
	}{
		{"it waits with those that have another file", health.Return{}, waits, []*HeardMemory{names, names}},
		{"their silence lets nothing in", waits, waits, []*HeardMemory{lacks, lacks}},
	} {
		own := tt.own
		r := recall{heard: tt.heard, now: now, failbacks: []config.Failback{{Hold: time.Minute}}}
		r.returned(&own, key, func(time.Time) bool { return false })
		require.True(t, tt.want.Equal(&own), "%s: %+v", tt.name, own)
	}
}

// TestRecallLeft: when an endpoint left is the middle of what those remember that say so; one that learned of it late, or never
// saw it go, takes it over.
func TestRecallLeft(t *testing.T) {
	now := time.Now()
	keys := []round.MemoryKey{{1}}
	at := func(age time.Duration) time.Time { return now.Add(-age) }
	said := func(ages ...time.Duration) (heard []*HeardMemory) {
		for _, age := range ages {
			heard = append(heard, remembered(now, round.Memory{Left: map[round.MemoryKey]time.Time{keys[0]: at(age)}}))
		}
		return heard
	}
	for _, tt := range []struct {
		name  string
		own   time.Time
		heard []*HeardMemory
		want  time.Time
	}{
		{"late", at(0), said(time.Minute, time.Minute), at(time.Minute)},
		{"never saw it go", time.Time{}, said(time.Minute), at(time.Minute)},
		{"nobody says", at(time.Hour), []*HeardMemory{remembered(now, round.Memory{})}, at(time.Hour)},
		{"the way between two nodes", at(time.Minute), said(time.Minute+time.Second, time.Minute+time.Second), at(time.Minute)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			view := &health.PoolView{Endpoints: []health.EndpointView{{Verdict: health.Verdict{State: health.Down, Left: tt.own}}}}
			before := view.Endpoints
			changed := recallLeft(view, keys, tt.heard)
			require.Equal(t, tt.want, view.Endpoints[0].Left)
			require.Equal(t, !tt.want.Equal(tt.own), changed)
			require.Equal(t, tt.own, before[0].Left, "what was published is not written")
		})
	}
	up := &health.PoolView{Endpoints: []health.EndpointView{{Verdict: health.Verdict{State: health.Up}}}}
	require.False(t, recallLeft(up, keys, said(time.Minute)))
}

// TestHeardMemory: only a memory that is whole says that something is not in it.
func TestHeardMemory(t *testing.T) {
	now := time.Now()
	h := &HeardMemory{}
	require.False(t, h.Whole(now), "nothing was heard")
	h = remembered(now, round.Memory{})
	require.True(t, h.Whole(now))
	require.False(t, h.Whole(now.Add(health.HeardFor)), "it is old")
	h.count = 2
	require.False(t, h.Whole(now), "a block is missing")
	z := &config.Zone{Name: "example.org."}
	p := &config.Pool{Name: "web"}
	require.NotEqual(t, memoryKey(z, p, "a", ""), memoryKey(z, p, "", "a"), "an AZ and an endpoint of one name are two things")
}
