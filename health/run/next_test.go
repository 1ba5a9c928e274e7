package run

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

const seven = `plan: eu-out
zone: example.org
practice: {day: tuesday, at: "09:30", hold: 10m}
steps:
- {name: scale, hook: {url: 'https://ops.example.org', idempotent: true, undo: {url: 'https://ops.example.org/undo'}}}
- {name: up, wait: {up: us}}
- {name: still, freeze: true}
- {name: open, ready: us}
- {name: move, shift: {from: eu, to: us, step: 50%, every: 10s}}
- {name: out, drain: {pool: eu}}
- {name: gone, verify: {bound: 60s}}
`

// world has both pools up.
func world(t *testing.T, change func(r *Run)) *fake {
	f := begin(t, seven, change)
	f.pools["eu"], f.pools["us"] = PoolState{Known: true, Endpoints: 2, Up: 2}, PoolState{Known: true, Endpoints: 2, Up: 2}
	return f
}

func (f *fake) statuses() (out []string) {
	st := f.state()
	for i := range st.Steps {
		out = append(out, string(st.Steps[i].Status))
	}
	return out
}

func TestRunGoesThrough(t *testing.T) {
	f := world(t, nil)
	f.pools["us"] = PoolState{Known: true, Endpoints: 2, Up: 1}
	assert.Equal(t, "us: 1 of 2 endpoints are up", f.through(t))
	f.pools["us"] = PoolState{Known: true, Endpoints: 2, Up: 2, Suspect: 1}
	assert.Equal(t, "0 % moved: us: 2 of 2 endpoints are up, 1 of them in doubt", f.through(t))
	f.pools["us"] = PoolState{Known: true, Endpoints: 2, Up: 2}
	assert.Equal(t, "50 % moved, the next part in 10s", f.through(t))
	weights := func() map[string]int {
		out := make(map[string]int)
		for _, i := range f.orders {
			if i.Kind == health.IntentWeight {
				out[i.Scope.Pool] = i.Weight
			}
		}
		return out
	}
	assert.Equal(t, map[string]int{"us": 150, "eu": 50}, weights())
	f.now = f.now.Add(10 * time.Second)
	id := f.store.Run(f.run).OrderID(5, 1, 0)
	f.traces[id] = Trace{Out: true, Why: "n2 is not heard"}
	assert.Contains(t, f.through(t), "is not known: n2 is not heard")
	assert.Equal(t, map[string]int{"us": 200, "eu": 0}, weights())
	f.traces[id] = Trace{Out: true, Known: true, Within: 12 * time.Second}
	assert.Equal(t, "it is over", f.through(t))
	st := f.state()
	assert.Equal(t, Succeeded, st.Status())
	assert.Equal(t, "12.000", st.Steps[6].Ended.Data[DataBound])
	assert.Equal(t, []string{f.run + "/scale/1"}, f.called)
	for id, n := range f.placed {
		assert.Equal(t, 1, n, id)
	}
}

// Whatever executor dies, before an effect, after it, or after its record, the next one has each effect once.
func TestExecutorDiesAnywhere(t *testing.T) {
	for upTo := range 2 {
		f := world(t, nil)
		steps := 0
		for turn := range 500 {
			f.now = f.now.Add(3 * time.Second)
			f.traces[f.store.Run(f.run).OrderID(5, 1, 0)] = Trace{Out: true, Known: true, Within: 12 * time.Second}
			// It dies in the midst of this turn, and another one looks at what is there.
			f.one(t, upTo)
			st := f.state()
			f.node = []string{"n1", "n2", "n3"}[turn%3]
			require.NoError(t, f.store.Add(f.run, f.now, Entry{Kind: Owned, Node: f.node, Epoch: st.Epoch + 1}))
			f.one(t, 2)
			if steps = turn; f.state().End != nil {
				break
			}
		}
		assert.Less(t, steps, 400)
		assert.Equal(t, Succeeded, f.state().Status(), f.statuses())
		assert.Len(t, f.placed, 7)
		for id, n := range f.placed {
			assert.Equal(t, 1, n, id)
		}
		for _, key := range f.called {
			assert.Equal(t, f.run+"/scale/1", key, "whoever gets it twice acts once")
		}
	}
}

