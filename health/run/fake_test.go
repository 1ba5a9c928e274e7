package run

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A fake is a world of which tests decide, and in which orders have effect at once.
type fake struct {
	now     time.Time
	store   *Store
	run     string
	plan    *config.Plan
	pools   map[string]PoolState
	failing map[string][]string
	orders  map[health.IntentID]health.Intent
	ended   map[health.IntentID]bool
	traces  map[health.IntentID]Trace
	refuse  error
	trouble string
	// lag is how far data is behind, in seconds; nil for not known.
	lag *float64
	// placed counts how often an order took effect, by id.
	placed map[health.IntentID]int
	// called are the keys of the hooks that were called.
	called []string
	node   string
}

func (f *fake) Since(e *Entry) time.Duration               { return f.store.Since(f.run, e, f.now) }
func (f *fake) Pool(_, pool string) PoolState              { return f.pools[pool] }
func (f *fake) Failing(_, check string) ([]string, string) { return f.failing[check], "" }
func (f *fake) Lag(_, pool string) (float64, bool, string) {
	if f.lag == nil {
		return 0, false, "how far pool " + pool + " is behind is not known"
	}
	return *f.lag, true, "pool " + pool + " is " + config.LagText(*f.lag, config.LagSeconds) + " behind"
}

func (f *fake) Order(id health.IntentID) OrderState {
	_, open := f.orders[id]
	return OrderState{Open: open, Ended: f.ended[id], Kept: open}
}

func (f *fake) ofKind(kind health.IntentKind) (out []health.IntentState) {
	for _, i := range f.orders {
		if i.Kind == kind {
			out = append(out, health.IntentState{Intent: i})
		}
	}
	return out
}

func (f *fake) Ready(_, pool string) []health.IntentState {
	return slices.DeleteFunc(f.ofKind(health.IntentReady), func(i health.IntentState) bool { return i.Scope.Pool != pool })
}
func (f *fake) Freezes() []health.IntentState  { return f.ofKind(health.IntentFreeze) }
func (f *fake) Trace(id health.IntentID) Trace { return f.traces[id] }
func (f *fake) Weights(int) (int, int, string) { return 100, 100, "" }
func (f *fake) Admissible(health.Intent) error { return f.refuse }
func (f *fake) Trouble() string                { return f.trouble }
func (f *fake) May(int) string                 { return "" }

// one does the next action, as an executor would, up to a point: 0 nothing, 1 the effect, 2 the effect and its record.
func (f *fake) one(t *testing.T, upTo int) (a Action, more bool) {
	t.Helper()
	r := f.store.Run(f.run)
	st := StateOf(f.plan, r)
	a = Next(f.plan, r, st, f)
	if upTo == 0 {
		return a, true
	}
	switch {
	case len(a.Record) > 0:
		for i := range a.Record {
			a.Record[i].Node, a.Record[i].At = f.node, f.now
		}
		require.NoError(t, f.store.Add(f.run, f.now, a.Record...))
	case a.Place != nil:
		if f.refuse != nil {
			require.NoError(t, f.store.Add(f.run, f.now, FailureOf(st, st.Current(), f.refuse.Error())))
			break
		}
		if !f.ended[a.Place.ID] {
			if _, there := f.orders[a.Place.ID]; !there {
				f.placed[a.Place.ID]++
			}
			f.orders[a.Place.ID] = *a.Place
		}
		for _, id := range a.Replaces {
			delete(f.orders, id)
			f.ended[id] = true
		}
	case len(a.End) > 0:
		for _, id := range a.End {
			delete(f.orders, id)
			f.ended[id] = true
		}
	case a.Call != nil:
		f.called = append(f.called, r.HookKey(f.plan, a.Call.Step, a.Call.Attempt, a.Call.Undo))
		if upTo == 1 {
			break
		}
		e := Entry{Kind: Done, Step: a.Call.Step, Attempt: a.Call.Attempt, Node: f.node}
		if a.Call.Undo {
			e.Kind, e.Attempt = Undone, 0
		}
		require.NoError(t, f.store.Add(f.run, f.now, e))
	default:
		return a, false
	}
	return a, true
}

// through goes on until nothing is left to do now, and returns why.
func (f *fake) through(t *testing.T) string {
	t.Helper()
	for range 1000 {
		a, more := f.one(t, 2)
		if !more {
			return a.Why
		}
	}
	t.Fatal("it never ends")
	return ""
}

func (f *fake) state() *State { return StateOf(f.plan, f.store.Run(f.run)) }

func begin(t *testing.T, text string, change func(r *Run)) *fake {
	t.Helper()
	p, problems := config.ParsePlan("p.yaml", []byte(text), nil)
	require.NotNil(t, p, "%s", problems)
	s, err := Open("", time.Time{})
	require.NoError(t, err)
	f := &fake{
		now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), store: s, plan: p, node: "n1", pools: make(map[string]PoolState), failing: make(map[string][]string),
		orders: make(map[health.IntentID]health.Intent), ended: make(map[health.IntentID]bool), traces: make(map[health.IntentID]Trace),
		placed: make(map[health.IntentID]int),
	}
	r := New(p, "n1", f.now)
	r.Actor, r.Reason = "ada", "test"
	if change != nil {
		change(r)
	}
	f.run = r.ID
	require.NoError(t, s.Start(r, f.now))
	return f
}
