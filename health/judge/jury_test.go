package judge

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// heard is what n1, n2 and so on say, a letter each: U up, D down, S up with a failure, ? nothing decided yet, and in lower case
// the same from a node that is not heard any more; - has never been heard. n1 is this node.
func heard(now time.Time, letters string) []health.Observation {
	var obs []health.Observation
	for i, l := range letters {
		o := health.Observation{At: now}
		if l >= 'a' && l <= 'z' {
			o.At, l = now.Add(-time.Minute), l-'a'+'A'
		}
		if i > 0 {
			o.Vantage = fmt.Sprintf("n%d", i+1)
		}
		switch l {
		case 'U':
			o.State, o.Successes = health.Up, 1
		case 'D':
			o.State, o.Failures, o.Reason = health.Down, 3, "refused"
		case 'S':
			o.State, o.Failures, o.Reason = health.Up, 1, "refused"
		case '-':
			continue
		}
		obs = append(obs, o)
	}
	return obs
}

func juryOf(letters string) Jury { return Jury{Vantages: len(letters), Self: "n1"} }

func TestJury(t *testing.T) {
	now := time.Now()
	up, down := health.Verdict{State: health.Up}, health.Verdict{State: health.Down}
	quorum := func(n int) *config.Check { c := *check; c.Quorum.N = n; return &c }
	push := *check
	push.Type = config.CheckPush
	for _, tt := range []struct {
		name, heard string
		check       *config.Check
		prev        health.Verdict
		want        health.State
		stale       bool
		reason      string
	}{
		{"all up", "UUUUU", check, up, health.Up, false, ""},
		{"one of five lies: all down", "UUUUD", check, up, health.Suspect, false, "n5: refused"},
		{"one of five lies: all up", "DDDDU", check, up, health.Down, false, "n1, n2, n3 and 1 more: refused"},
		{"two of five say down", "UUUDD", check, up, health.Suspect, false, "n4, n5: refused"},
		{"three of five say down", "DUDUD", check, up, health.Down, false, "n1, n3, n5: refused"},
		{"two of five are lost", "UUUdd", check, up, health.Up, false, ""},
		{"two of five are lost, two of three say down", "UDDuu", check, up, health.Down, false, "n2, n3: refused"},
		{"two of five are heard, one says down", "UDuuu", check, up, health.Suspect, false, "n2: refused"},
		{"two of five are heard, both say down", "DDuuu", check, up, health.Down, false, "n1, n2: refused"},
		{"one of five is heard", "Duuuu", check, up, health.Up, true, ""},
		{"one of five is heard, it was down", "Udddd", check, down, health.Down, true, ""},
		{"nobody is heard", "uuuuu", check, up, health.Up, true, ""},
		{"one of two is heard, and decides", "Du", check, up, health.Down, false, "n1: refused"},
		{"half of two is no majority", "DU", check, up, health.Suspect, false, "n1: refused"},
		{"nobody knows, one fails", "D????", check, health.Verdict{}, health.Unknown, false, "n1: refused"},
		{"who has just begun has no vote", "DDU??", check, down, health.Down, false, "n1, n2: refused"},
		{"a failure of one", "USU", check, up, health.Suspect, false, "n2: refused"},
		{"one vote is enough", "UUD", quorum(1), up, health.Down, false, "n3: refused"},
		{"a quorum counts against those that are heard", "DDu", quorum(3), up, health.Down, false, "n1, n2: refused"},
		{"and stays so", "DDu", quorum(3), down, health.Down, false, "n1, n2: refused"},
		{"one that says up does", "DUu", quorum(3), down, health.Suspect, false, "n1: refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := Target(tt.check, heard(now, tt.heard), juryOf(tt.heard), tt.prev, now)
			require.Equal(t, tt.want, v.State)
			require.Equal(t, tt.stale, v.Stale)
			require.Equal(t, tt.reason, v.Reason)
			require.Equal(t, v.InService() != tt.prev.InService(), v.Since.Equal(now), "Since")
		})
	}
	v := Target(&push, heard(now, "-uD--"), Jury{Vantages: 5, Self: "n1"}, up, now)
	require.Equal(t, health.Down, v.State, "a report is the target's own word: one who was told is enough")
	alone := Target(check, heard(now, "D"), Jury{Vantages: 1, Self: "n1"}, up, now)
	require.Equal(t, "refused", alone.Reason, "a node alone names nobody")
}

// TestOrderDoesNotMatter: same observations, same verdict, and no flip but with a quorum of those that are heard.
func TestOrderDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	now := time.Now()
	for range 20000 {
		letters := make([]byte, 1+r.IntN(7))
		for i := range letters {
			letters[i] = "UUUDDS?uuds-"[r.IntN(12)]
		}
		obs, jury := heard(now, string(letters)), juryOf(string(letters))
		prev := health.Verdict{State: health.State(r.IntN(4))}
		if prev.State == health.Suspect {
			prev.SuspectSince = now.Add(-time.Duration(r.IntN(20)) * time.Minute)
		}
		v := Target(check, obs, jury, prev, now)
		r.Shuffle(len(obs), func(i, j int) { obs[i], obs[j] = obs[j], obs[i] })
		require.Equal(t, v, Target(check, obs, jury, prev, now), "%s in another order", letters)
		require.Equal(t, v.State, Target(check, obs, jury, v, now).State, "%s once more", letters)

		up, down := 0, 0
		for _, o := range obs {
			if now.Before(FreshUntil(check, o)) && o.State == health.Down {
				down++
			} else if now.Before(FreshUntil(check, o)) && o.State == health.Up {
				up++
			}
		}
		if v.State == health.Down && prev.State != health.Down {
			require.Greater(t, 2*down, up+down, "%s: down without a quorum", letters)
		}
		if v.InService() && !prev.InService() {
			require.GreaterOrEqual(t, up, down, "%s: up against a quorum", letters)
			require.Positive(t, up, "%s: up without a vote", letters)
		}
		if v.State != prev.State && !(v.InService() && prev.InService()) {
			require.GreaterOrEqual(t, up+down, min(2, max(1, len(letters)-1)), "%s: moved by too few", letters)
		}
	}
}

