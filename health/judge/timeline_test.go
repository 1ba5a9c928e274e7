package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// pool is two AZs of two endpoints, used by services with holds of 10 and 30 s.
func pool() *config.Pool {
	p := &config.Pool{Name: "web", Failbacks: []config.Failback{{Hold: 10 * time.Second}, {Hold: 30 * time.Second}}, AZWeights: []config.AZWeight{{AZ: 0}, {AZ: 1}}}
	for _, az := range []int{0, 0, 1, 1} {
		p.Endpoints = append(p.Endpoints, &config.Endpoint{AZ: az, Weight: 1})
	}
	return p
}

var zone = &config.Zone{Checks: []*config.Check{check}}

var check = &config.Check{Name: "ready", Interval: 2 * time.Second, Timeout: time.Second, Fall: 3, Rise: 2}

// A step is what the vantage reports at an instant, a letter per endpoint: U up, D down, S up with a failure, - nothing
// yet, . no news. want is the states after it: U, D, S, ? for pending, and lower case for stale.
type step struct {
	at     int
	report string
	want   string
	// returned and returnedAZ are the seconds at which the pool and its AZs came back; -1 for none.
	returned   int
	returnedAZ []int
	calm       bool
	wake       int
}

func TestTimeline(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"cold start: pending until somebody decides", []step{
			{at: 0, report: "----", want: "????", returned: -1, wake: -1},
			{at: 1, report: "U---", want: "U???", returned: -1, wake: -1},
			{at: 2, report: "UUUD", want: "UUUD", returned: -1, calm: true, wake: -1},
		}},
		{"a failure makes suspect, its recovery calms", []step{
			{at: 0, report: "UUUU", want: "UUUU", returned: -1, calm: true, wake: -1},
			{at: 2, report: "SUUU", want: "SUUU", returned: -1, wake: -1},
			{at: 4, report: "UUUU", want: "UUUU", returned: -1, calm: true, wake: -1},
		}},
		{"one endpoint returns at once while its AZ stands", []step{
			{at: 0, report: "UUUU", want: "UUUU", returned: -1, calm: true, wake: -1},
			{at: 2, report: "DUUU", want: "DUUU", returned: -1, calm: true, wake: 62},
			{at: 4, report: "UUUU", want: "UUUU", returned: -1, calm: true, wake: -1},
		}},
		{"an AZ that had nothing is held", []step{
			{at: 0, report: "UUUU", want: "UUUU", returned: -1, calm: true, wake: -1},
			{at: 2, report: "DDUU", want: "DDUU", returned: -1, calm: true, wake: 62},
			{at: 4, report: "UDUU", want: "UDUU", returned: -1, returnedAZ: []int{4, -1}, calm: true, wake: 14},
			{at: 6, report: "UUUU", want: "UUUU", returned: -1, returnedAZ: []int{4, -1}, calm: true, wake: 14},
			{at: 14, report: "UUUU", want: "UUUU", returned: -1, returnedAZ: []int{4, -1}, calm: true, wake: 34},
			{at: 34, report: "UUUU", want: "UUUU", returned: -1, calm: true, wake: -1},
		}},
		{"a pool that had nothing is held, and so is the AZ", []step{
			{at: 0, report: "UUUU", want: "UUUU", returned: -1, calm: true, wake: -1},
			{at: 2, report: "DDDD", want: "DDDD", returned: -1, calm: true, wake: 62},
			{at: 4, report: "DDUD", want: "DDUD", returned: 4, returnedAZ: []int{-1, 4}, calm: true, wake: 14},
			{at: 8, report: "DUUD", want: "DUUD", returned: 4, returnedAZ: []int{8, 4}, calm: true, wake: 14},
		}},
		{"failing again in the hold ends it; the next return begins a new one", []step{
			{at: 0, report: "UUUU", want: "UUUU", returned: -1, calm: true, wake: -1},
			{at: 2, report: "DDUU", want: "DDUU", returned: -1, calm: true, wake: 62},
			{at: 4, report: "UDUU", want: "UDUU", returned: -1, returnedAZ: []int{4, -1}, calm: true, wake: 14},
			{at: 6, report: "DDUU", want: "DDUU", returned: -1, calm: true, wake: 62},
			{at: 8, report: "UUUU", want: "UUUU", returned: -1, returnedAZ: []int{8, -1}, calm: true, wake: 18},
		}},
		{"no news for two intervals and a timeout: the verdict stays, stale", []step{
			{at: 0, report: "UUDU", want: "UUDU", returned: -1, calm: true, wake: -1},
			{at: 4, report: "....", want: "UUDU", returned: -1, calm: true, wake: -1},
			{at: 5, report: "....", want: "uudu", returned: -1, wake: -1},
			{at: 9, report: "DUUU", want: "DUUU", returned: -1, calm: true, wake: 69},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { runTimeline(t, tt.steps) })
	}
}