// A hook that is not idempotent, and may have got through, waits for a person, who says that it did, or has it called again.
func TestUncertainHook(t *testing.T) {
	const text = "plan: p\nsteps:\n- {name: a, hook: {url: 'https://ops.example.org'}}\n"
	for _, word := range []string{"done", "again"} {
		f := begin(t, text, nil)
		f.one(t, 2) // began
		f.one(t, 2) // intended
		f.one(t, 1) // called, and dead
		f.node = "n2"
		require.NoError(t, f.store.Add(f.run, f.now, Entry{Kind: Owned, Node: "n2", Epoch: 2}))
		assert.Contains(t, f.through(t), "n1 was about to call it and never said what came of it")
		assert.Equal(t, Stopped, f.state().Status())
		assert.Len(t, f.called, 1)
		e := Entry{Kind: Retried, Attempt: 1, Node: "n3", Actor: "ada"}
		if word == "done" {
			e.Sub = 1
		}
		require.NoError(t, f.store.Add(f.run, f.now, e))
		assert.Equal(t, "it is over", f.through(t))
		if word == "done" {
			assert.Len(t, f.called, 1)
		} else {
			assert.Equal(t, []string{f.run + "/a/1", f.run + "/a/2"}, f.called)
		}
	}
}

// Two that were about to call at once see each other, and neither calls.
func TestTwoIntentions(t *testing.T) {
	f := begin(t, "plan: p\nsteps:\n- {name: a, hook: {url: 'https://ops.example.org'}}\n", nil)
	f.one(t, 2)
	f.one(t, 2)
	require.NoError(t, f.store.Add(f.run, f.now, Entry{Kind: Intended, Attempt: 1, Node: "n2", Epoch: 1}))
	f.through(t)
	assert.Empty(t, f.called)
	assert.Equal(t, []string{"uncertain"}, f.statuses())
}

func TestAbortUndoesInReverse(t *testing.T) {
	f := world(t, nil)
	f.traces[f.store.Run(f.run).OrderID(5, 1, 0)] = Trace{Out: true, Why: "n2 is not heard"}
	f.through(t)
	f.now = f.now.Add(10 * time.Second)
	f.through(t)
	require.Len(t, f.orders, 5, "freeze, ready, two weights, drain")
	require.NoError(t, f.store.Add(f.run, f.now, Entry{Kind: Aborted, Node: "n3", Actor: "ada", Text: "enough"}))
	assert.Equal(t, "it is over", f.through(t))
	assert.Empty(t, f.orders)
	assert.Equal(t, []string{"undone", "done", "undone", "undone", "undone", "undone", "running"}, f.statuses())
	assert.Equal(t, []string{f.run + "/scale/1", f.run + "/scale/1/undo"}, f.called)
	st := f.state()
	assert.Equal(t, GaveUp, st.Status())
	assert.Equal(t, "undone: enough", st.End.Text)
	assert.True(t, f.ended[f.store.Run(f.run).OrderID(5, 1, 0)], "what may lie on another disk has an end too")
}

// The way back: a run that is done can be undone, which ends it once more.
func TestAbortAfterTheEnd(t *testing.T) {
	f := begin(t, "plan: p\nzone: example.org\nsteps:\n- drain: {pool: eu}\n", nil)
	f.through(t)
	require.True(t, f.store.Run(f.run).Over())
	require.NoError(t, f.store.Add(f.run, f.now, Entry{Kind: Aborted, Node: "n2", Actor: "ada", Text: "back"}))
	require.False(t, f.store.Run(f.run).Over())
	assert.Equal(t, Undoing, f.state().Status())
	f.through(t)
	assert.True(t, f.store.Run(f.run).Over())
	assert.Equal(t, GaveUp, f.state().Status())
	assert.Empty(t, f.orders)
}

// What a step cannot undo is said.
func TestLeft(t *testing.T) {
	f := begin(t, "plan: p\nsteps:\n- {name: a, hook: {url: 'https://ops.example.org'}}\n- {name: b, wait: {for: 1h}}\n", nil)
	f.through(t)
	require.NoError(t, f.store.Add(f.run, f.now, Entry{Kind: Aborted, Node: "n1", Actor: "ada"}))
	f.through(t)
	assert.Equal(t, Incomplete, f.state().Status())
	assert.Contains(t, f.state().End.Text, "not undone: a")
}

