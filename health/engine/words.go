package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// An echo is that a round of another node, made at by of its own clock, had heard a round of this node made at mine of this one's.
type echo struct{ by, mine time.Duration }

// maxEchoes bounds the echoes that are remembered of one node: blocks of one round may arrive apart.
const maxEchoes = 32

// heardMe notes what the latest block of a node says of its hearing this one.
func (p *peer) heardMe(self string, boot round.Boot) {
	if p.echoBoot != p.heard.Boot {
		p.echoes, p.echoBoot = nil, p.heard.Boot
	}
	h, ok := p.heard.Of(self)
	if !ok || h.Boot != boot || h.By.Boot != p.echoBoot {
		return
	}
	if n := len(p.echoes); n > 0 && p.echoes[n-1].by >= h.By.Clock {
		return
	}
	if p.echoes = append(p.echoes, echo{h.By.Clock, h.Clock}); len(p.echoes) > maxEchoes {
		p.echoes = slices.Delete(p.echoes, 0, 1)
	}
}

// echoed is when the newest round of this node was made that a word echoes, in this node's clock; ok is unset where it echoes none.
func (p *peer) echoed(g *round.Given) (mine time.Duration, ok bool) {
	if g.Boot != p.echoBoot {
		return 0, false
	}
	for i := len(p.echoes) - 1; i >= 0; i-- {
		if p.echoes[i].by <= g.Clock {
			return p.echoes[i].mine, true
		}
	}
	return 0, false
}

// wordsPart is what nodes say of all that has left the answers of a node that is heard. What left for good is news.
func (e *Engine) wordsPart() cluster.Part {
	return cluster.Part{Key: round.PartWords, Spare: true, Encode: func(now time.Time) ([]byte, any) { return e.encodeWords(now), e.issued.count },
		Take: func(r *gossip.Round, _ time.Time) error { return e.cluster.peers[r.Node].words.Take(r.Data, r.At) }}
}

// encodeWords is what this node says of it.
func (e *Engine) encodeWords(now time.Time) []byte {
	book := e.issued.book
	words := make(map[ledger.RDataKey]*round.RDataWord)
	names := make(map[ledger.RDataKey]map[ledger.OwnerKey]bool)
	add := func(k ledger.RDataKey, own bool) map[ledger.OwnerKey]bool {
		if w := words[k]; w == nil {
			words[k], names[k] = &round.RDataWord{RData: k, Word: e.roundWord(book.WordOf(k, now), now), Own: own}, make(map[ledger.OwnerKey]bool)
		}
		return names[k]
	}
	for k, a := range book.Absences() {
		if !e.tellsOf(k, now) {
			continue
		}
		of := add(k, true)
		for owner := range a.Names {
			of[owner] = true
		}
	}
	for _, p := range e.cluster.peers {
		p.words.EachOwn(now.Add(-freshFor), func(k ledger.RDataKey, owners []ledger.OwnerKey) {
			of := add(k, false)
			for _, owner := range owners {
				of[owner] = true
			}
		})
	}
	list := make([]round.RDataWord, 0, len(words))
	for k, w := range words {
		if e.apart(k, w.Verb, now) {
			for owner := range names[k] {
				w.Names = append(w.Names, round.NameWord{Owner: owner, Word: e.roundWord(book.Word(ledger.Key{Owner: owner, RData: k}, now), now)})
			}
			slices.SortFunc(w.Names, func(a, b round.NameWord) int { return slices.Compare(a.Owner[:], b.Owner[:]) })
		}
		list = append(list, *w)
	}
	out, untold := round.EncodeWords(e.cluster.lease.boot, e.clock(now), list)
	e.metrics.cluster.unsaid.Set(float64(untold))
	return out
}

// restEvery is in how many rounds one word stands about what is final here: it must not go stale, and much may be out for long.
const restEvery = 4

// tellsOf tells whether RDATA that has left is to be in the round at now.
func (e *Engine) tellsOf(k ledger.RDataKey, now time.Time) bool {
	d := e.issued.departures[ledger.Key{RData: k}]
	return d == nil || !d.bound.Final || len(e.issued.departures) < manyOut || int(k[0])%restEvery == int(e.clock(now)/time.Second)%restEvery
}

// fewOut is up to how many departures names are always told apart, so that each service has its own times.
const fewOut = 200

// apart tells whether names are to be told apart: some node answers the RDATA under one of them, or there is room for all.
func (e *Engine) apart(k ledger.RDataKey, own ledger.Verb, now time.Time) bool {
	if own != ledger.Out || len(e.issued.departures) <= fewOut && !e.opts.Without.Without(health.GuardNames) {
		return true
	}
	for _, p := range e.cluster.peers {
		if g, ok := p.words.RData(k); ok && g.Verb != ledger.Out && now.Sub(g.At) < freshFor {
			return true
		}
	}
	return false
}

// clock is this run's time, as rounds tell it.
func (e *Engine) clock(now time.Time) time.Duration {
	return now.Sub(e.started).Truncate(time.Millisecond)
}

// roundWord is a word of the book as it travels: durations, and no instants.
func (e *Engine) roundWord(w ledger.Word, now time.Time) round.Word {
	out := round.Word{Verb: w.Verb}
	if w.Verb != ledger.Out {
		return out
	}
	out.Left, out.Age = w.Until.Sub(now)+e.skew(), now.Sub(w.Since)
	if e.opts.Without.Without(health.GuardSigned) {
		out.Left = max(0, out.Left)
	}
	return out
}

