package incident

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

// A fakeWorld says what it was told, by POOL/ENDPOINT, or by the service where the key is SERVICE of an endpoint.
type fakeWorld struct {
	of      map[string]Forgetting
	serves  map[string]bool
	ramping bool
}

func (w *fakeWorld) Forgetting(_ *ledger.Incident, e *ledger.IncidentEndpoint, service string) Forgetting {
	if f, ok := w.of[service+" "+e.Name]; ok {
		return f
	}
	return w.of[e.Name]
}
func (w *fakeWorld) Serves(_, service string) bool { return w.serves[service] }
func (w *fakeWorld) Ramping(string, string) bool   { return w.ramping }
func (w *fakeWorld) Answers(*ledger.IncidentEndpoint, string) (uint64, ledger.Curve, bool) {
	return 25, ledger.Curve{1, 2}, true
}

var base = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(s int) time.Time { return base.Add(time.Duration(s) * time.Second) }

func known(until int) Forgetting {
	return Forgetting{Bound: ledger.Bound{Known: true, SafeAt: at(until), Confirmed: []ledger.Confirmation{{Node: "n1", Quiet: at(1), Until: at(until)}}}}
}

func final(until int) Forgetting {
	f := known(until)
	f.Final, f.Confirmed[0].Given = true, at(until)
	return f
}

func byHealth(s int) *Cause {
	return &Cause{Kind: ledger.ByHealth, Zone: "example.org.", Text: "refused", At: at(s), VerdictAt: at(s)}
}

func member(s int, name string, services ...string) *Member {
	m := &Member{Endpoint: ledger.IncidentEndpoint{Name: name, AZ: "eu-a", LeftAt: at(s), Addresses: []string{"192.0.2.1"}}, Good: at(s - 3), Failed: at(s - 1), Counted: 5}
	for _, svc := range services {
		m.Services = append(m.Services, ledger.IncidentService{Service: svc, RTOSeconds: 30, Since: at(s - 3), AnsweredAt: at(s)})
	}
	return m
}

// One service whose bound is unknown does not hold up another one's.
func TestServicesHaveTheirOwnTimes(t *testing.T) {
	l := Open(Options{Node: "n1"})
	l.Join(byHealth(10), member(10, "web/a", "www"), at(10))
	l.Join(byHealth(11), member(11, "one/x", "single"), at(11))
	require.Len(t, l.all, 1, "a moment later, in the same zone")
	w := &fakeWorld{serves: map[string]bool{"www": true}, of: map[string]Forgetting{
		"www web/a": known(20), "web/a": known(20), "www one/x": known(20),
		"one/x": {Bound: ledger.Bound{Unknown: []ledger.Silent{{Node: "n1", Why: "answers it", Answering: true}}}, Answered: []ledger.StillAnswered{{Endpoint: "one/x", Node: "n1"}}},
	}}
	l.Follow(w, at(12))
	i := l.Incidents()[0]
	require.False(t, i.Known(), "one of its endpoints is answered")
	require.Len(t, i.Answered, 1)
	www, single := i.Services[0], i.Services[1]
	require.InDelta(t, 13, *www.TotalSeconds, 1e-9)
	require.Nil(t, www.WithinRTO, "it is known, and not final: it can only become too late")
	require.Nil(t, single.TotalSeconds)
	require.Nil(t, single.WithinRTO, "it runs")
	require.True(t, single.AnsweredAt.IsZero(), "by nothing that is up")

	w.of["www web/a"], w.of["www one/x"] = final(20), final(20)
	l.Follow(w, at(50))
	i = l.Incidents()[0]
	require.True(t, *i.Services[0].WithinRTO)
	require.False(t, *i.Services[1].WithinRTO, "past its RTO it is missed, whatever comes")
}

