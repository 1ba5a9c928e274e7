package cluster

import (
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/round"
)

// Words are what the nodes say of all that has left the answers of one of them, this node included (docs/design.md section 8). They belong to the
// goroutine that takes rounds in, but for Clear and Earlier.
type Words struct {
	Self    string
	Started time.Time
	// Members and Barrier are nil for a node alone.
	Members *Members
	Barrier *Barrier
	Lives   *Lives
	Transit time.Duration
	Without health.Guards
	// Skew is how far this node's clock is ahead, where a guard of the simulator has instants told by it.
	Skew time.Duration
	// Ask asks another node; nil for a node alone. Loop is the owner's.
	Ask    Ask
	Loop   *loop.Loop
	Logger *slog.Logger

	// Subscribers are those who listen to this node's feeds; nil where it has none.
	Subscribers Subscribers

	listeners listeners
	clearing  atomic.Pointer[clearing] // swapped, never mutated
}

// fewOut is up to how many departures names are always told apart, so that each service has its own times.
const fewOut = 200

// restEvery is in how many rounds one word stands about what is final here: it must not go stale, and much may be out for long.
const restEvery = 4

// startSlack is by how much more than that a node's start explains an instant is an answer's: rounding, and the drift of two clocks.
const startSlack = time.Second

// Take takes in what a node says.
func (w *Words) Take(r *gossip.Round, _ time.Time) error {
	return w.Members.peers[r.Node].words.Take(r.Data, r.At)
}

// Encode is what this node says of what has left its own answers, out, or those of a node that is heard; untold is of how much of that
// nothing is said, for want of room.
func (w *Words) Encode(out *departure.Set, now time.Time) (b []byte, untold int) {
	book := w.Lives.book
	words := make(map[ledger.RDataKey]*round.RDataWord)
	names := make(map[ledger.RDataKey]map[ledger.OwnerKey]bool)
	add := func(k ledger.RDataKey, own bool) map[ledger.OwnerKey]bool {
		if words[k] == nil {
			words[k], names[k] = &round.RDataWord{RData: k, Word: w.word(book.WordOf(k, now), now), Own: own}, make(map[ledger.OwnerKey]bool)
		}
		return names[k]
	}
	for k, a := range book.Absences() {
		// What is final is not in every round, where there is much.
		if out.Final(k) && out.Many() && int(k[0])%restEvery != int(w.clock(now)/time.Second)%restEvery {
			continue
		}
		of := add(k, true)
		for owner := range a.Names {
			of[owner] = true
		}
	}
	for _, p := range w.Members.peers {
		p.words.EachOwn(now.Add(-freshFor), func(k ledger.RDataKey, owners []ledger.OwnerKey) {
			of := add(k, false)
			for _, owner := range owners {
				of[owner] = true
			}
		})
	}
	list := make([]round.RDataWord, 0, len(words))
	for k, one := range words {
		if w.apart(k, one.Verb, out.Len(), now) {
			for owner := range names[k] {
				one.Names = append(one.Names, round.NameWord{Owner: owner, Word: w.word(book.Word(ledger.Key{Owner: owner, RData: k}, now), now)})
			}
			slices.SortFunc(one.Names, func(a, b round.NameWord) int { return slices.Compare(a.Owner[:], b.Owner[:]) })
		}
		list = append(list, *one)
	}
	return round.EncodeWords(w.Members.boot, w.clock(now), list)
}

// apart tells whether names are to be told apart: some node answers the RDATA under one of them, or there is room for all.
func (w *Words) apart(k ledger.RDataKey, own ledger.Verb, out int, now time.Time) bool {
	if own != ledger.Out || out <= fewOut && !w.Without.Without(health.GuardNames) {
		return true
	}
	for _, p := range w.Members.peers {
		if g, ok := p.words.RData(k); ok && g.Verb != ledger.Out && now.Sub(g.At) < freshFor {
			return true
		}
	}
	return false
}

// clock is this run's time, as rounds tell it.
func (w *Words) clock(now time.Time) time.Duration {
	return now.Sub(w.Started).Truncate(time.Millisecond)
}

// word is a word of the book as it travels: durations, and no instants.
func (w *Words) word(of ledger.Word, now time.Time) round.Word {
	out := round.Word{Verb: of.Verb}
	if of.Verb != ledger.Out {
		return out
	}
	out.Left, out.Age = of.Until.Sub(now)+w.skew(), now.Sub(of.Since)
	if w.Without.Without(health.GuardSigned) {
		out.Left = max(0, out.Left)
	}
	return out
}