// A step that fails stops the run, until a person has it tried again; with on_failure it is undone.
func TestFailure(t *testing.T) {
	for _, policy := range []string{"stop", "undo"} {
		f := begin(t, strings.Replace(seven, "zone:", "on_failure: "+policy+"\nzone:", 1), nil)
		f.pools["us"] = PoolState{Known: true, Endpoints: 2}
		f.through(t)
		f.now = f.now.Add(11 * time.Minute)
		why := f.through(t)
		if policy == "undo" {
			assert.Equal(t, GaveUp, f.state().Status())
			continue
		}
		assert.Equal(t, "not within 10m: us: 0 of 2 endpoints are up", why)
		assert.Equal(t, Stopped, f.state().Status())
		require.NoError(t, f.store.Add(f.run, f.now, Entry{Kind: Retried, Step: 1, Attempt: 1, Node: "n1", Actor: "ada"}))
		f.through(t)
		assert.Equal(t, 2, f.state().Steps[1].Attempt)
		assert.Equal(t, Running, f.state().Status())
		f.pools["us"] = PoolState{Known: true, Endpoints: 2, Up: 2}
		f.refuse = errors.New("refused by never_empty")
		f.through(t)
		assert.Contains(t, f.state().Why(f.plan), "never_empty")
	}
}

// An order that somebody ended is not placed again.
func TestEndedByAnother(t *testing.T) {
	f := begin(t, "plan: p\nzone: example.org\nsteps:\n- drain: {pool: eu}\n", nil)
	f.one(t, 2)
	f.one(t, 1)
	for id := range f.orders {
		delete(f.orders, id)
		f.ended[id] = true
	}
	assert.Contains(t, f.through(t), "was ended by somebody else")
}

func TestPauseAndApprove(t *testing.T) {
	f := begin(t, "plan: p\nzone: example.org\nsteps:\n- {name: yes, approve: {role: admin}}\n- drain: {pool: eu}\n", nil)
	assert.Contains(t, f.through(t), "somebody with the role admin has to approve")
	assert.Equal(t, Waiting, f.state().Status())
	require.NoError(t, f.store.Add(f.run, f.now, Entry{Kind: Paused, Sub: 1, Node: "n2", Actor: "ada", Text: "wait"}, Entry{Kind: Approved, Node: "n3", Actor: "bob"}))
	assert.Equal(t, "paused by ada: wait", f.through(t))
	require.NoError(t, f.store.Add(f.run, f.now, Entry{Kind: Resumed, Sub: 2, Node: "n1", Actor: "ada"}))
	assert.Equal(t, "it is over", f.through(t))
	assert.Equal(t, "approved by bob", f.state().Steps[0].Ended.Text)
}

// A practice leaves out hooks and gates, holds, and is undone; its orders end by themselves too. What goes wrong meanwhile ends it.
func TestPractice(t *testing.T) {
	for _, trouble := range []string{"", "www answers on a last resort"} {
		f := world(t, func(r *Run) { r.Practice = true })
		f.through(t)
		f.now = f.now.Add(10 * time.Second)
		f.through(t)
		for _, i := range f.orders {
			assert.False(t, i.Forever)
			assert.True(t, i.End.After(f.now.Add(10*time.Minute)))
		}
		f.traces[f.store.Run(f.run).OrderID(5, 1, 0)] = Trace{Out: true, Known: true, Within: 12 * time.Second}
		assert.Equal(t, "holds for another 10m0s", f.through(t))
		if trouble == "" {
			f.now = f.now.Add(10 * time.Minute)
		}
		f.trouble = trouble
		assert.Equal(t, "it is over", f.through(t))
		assert.Empty(t, f.orders)
		assert.Empty(t, f.called)
		assert.Equal(t, []string{"skipped", "done", "undone", "skipped", "undone", "undone", "done"}, f.statuses())
		if trouble == "" {
			assert.Equal(t, Succeeded, f.state().Status())
			assert.Equal(t, "practised, and undone", f.state().End.Text)
		} else {
			assert.Equal(t, GaveUp, f.state().Status())
			assert.Equal(t, "undone: "+trouble, f.state().End.Text)
		}
	}
}