// What is final stays; who answers it afterwards is a new fact; it closes once all is back.
func TestForgottenStays(t *testing.T) {
	l := Open(Options{Node: "n1"})
	l.Join(byHealth(10), member(10, "web/a", "www"), at(10))
	w := &fakeWorld{serves: map[string]bool{"www": true}, of: map[string]Forgetting{"web/a": known(20)}}
	l.Follow(w, at(12))
	i := l.Incidents()[0]
	require.True(t, i.Known())
	require.False(t, i.Forgotten())
	require.EqualValues(t, 20, i.Answers, "those that were given before it failed do not count")
	require.EqualValues(t, 3, i.Outstanding)
	w.of["web/a"] = final(20)
	l.Follow(w, at(22))
	require.Equal(t, at(20), l.Incidents()[0].ForgottenAt)

	w.of["web/a"] = Forgetting{Answered: []ledger.StillAnswered{{Endpoint: "web/a", Node: "n3"}}}
	l.Follow(w, at(30))
	i = l.Incidents()[0]
	require.Equal(t, at(20), i.ForgottenAt)
	require.Len(t, i.Answered, 1)
	require.True(t, i.Open())
	w.ramping = true
	l.Returned("example.org.", "web/a", "", false, at(40))
	l.Follow(w, at(41))
	require.True(t, l.Incidents()[0].Open(), "not before it has its whole share")
	w.ramping = false
	l.Follow(w, at(42))
	require.False(t, l.Incidents()[0].Open())
}

// An endpoint that goes out again in an open incident is a relapse, and opens none.
func TestRelapse(t *testing.T) {
	l := Open(Options{Node: "n1"})
	l.Join(byHealth(10), member(10, "web/a", "www"), at(10))
	w := &fakeWorld{ramping: true, serves: map[string]bool{"www": true}, of: map[string]Forgetting{"web/a": final(20)}}
	l.Follow(w, at(25))
	for k := range 22 {
		l.Returned("example.org.", "web/a", "", false, at(100+10*k))
		require.False(t, l.Out("example.org.", "web/a", ""))
		l.Join(byHealth(105+10*k), member(105+10*k, "web/a", "www"), at(105+10*k))
		require.True(t, l.Out("example.org.", "web/a", ""))
	}
	require.Len(t, l.all, 1)
	require.Equal(t, 22, l.all[0].Relapses)
	require.False(t, l.all[0].Forgotten(), "that was of an earlier departure")
}

// Noise of one kind evicts its own, and what is open stays.
func TestEviction(t *testing.T) {
	l := Open(Options{Node: "n1"})
	order := &Cause{Kind: ledger.ByIntent, Zone: "example.org.", Intent: "n1-1-1", Title: "drain az eu-a", At: at(1)}
	l.Join(order, member(1, "web/b", "www"), at(1))
	w := &fakeWorld{serves: map[string]bool{"www": true}, of: map[string]Forgetting{}}
	for k := range 400 {
		s := 100 + 100*k
		name := fmt.Sprintf("web/a%d", k)
		w.of = map[string]Forgetting{name: final(s), "web/b": known(50)}
		l.Join(byHealth(s), member(s, name, "www"), at(s))
		l.Returned("example.org.", name, "", false, at(s+10))
		l.Follow(w, at(s+20))
	}
	require.LessOrEqual(t, len(l.Incidents()), most[ledger.ByHealth]+1)
	require.Equal(t, order.Intent, l.Incidents()[0].Intent)
}

// What a file took out is over once caches have forgotten it.
func TestByConfig(t *testing.T) {
	dir := t.TempDir()
	l := Open(Options{Node: "n1", State: dir})
	cause := &Cause{Kind: ledger.ByConfig, Zone: "example.org.", Text: "removed from the file", At: at(10)}
	m := member(10, "web/a", "www")
	m.Endpoint.Removed = true
	l.Join(cause, m, at(10))
	require.Equal(t, "endpoint web/a taken out by the file", l.all[0].Title)
	w := &fakeWorld{serves: map[string]bool{"www": true}, of: map[string]Forgetting{"web/a": known(30)}}
	l.Follow(w, at(12))
	require.True(t, l.Incidents()[0].Open())
	w.of["web/a"] = final(30)
	l.Follow(w, at(33))
	require.False(t, l.Incidents()[0].Open())
	require.Equal(t, at(30), l.Incidents()[0].ForgottenAt)
}