// TestDisputed follows a suspicion: rows of the minute, what is heard, and whether it is disputed by then.
func TestDisputed(t *testing.T) {
	type row struct {
		minute   float64
		heard    string
		state    health.State
		disputed bool
		reason   string
	}
	for _, tt := range []struct {
		name string
		rows []row
	}{
		{"one of three alone", []row{
			{0, "UUD", health.Suspect, false, "n3: refused"}, {9.99, "UUD", health.Suspect, false, "n3: refused"},
			{10, "UUD", health.Suspect, true, "disputed: n3: refused"}, {60, "UUS", health.Suspect, true, "disputed: n3: refused"},
			{61, "UUU", health.Up, false, ""}, {62, "UUD", health.Suspect, false, "n3: refused"},
		}},
		{"another one joins: it is no longer alone, and the time begins again", []row{
			{0, "UUD", health.Suspect, false, "n3: refused"}, {12, "USD", health.Suspect, false, "n2, n3: refused"},
			{13, "UUD", health.Suspect, false, "n3: refused"}, {23, "UUD", health.Suspect, true, "disputed: n3: refused"},
		}},
		{"a target that most find flapping is not disputed", []row{
			{0, "SSU", health.Suspect, false, "n1, n2: refused"}, {11, "USU", health.Suspect, false, "n2: refused"},
		}},
		{"too few heard for a while", []row{
			{0, "UUD", health.Suspect, false, "n3: refused"}, {5, "uuD", health.Suspect, false, "n3: refused"},
			{11, "UUD", health.Suspect, true, "disputed: n3: refused"}, {12, "uuD", health.Suspect, true, "disputed: n3: refused"},
		}},
		{"the quorum is had", []row{
			{0, "UUD", health.Suspect, false, "n3: refused"}, {11, "UDD", health.Down, false, "n2, n3: refused"},
			{12, "UUD", health.Suspect, false, "n3: refused"},
		}},
		{"two of five are a minority", []row{
			{0, "UUUDD", health.Suspect, false, "n4, n5: refused"}, {10, "UUUDD", health.Suspect, true, "disputed: n4, n5: refused"},
		}},
		{"a node alone", []row{{0, "S", health.Suspect, false, "refused"}, {11, "S", health.Suspect, false, "refused"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begin := time.Now()
			var v health.Verdict
			for _, row := range tt.rows {
				now := begin.Add(time.Duration(row.minute * float64(time.Minute)))
				v = Target(check, heard(now, row.heard), juryOf(row.heard), v, now)
				require.Equal(t, row.state, v.State, "minute %v", row.minute)
				require.Equal(t, row.disputed, v.Disputed, "minute %v", row.minute)
				require.Equal(t, row.reason, v.Reason, "minute %v", row.minute)
				if due := NextChange(v); !due.IsZero() {
					require.True(t, due.After(now), "a change by time lies ahead")
				}
			}
		})
	}
}

// TestDisputedIsCalm: what is disputed forces no TTL, neither as an endpoint nor as a gate.
func TestDisputedIsCalm(t *testing.T) {
	now := time.Now()
	leaf := health.Verdict{State: health.Suspect, Reason: "disputed: n3: refused"}
	in := PoolInput{Zone: zone, Pool: pool(), Now: now, Leaf: func(int, config.Family, int) health.Verdict { return leaf }}
	suspect, _ := Pool(in)
	require.False(t, suspect.Calm)
	leaf.Disputed = true
	disputed, _ := Pool(in)
	require.True(t, disputed.Calm)
	require.True(t, disputed.Endpoints[0].Disputed)
	require.Equal(t, health.Suspect, disputed.Endpoints[0].State)
	leaf.Stale = true
	stale, _ := Pool(in)
	require.False(t, stale.Calm, "what is stale is not calm")
}

func TestPeaceAllocatesNothing(t *testing.T) {
	now := time.Now()
	for n := 1; n <= 5; n++ {
		letters := "UUUUU"[:n]
		obs, jury, v := heard(now, letters), juryOf(letters), health.Verdict{State: health.Up, Since: now}
		require.Zero(t, testing.AllocsPerRun(100, func() { v = Target(check, obs, jury, v, now) }), "Target, %d vantages", n)
		require.Zero(t, testing.AllocsPerRun(100, func() { Change(check, obs, jury, v, now, now, time.Second) }), "Change, %d vantages", n)
	}
}

func BenchmarkTarget(b *testing.B) {
	now := time.Now()
	obs, v := heard(now, "UUUUU"), health.Verdict{State: health.Up}
	b.ReportAllocs()
	for b.Loop() {
		v = Target(check, obs, Jury{Vantages: 5}, v, now)
	}
}

func BenchmarkChange(b *testing.B) {
	now := time.Now()
	obs, v := heard(now, "UUUUU"), health.Verdict{State: health.Up}
	b.ReportAllocs()
	for b.Loop() {
		Change(check, obs, Jury{Vantages: 5}, v, now, now, time.Second)
	}
}