// skew is 0: nothing is told by a clock.
func (w *Words) skew() time.Duration {
	if w.Without.Without(health.GuardDurations) {
		return w.Skew
	}
	return 0
}

// An Instant is what the words were at one instant: of the nodes that were configured then, and by the files that this node served.
type Instant struct {
	*Words
	now        time.Time
	configured []string
	own        config.Hash
	// orders are those that this node has, holders who else has them; nil for a node alone.
	orders  OwnOrders
	holders *Holders
}

// OwnOrders are those that a node has: those in force and planned, and what tells all that it has on its disk from others.
type OwnOrders interface {
	Open(now time.Time) []health.Intent
	Digest() [16]byte
}

// At are the words at now of a node that serves the files with the hash own and has the orders, of which holders have some; nil for a node alone.
func (w *Words) At(now time.Time, own config.Hash, orders OwnOrders, holders *Holders) *Instant {
	return &Instant{Words: w, now: now, configured: w.Members.Configured(now), own: own, orders: orders, holders: holders}
}

// Said are the words of all configured nodes about a subject: a holding, or, with a zero owner, RDATA under all names.
func (w *Instant) Said(of ledger.Key) []ledger.Said {
	out := make([]ledger.Said, 0, max(1, len(w.configured)))
	m := w.Members
	if m == nil {
		return append(out, w.ownSaid(of))
	}
	for _, name := range w.configured {
		if name == m.self {
			out = append(out, w.ownSaid(of))
		} else {
			out = append(out, w.peerSaid(of, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.removed)) {
		// What it answered before is in caches all the same.
		out = append(out, w.declared(ledger.Said{Node: name}, m.removed[name]))
	}
	return out
}

func (w *Instant) ownSaid(of ledger.Key) ledger.Said {
	var word ledger.Word
	if book := w.Lives.book; of.Owner == (ledger.OwnerKey{}) {
		word = book.WordOf(of.RData, w.now)
	} else {
		word = book.Word(of, w.now)
	}
	s := ledger.Said{Node: w.Self, Verb: word.Verb, Quiet: word.Since, Until: word.Until, After: w.now, Since: w.now}
	unnamed := w.Lives.greatest.Unnamed()
	switch {
	case word.Verb == ledger.Answering:
		s.Why = "answers with it"
	case word.Verb == ledger.Leaving:
		s.Why = "has answers under way"
	case w.Members != nil && !w.Barrier.Open():
		s.Verb, s.Why = ledger.Unnamed, "joins the cluster"
	case w.Members != nil && !w.Lives.IsCompared():
		s.Verb, s.Why = ledger.Unnamed, "is being compared with what the other nodes remember of it"
	case unnamed != "":
		s.Verb, s.Why = ledger.Unnamed, unnamed
		s.Conditional = s.Until
	}
	return s
}

// peerSaid is what another node says, or what stands in the place of its word.
func (w *Instant) peerSaid(of ledger.Key, name string) ledger.Said {
	s := ledger.Said{Node: name}
	if at, ok := w.Members.stopped[name]; ok {
		return w.declared(s, at)
	}
	p := w.Members.peers[name]
	if p == nil {
		s.Why = "not in this node's roster"
		return s
	}
	s.Since, s.Lease = p.at, p.heard.Lease
	g, ok := p.words.Holding(of)
	if of.Owner == (ledger.OwnerKey{}) {
		g, ok = p.words.RData(of.RData)
	}
	fresh, after := w.freshWord(p, &g, ok)
	switch {
	case p.at.IsZero():
		s.Why = "never heard"
		return s
	case !fresh && !p.hearsMe(w.Started, w.now):
		return w.silentSaid(s, p)
	case p.older:
		s.Why = "came back with an older state, and joins anew"
		return s
	case p.joining:
		s.Why = "joins the cluster, or is being compared with what the others remember of it"
		return s
	case !fresh && w.Without.Without(health.GuardNamed):
		s.Verb, s.After = ledger.Out, w.now
		return s
	case !fresh:
		s.Why = "has not said"
		return s
	}
	s.Verb, s.After = g.Verb, after
	switch g.Verb {
	case ledger.Answering:
		s.Why = "answers it"
	case ledger.Leaving:
		s.Why = "has answers under way"
	case ledger.Out:
		s.Quiet, s.Until = g.At.Add(-g.Age), g.At.Add(g.Left-w.skew())
		// Without an answer of its own a run says that an earlier one may have given one: at its start, of the greatest TTL.
		s.Answered = g.Clock+g.Left > ledger.Slow(w.Lives.GreatestOf(name))+startSlack
	}
	return s
}

// freshWord tells whether a word echoes a round that this node made less than freshFor ago, and when that was.
func (w *Instant) freshWord(p *peer, g *round.Given, ok bool) (fresh bool, after time.Time) {
	if !ok {
		return false, after
	}
	if w.Without.Without(health.GuardEcho) {
		return w.now.Sub(g.At) < freshFor, g.At
	}
	mine, ok := p.echoed(g)
	after = w.Started.Add(mine)
	return ok && (w.now.Sub(after) < freshFor || w.Without.Without(health.GuardSilent)), after
}

// declared is an operator's word that a node does not run.
func (w *Instant) declared(s ledger.Said, at time.Time) ledger.Said {
	greatest := w.Lives.GreatestOf(s.Node)
	if w.Without.Without(health.GuardStopped) {
		greatest = 0
	}
	s.Verb, s.Stopped, s.Quiet, s.Until, s.After = ledger.Out, true, at, at.Add(ledger.Slow(greatest)), w.now
	return s
}

// silentSaid is what is known of a node that is not heard, or does not hear this one.
func (w *Instant) silentSaid(s ledger.Said, p *peer) ledger.Said {
	if f, ok := w.Members.fences[s.Node]; ok {
		s.Verb, s.Fenced, s.Quiet, s.After = ledger.Out, true, f.At.Add(LeaseWrite), f.To
		s.Until = s.Quiet.Add(ledger.Slow(w.Lives.GreatestOf(s.Node)))
		return s
	}
	s.Why = "not heard since"
	if p.fresh {
		s.Why = "does not hear this node"
		return s
	}
	s.Conditional = p.at.Add(ledger.Slow(w.Lives.GreatestOf(s.Node)))
	return s
}

// OtherFiles are the configured nodes that say that they serve other files than this one.
func (w *Instant) OtherFiles() (others []string) {
	for _, name := range w.configured {
		p := w.Members.peers[name]
		if name != w.Self && p != nil && p.fresh && !p.statusAt.IsZero() && p.status.Config != w.own {
			others = append(others, name)
		}
	}
	return others
}

// Others are the other configured nodes, as to whether they answer as this one does; alone is set where there is no cluster.
func (w *Instant) Others() (others []departure.Other, alone bool) {
	m := w.Members
	if m == nil {
		return nil, true
	}
	digest := w.orders.Digest()
	for _, name := range w.configured {
		if name == m.self {
			continue
		}
		p := m.peers[name]
		o := departure.Other{Node: name, Stopped: m.stopped[name], Greatest: w.Lives.GreatestOf(name)}
		switch {
		case p == nil || p.at.IsZero():
			o.Silent = ledger.Silent{Why: "never heard"}
		case !p.fresh:
			o.Silent = ledger.Silent{Why: "not heard since", Since: p.direct}
		case p.joining || p.older:
			o.Silent = ledger.Silent{Why: "joins the cluster, or is being compared"}
		case p.statusAt.IsZero() || p.status.Config != w.own:
			o.Silent = ledger.Silent{Why: "serves other files", Answering: true}
		default:
			o.Heard, o.SameOrders, o.Starts = p.at, p.status.Intents == digest, w.starts(name)
			o.Cells, o.CellsAfter = w.cellsOf(p)
		}
		others = append(others, o)
	}
	return others, false
}

// starts are when the orders about shards begin at a node, by what it said last.
func (w *Instant) starts(name string) map[health.IntentID]time.Time {
	starts := make(map[health.IntentID]time.Time)
	if w.holders == nil {
		return starts
	}
	if k := w.holders.of(name); k != nil {
		for _, s := range k.shards {
			for _, i := range s.Open(w.now) {
				if i.Scope.Kind == health.ScopeShards {
					starts[i.ID] = i.Start
				}
			}
		}
	}
	return starts
}

// Name is that of this node.
func (w *Instant) Name() string { return w.Self }

// Open are the orders that this node has.
func (w *Instant) Open() []health.Intent { return w.orders.Open(w.now) }