// An endpoint that left several services is one endpoint.
func TestTitleCountsEndpoints(t *testing.T) {
	i := &ledger.Incident{Kind: ledger.ByConfig, Zone: "example.org."}
	for _, service := range []string{"www.example.org.", "api.example.org."} {
		i.Endpoints = append(i.Endpoints, ledger.IncidentEndpoint{Name: "web/a", AZ: "eu-a", Service: service})
	}
	require.Equal(t, "endpoint web/a taken out by the file", titleOf(i))
	i.Endpoints = append(i.Endpoints, ledger.IncidentEndpoint{Name: "web/b", AZ: "eu-a"})
	require.Equal(t, "az eu-a: 2 endpoints taken out by the file", titleOf(i))
}

// TestForgottenByLaterWords: two endpoints that are forgotten one after the other are forgotten together once every node has said so after the later
// instant, and not by words from before it.
func TestForgottenByLaterWords(t *testing.T) {
	w := &fakeWorld{of: map[string]Forgetting{"web/one": final(20), "web/two": final(30)}, serves: map[string]bool{}}
	l := Open(Options{Node: "n1"})
	cause := &Cause{Kind: ledger.ByHealth, Zone: "example.org.", At: at(1)}
	for _, name := range []string{"web/one", "web/two"} {
		l.Join(cause, &Member{Endpoint: ledger.IncidentEndpoint{Name: name, LeftAt: at(1), Addresses: []string{"192.0.2.1"}}}, at(1))
	}
	l.Follow(w, at(31))
	require.Zero(t, l.Incidents()[0].ForgottenAt)
	require.Equal(t, at(30), l.Incidents()[0].SafeAt)
	again := final(20)
	again.Confirmed[0].Given = at(31)
	w.of["web/one"] = again
	l.Follow(w, at(32))
	require.Equal(t, at(30), l.Incidents()[0].ForgottenAt)
	require.Equal(t, at(30), l.Incidents()[0].Confirmed[0].Given)
}

// TestTimesOfARelapse: an incident with two deaths and a relapse has the times of the first of each, and of the last.
func TestTimesOfARelapse(t *testing.T) {
	l := Open(Options{Node: "n1"})
	cause := &Cause{Kind: ledger.ByHealth, Zone: "example.org.", At: at(10), VerdictAt: at(10)}
	out := func(name string, second int) {
		l.Join(cause, &Member{Endpoint: ledger.IncidentEndpoint{Name: name, LeftAt: at(second), Addresses: []string{"192.0.2.1"}}}, at(second))
	}
	out("web/one", 10)
	out("web/two", 18)
	l.Follow(&fakeWorld{of: map[string]Forgetting{"web/one": known(40), "web/two": known(40)}, serves: map[string]bool{}}, at(19))
	require.Equal(t, at(19), l.all[0].KnownAt)
	l.Returned("example.org.", "web/one", "", false, at(25))
	out("web/one", 34)
	i := l.all[0]
	require.Equal(t, []any{at(10), at(34), at(10), at(34), 1}, []any{i.FirstLeftAt, i.LeftAt, i.Endpoints[0].LeftAt, i.Endpoints[0].LeftAgainAt, i.Relapses})
	require.Zero(t, *i.Phases.Decision)
	require.Zero(t, i.KnownAt, "what left again has its own")
	var moments []string
	for _, m := range i.Timeline() {
		moments = append(moments, m.What)
	}
	require.Contains(t, moments, "the last of it out of this node's answers")
	require.Contains(t, i.Markdown(), ", again 2026-01-01 00:00:34")
}