// skew is 0: nothing is told by a clock.
func (e *Engine) skew() time.Duration {
	if e.opts.Without.Without(health.GuardDurations) {
		return e.opts.Skew
	}
	return 0
}

// A subject is what nodes say something of: a holding, or, with a zero owner, RDATA under all names.
type subject = ledger.Key

// said are the words of all configured nodes about a subject, as this node has them at now.
func (e *Engine) said(of subject, configured []string, now time.Time) []ledger.Said {
	out := make([]ledger.Said, 0, max(1, len(configured)))
	if e.cluster == nil {
		return append(out, e.ownSaid(of, now))
	}
	for _, name := range configured {
		switch {
		case name == e.cluster.self:
			out = append(out, e.ownSaid(of, now))
		default:
			out = append(out, e.peerSaid(of, name, now))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.cluster.removed)) {
		// What it answered before is in caches all the same.
		out = append(out, e.declared(ledger.Said{Node: name}, e.cluster.removed[name], now))
	}
	return out
}

func (e *Engine) ownSaid(of subject, now time.Time) ledger.Said {
	var w ledger.Word
	if of.Owner == (ledger.OwnerKey{}) {
		w = e.issued.book.WordOf(of.RData, now)
	} else {
		w = e.issued.book.Word(of, now)
	}
	s := ledger.Said{Node: e.opts.Node, Verb: w.Verb, Quiet: w.Since, Until: w.Until, After: now, Since: now}
	switch {
	case w.Verb == ledger.Answering:
		s.Why = "answers with it"
	case w.Verb == ledger.Leaving:
		s.Why = "has answers under way"
	case e.cluster != nil && !e.cluster.gate.open:
		s.Verb, s.Why = ledger.Unnamed, "joins the cluster"
	case e.cluster != nil && !e.isCompared():
		s.Verb, s.Why = ledger.Unnamed, "is being compared with what the other nodes remember of it"
	case e.issued.greatest.unnamed != "":
		s.Verb, s.Why = ledger.Unnamed, e.issued.greatest.unnamed
		s.Conditional = s.Until
	}
	return s
}

// peerSaid is what another node says, or what stands in the place of its word.
func (e *Engine) peerSaid(of subject, name string, now time.Time) ledger.Said {
	c := e.cluster
	s := ledger.Said{Node: name}
	if at, ok := c.stopped[name]; ok {
		return e.declared(s, at, now)
	}
	p := c.peers[name]
	if p == nil {
		s.Why = "not in this node's roster"
		return s
	}
	s.Since, s.Lease = p.at, p.heard.Lease
	g, ok := p.words.Holding(of)
	if of.Owner == (ledger.OwnerKey{}) {
		g, ok = p.words.RData(of.RData)
	}
	fresh, after := e.freshWord(p, &g, ok, now)
	switch {
	case p.at.IsZero():
		s.Why = "never heard"
		return s
	case !fresh && !p.hearsMe(e, now):
		return e.silentSaid(s, p, now)
	case p.older:
		s.Why = "came back with an older state, and joins anew"
		return s
	case p.joining:
		s.Why = "joins the cluster, or is being compared with what the others remember of it"
		return s
	case !fresh && e.opts.Without.Without(health.GuardNamed):
		s.Verb, s.After = ledger.Out, now
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
		s.Quiet, s.Until = g.At.Add(-g.Age), g.At.Add(g.Left-e.skew())
	}
	return s
}

// freshWord tells whether a word echoes a round that this node made less than freshFor ago, and when that was.
func (e *Engine) freshWord(p *peer, g *round.Given, ok bool, now time.Time) (fresh bool, after time.Time) {
	if !ok {
		return false, after
	}
	if e.opts.Without.Without(health.GuardEcho) {
		return now.Sub(g.At) < freshFor, g.At
	}
	mine, ok := p.echoed(g)
	after = e.started.Add(mine)
	return ok && (now.Sub(after) < freshFor || e.opts.Without.Without(health.GuardSilent)), after
}

// hearsMe tells whether the node has lately said that it hears this one, so that what it does not say is a choice and not silence.
func (p *peer) hearsMe(e *Engine, now time.Time) bool {
	n := len(p.echoes)
	return p.fresh && n > 0 && now.Sub(e.started.Add(p.echoes[n-1].mine)) < freshFor
}

// declared is an operator's word that a node does not run.
func (e *Engine) declared(s ledger.Said, at, now time.Time) ledger.Said {
	greatest := e.greatestOf(s.Node)
	if e.opts.Without.Without(health.GuardStopped) {
		greatest = 0
	}
	s.Verb, s.Stopped, s.Quiet, s.Until, s.After = ledger.Out, true, at, at.Add(ledger.Slow(greatest)), now
	return s
}

// silentSaid is what is known of a node that is not heard, or does not hear this one.
func (e *Engine) silentSaid(s ledger.Said, p *peer, now time.Time) ledger.Said {
	if f, ok := e.cluster.lease.fences[s.Node]; ok {
		s.Verb, s.Fenced, s.Quiet, s.After = ledger.Out, true, f.At.Add(cluster.LeaseWrite), f.To
		s.Until = s.Quiet.Add(ledger.Slow(e.greatestOf(s.Node)))
		return s
	}
	s.Why = "not heard since"
	if p.fresh {
		s.Why = "does not hear this node"
		return s
	}
	s.Conditional = p.at.Add(ledger.Slow(e.greatestOf(s.Node)))
	return s
}
