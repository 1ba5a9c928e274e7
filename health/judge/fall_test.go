package judge

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// outlook is vantages in all conditions: heard and not, failing and not, some of them never heard.
func outlook(r *rand.Rand, c *config.Check, now time.Time) ([]health.Observation, Jury) {
	jury := Jury{Vantages: 1 + r.IntN(5), Self: "n1"}
	var obs []health.Observation
	for i := range jury.Vantages {
		o := health.Observation{State: health.Up, At: now.Add(-time.Duration(r.IntN(3000)) * time.Millisecond)}
		if i > 0 {
			o.Vantage = string(rune('a' + i))
		}
		switch r.IntN(6) {
		case 0, 1:
			o.Failures = 1 + r.IntN(c.Fall-1)
		case 2:
			o.State, o.Failures = health.Down, c.Fall
		case 3:
			o.At = now.Add(-time.Hour)
		case 4:
			if r.IntN(3) == 0 {
				continue
			}
		}
		o.Next = o.At.Add(c.Interval)
		obs = append(obs, o)
	}
	return obs, jury
}

// earliest is when o could say down, in the words of docs/design.md section 6.
func earliest(c *config.Check, o health.Observation, now time.Time, allowance time.Duration) time.Time {
	if o.State == health.Down {
		return now
	}
	between := time.Duration(c.Fall-1-o.Failures) * (c.Interval * 9 / 10)
	if o.Vantage == "" {
		return o.Next.Add(between)
	}
	return now.Add(between - (now.Sub(o.At) + allowance))
}

// falls tells whether the judge could say down at the given instant: it tries whatever the vantages could say by then.
func falls(c *config.Check, obs []health.Observation, jury Jury, believed health.Verdict, now, at time.Time, allowance time.Duration) bool {
	var try func(i int, said []health.Observation, turned bool) bool
	try = func(i int, said []health.Observation, turned bool) bool {
		if i == jury.Vantages {
			return turned && Target(c, said, jury, believed, at).State == health.Down
		}
		down := health.Observation{Vantage: "x", State: health.Down, Failures: c.Fall, At: at}
		if i >= len(obs) {
			return try(i+1, said, turned) || try(i+1, append(said, down), turned)
		}
		o := obs[i]
		until := FreshUntil(c, o)
		if !now.Before(until) {
			return try(i+1, said, turned) || try(i+1, append(said, down), turned || o.Failures > 0)
		}
		again := o
		again.At, again.Vantage = at, "x"
		return !at.Before(until) && try(i+1, said, turned) || try(i+1, append(said, again), turned || o.State == health.Down) ||
			!earliest(c, o, now, allowance).After(at) && try(i+1, append(said, down), true)
	}
	return try(0, nil, false)
}

// TestChangeIsTheEarliest: before Change nothing that vantages could say takes an endpoint out, at Change something does.
func TestChangeIsTheEarliest(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	const allowance = time.Second
	quorums := []config.Quorum{{}, {}, {}, {N: 1}, {N: 2}, {N: 20, Percent: true}, {N: 66, Percent: true}}
	checked := 0
	for range 6000 {
		c := *check
		c.Interval, c.Fall = time.Duration(1+r.IntN(20))*time.Second, 2+r.IntN(3)
		c.Quorum = quorums[r.IntN(len(quorums))]
		now := time.Now()
		obs, jury := outlook(r, &c, now)
		believed := Target(&c, obs, jury, health.Verdict{State: health.Up}, now)
		if !believed.InService() {
			continue
		}
		got := Change(&c, obs, jury, believed, now, now, allowance)
		for _, at := range instantsOf(&c, obs, now, allowance) {
			if at.Before(got) {
				require.False(t, falls(&c, obs, jury, believed, now, at, allowance), "falls after %v, and not before %v was said: %+v, %+v", at.Sub(now), got.Sub(now), c.Quorum, obs)
			}
		}
		if got.After(now) && (c.Quorum.N == 0 || c.Quorum.Percent || c.Quorum.N <= jury.Vantages) && jury.Vantages > 1 {
			checked++
			require.True(t, falls(&c, obs, jury, believed, now, got, allowance), "said %v, too early: %+v, %+v", got.Sub(now), c.Quorum, obs)
		}
	}
	require.Greater(t, checked, 1000)
}

// instantsOf are all at which anything could change, and one just before each.
func instantsOf(c *config.Check, obs []health.Observation, now time.Time, allowance time.Duration) (all []time.Time) {
	for _, o := range obs {
		for _, at := range []time.Time{earliest(c, o, now, allowance), FreshUntil(c, o)} {
			for _, at := range []time.Time{at, at.Add(-1)} {
				if !at.Before(now) {
					all = append(all, at)
				}
			}
		}
	}
	return all
}

// TestChange: letters are as in heard, vantages are probed every 2 s, fall is 3; want is in seconds from now.
func TestChange(t *testing.T) {
	now := time.Now()
	up, down := health.Verdict{State: health.Up}, health.Verdict{State: health.Down}
	// The own next probe starts in 2 s; what others say is 0 s old, and the allowance is 1 s.
	const own, other, failing = 2 + 3.6, 3.6 - 1, 1.8 - 1
	slow := *check
	slow.Interval = 30 * time.Second
	for _, tt := range []struct {
		name, heard string
		check       *config.Check
		believed    health.Verdict
		want        float64
	}{
		{"a node alone", "U", check, up, own},
		{"a node alone whose prober stopped", "u", check, up, own - 60},
		{"a node alone, one failure", "S", check, up, own - 1.8},
		{"three: the second least", "UUU", check, up, other},
		{"three, one of them lies: one more is enough", "UUD", check, up, other},
		{"three, two fail", "USS", check, up, failing},
		{"three, one is stopped for good: not stuck", "UUu", check, up, other},
		{"three, one never began: not stuck", "UU-", check, up, other},
		{"three, one is silent with bad news", "UUd", check, up, other},
		{"three, a silent one may agree with one that fails", "USu", check, up, failing},
		{"three, one heard: it may move with the next", "Uuu", check, up, 0},
		{"five, two are stopped for good: not stuck", "UUUuu", check, up, other},
		{"five, three are silent with good news: not stuck", "UUuuu", check, up, other},
		{"five, three are silent with bad news", "UUddd", check, up, 0},
		{"five, two say down, the others may fall silent", "UUUDD", &slow, up, 10},
		{"against what is seen", "DD", check, up, 0},
		{"down, one does not agree: at once", "UDD", check, down, -1},
		{"down, and all say so: how near a rise is, others do not tell", "DDD", check, down, -1},
		{"down, the silent could outvote the rest", "DDuuu", check, down, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			obs := heard(now, tt.heard)
			for i := range obs {
				obs[i].Next = obs[i].At.Add(check.Interval)
			}
			got := Change(tt.check, obs, juryOf(tt.heard), tt.believed, now, now, time.Second)
			require.InDelta(t, tt.want, got.Sub(now).Seconds(), 0.001)
		})
	}
}