// Data that is further behind than the rpo stops a run, and what was measured is in the evidence.
func TestLag(t *testing.T) {
	f := begin(t, "plan: p\nzone: example.org\nsteps:\n- verify: {lag: us, rpo: 30s}\n", nil)
	step, why := Stops(Foresee(f.plan, f.store.Run(f.run), f))
	assert.Equal(t, 1, step)
	assert.Contains(t, why, "how far pool us is behind is not known")
	f.lag = new(float64)
	*f.lag = 90
	assert.Equal(t, "pool us is 90 s behind, more than 30 s", f.through(t))
	*f.lag = 2.5
	f.through(t)
	require.Equal(t, Succeeded, f.state().Status())
	e := EvidenceOf(f.plan, f.store.Run(f.run), f, "n1", f.now)
	require.NotNil(t, e.RPOSeconds)
	assert.InDelta(t, 2.5, *e.RPOSeconds, 0)
	assert.Contains(t, e.Markdown(), "| RPO | 2.500 s |")
}

func TestVariants(t *testing.T) {
	f := begin(t, "plan: p\nsteps:\n- {name: a, only: graceful, wait: {for: 1h}}\n- {name: b, only: ungraceful, freeze: true}\n", func(r *Run) { r.Variant = config.PlanUngraceful })
	assert.Equal(t, "it is over", f.through(t))
	assert.Equal(t, []string{"skipped", "done"}, f.statuses())
}

func TestForesee(t *testing.T) {
	f := world(t, nil)
	f.pools["us"] = PoolState{Known: true, Endpoints: 2, Up: 1}
	step, why := Stops(Foresee(f.plan, f.store.Run(f.run), f))
	assert.Equal(t, []any{0, ""}, []any{step, why}, "the hook is there to bring it up")
	f.refuse = errors.New("refused by never_empty: service www: nothing would be left")
	step, why = Stops(Foresee(f.plan, f.store.Run(f.run), f))
	assert.Equal(t, []any{6, f.refuse.Error()}, []any{step, why})
	p := world(t, func(r *Run) { r.Practice = true })
	p.pools["us"] = PoolState{Known: true, Endpoints: 2, Up: 1}
	step, why = Stops(Foresee(p.plan, p.store.Run(p.run), p))
	assert.Equal(t, []any{2, "us: 1 of 2 endpoints are up, unless that changes within 10m"}, []any{step, why})
}

func TestWindow(t *testing.T) {
	p := &config.PlanPractice{Day: time.Tuesday, At: 23 * time.Hour, Window: 2 * time.Hour}
	day := func(d, h, m int) time.Time { return time.Date(2026, 12, d, h, m, 0, 0, time.UTC) }
	for _, tt := range []struct{ now, open time.Time }{
		{day(1, 22, 59), day(1, 23, 0)}, // a Tuesday
		{day(1, 23, 0), day(1, 23, 0)},
		{day(2, 0, 59), day(1, 23, 0)},
		{day(2, 1, 0), day(8, 23, 0)},
		{day(7, 12, 0), day(8, 23, 0)},
	} {
		open, shut := Window(p, tt.now)
		assert.Equal(t, tt.open, open, tt.now)
		assert.Equal(t, 2*time.Hour, shut.Sub(open))
	}
}

func TestOwn(t *testing.T) {
	st := &State{Owner: "n1"}
	nodes := func(heard ...string) (out []Member) {
		for _, name := range []string{"n1", "n2", "n3"} {
			m := Member{Name: name}
			for _, h := range heard {
				m.Heard = m.Heard || h == name
			}
			out = append(out, m)
		}
		return out
	}
	assert.False(t, Own(st, "n2", nodes("n1", "n2", "n3")), "its owner is heard")
	assert.True(t, Own(st, "n2", nodes("n2", "n3")))
	assert.False(t, Own(st, "n3", nodes("n2", "n3")), "n2 does")
	assert.False(t, Own(st, "n2", nodes("n2")), "an island carries on nothing")
	two := nodes("n2")[:2]
	assert.False(t, Own(st, "n2", two), "one of two is no majority")
	two[0].Stopped = true
	assert.True(t, Own(st, "n2", two), "somebody made sure that n1 does not run")
}