func runTimeline(t *testing.T, steps []step) {
	begin := time.Now()
	instant := func(s int) time.Time {
		if s < 0 {
			return time.Time{}
		}
		return begin.Add(time.Duration(s) * time.Second)
	}
	obs := make([][]health.Observation, 4)
	leaves := make([]health.Verdict, 4)
	var prev *health.PoolView
	for _, s := range steps {
		now := instant(s.at)
		for i, letter := range s.report {
			o := health.Observation{At: now}
			switch letter {
			case 'U':
				o.State, o.Successes = health.Up, 1
			case 'D':
				o.State, o.Failures, o.Reason = health.Down, 3, "refused"
			case 'S':
				o.State, o.Failures, o.Reason = health.Up, 1, "refused"
			default:
				continue
			}
			obs[i] = []health.Observation{o}
		}
		view, wake := Pool(PoolInput{
			Zone: zone, Pool: pool(), Prev: prev, Now: now,
			Leaf: func(i int, _ config.Family, _ int) health.Verdict {
				leaves[i] = Target(check, obs[i], Jury{Vantages: 1}, leaves[i], now)
				return leaves[i]
			},
		})
		require.Equalf(t, s.want, letters(view), "states at %d s", s.at)
		require.Equalf(t, s.calm, view.Calm, "calm at %d s", s.at)
		require.Equalf(t, instant(s.returned), view.Return.Since, "pool returned, at %d s", s.at)
		var azs []health.Return
		for _, r := range s.returnedAZ {
			azs = append(azs, health.Return{Since: instant(r)})
		}
		require.Equalf(t, azs, view.ReturnAZ, "AZs returned, at %d s", s.at)
		require.Equalf(t, instant(s.wake), wake, "wake, at %d s", s.at)
		prev = view
	}
}

func letters(v *health.PoolView) string {
	var b []byte
	for _, e := range v.Endpoints {
		c := map[health.State]byte{health.Unknown: '?', health.Up: 'U', health.Suspect: 'S', health.Down: 'D'}[e.State]
		if e.Stale {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return string(b)
}

func TestUnmonitored(t *testing.T) {
	p := &config.Pool{Check: -1, Endpoints: []*config.Endpoint{{Weight: 1}}}
	now := time.Now()
	first, _ := Pool(PoolInput{Pool: p, Now: now})
	again, _ := Pool(PoolInput{Pool: p, Prev: first, Now: now.Add(time.Hour)})
	require.Equal(t, health.EndpointView{Verdict: health.Verdict{State: health.Up, Unmonitored: true, Since: now}}, again.Endpoints[0])
	require.True(t, again.Calm)
}

func TestDrainOverlays(t *testing.T) {
	p := pool()
	now := time.Now()
	up := func(int, config.Family, int) health.Verdict { return health.Verdict{State: health.Up} }
	v, _ := Pool(PoolInput{Zone: zone, Pool: p, Now: now, Leaf: up, Orders: &Orders{Drained: map[int]bool{0: true, 1: true}}})
	require.Equal(t, health.Drained, v.Endpoints[0].Shown())
	require.Equal(t, health.Up, v.Endpoints[0].State, "the verdict stays visible below the drain")
	require.False(t, v.Endpoints[0].Eligible())
	back, _ := Pool(PoolInput{Zone: zone, Pool: p, Prev: v, Now: now, Leaf: up})
	require.Equal(t, now, back.ReturnAZ[0].Since, "an AZ that was drained returns through failback")
}

func TestQuorum(t *testing.T) {
	now := time.Now()
	vantages := func(states ...health.State) []health.Observation {
		var obs []health.Observation
		for _, s := range states {
			o := health.Observation{State: s, At: now}
			if s == health.Down {
				o.Failures = 3
			}
			obs = append(obs, o)
		}
		return obs
	}
	u, d := health.Up, health.Down
	for _, tt := range []struct {
		name   string
		quorum config.Quorum
		obs    []health.Observation
		want   health.State
	}{
		{"majority of three", config.Quorum{}, vantages(d, d, u), d},
		{"half is no majority", config.Quorum{}, vantages(d, u), health.Suspect},
		{"one alone", config.Quorum{}, vantages(d), d},
		{"two named, one says down", config.Quorum{N: 2}, vantages(d, u, u), health.Suspect},
		{"two named, two say down", config.Quorum{N: 2}, vantages(d, d, u), d},
		{"three named, two are heard", config.Quorum{N: 3}, vantages(d, d), d},
		{"three named, two are heard, one says down", config.Quorum{N: 3}, vantages(d, u), health.Suspect},
		{"three named, one is heard", config.Quorum{N: 3}, vantages(d), d},
		{"more than 20 %", config.Quorum{N: 20, Percent: true}, vantages(d, u, u), d},
		{"nobody decided", config.Quorum{}, vantages(health.Unknown, health.Unknown), health.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := *check
			c.Quorum = tt.quorum
			require.Equal(t, tt.want, Target(&c, tt.obs, Jury{Vantages: 1}, health.Verdict{}, now).State)
		})
	}
}
