package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// maxLives bounds the starts that the disk keeps: a peer that was away for more of them takes this node for a restored copy.
const maxLives = 64

// lives are the starts of this node, and what it remembers of the other nodes' disks (docs/design.md section 8). Owned by Run's goroutine.
type lives struct {
	boot round.Boot
	// writes counts the durable writes of all lives, written are those that are on disk.
	writes, written uint64
	// past are the earlier starts, oldest first.
	past []round.Life
	// nodes are what this node remembers, told what of that is on disk, lowered until when a greatest TTL counts that is not the latest.
	nodes, told map[string]round.Remembered
	lowered     map[string]lowered
	// names are all that ever were configured.
	names map[string]bool
	// rejoined is set once this life has passed the join barrier, compared once every configured node has compared it with what it
	// remembers.
	rejoined, compared bool
	// young is set for as long as an answer of before this node began to remember others may be in caches: its state was lost, or is new.
	young bool
	// before is the greatest TTL that the other nodes remember of earlier lives.
	before time.Duration
	// intents is the digest of the orders that writes counts.
	intents [16]byte
	// unsaved is set while something waits for the next save.
	unsaved bool
}

type lowered struct {
	ttl   time.Duration
	until time.Time
}

// openLives begins this life. saved is what is on disk.
func (e *Engine) openLives(saved savedLedger, now time.Time) {
	l := &e.lives
	*l = lives{nodes: make(map[string]round.Remembered), told: make(map[string]round.Remembered), lowered: make(map[string]lowered), names: make(map[string]bool)}
	for _, s := range saved.Lives {
		l.past = append(l.past, round.Life(s))
		l.writes = max(l.writes, s.Writes)
	}
	l.writes++
	for name, m := range saved.Nodes {
		r := round.Remembered{Life: round.Life(m.savedLife), Incarnation: m.Incarnation, Greatest: ttlSeconds(m.GreatestTTLSeconds)}
		l.nodes[name], l.told[name] = r, r
	}
	for _, name := range saved.Names {
		l.names[name] = true
	}
	if e.cluster != nil {
		l.boot, l.intents = e.cluster.lease.boot, e.intents.Kept().Digest()
		e.nameNodes(now)
	}
}

// savedLedger is what the disk is to have.
func (e *Engine) savedLedger() *savedLedger {
	l, g := &e.lives, &e.issued.greatest
	out := &savedLedger{Version: ledgerVersion, GreatestTTLSeconds: limit(g.disk), Unnamed: g.unnamed != "" || e.issued.asks, Young: l.young}
	for _, p := range l.past[max(0, len(l.past)-maxLives):] {
		out.Lives = append(out.Lives, savedLife(p))
	}
	out.Lives = append(out.Lives, savedLife{l.boot, l.writes})
	if len(l.nodes) > 0 {
		out.Nodes = make(map[string]savedMemory, len(l.nodes))
	}
	for name, r := range l.nodes {
		out.Nodes[name] = savedMemory{savedLife(r.Life), r.Incarnation, limit(r.Greatest)}
	}
	out.Names = slices.Sorted(maps.Keys(l.names))
	return out
}

// save has the file written; done is called on Run's goroutine.
func (e *Engine) save(saved *savedLedger, done func(error)) {
	if e.issued.writer == nil {
		return
	}
	nodes, writes := maps.Clone(e.lives.nodes), e.lives.writes
	e.issued.writer.Save(saved, func(err error) {
		e.loop.Post(func(time.Time) {
			if err == nil {
				e.lives.told, e.lives.written = nodes, max(e.lives.written, writes)
			}
			e.issued.unkept = err
			if done != nil {
				done(err)
			}
		})
	})
}

// saveLives has what changed written.
func (e *Engine) saveLives() { e.save(e.savedLedger(), nil) }

// kept notes that all of it is on disk.
func (l *lives) kept() { l.told, l.written = maps.Clone(l.nodes), l.writes }

// mindYoung ends that this node began to remember others too lately to speak of what they answered before.
func (e *Engine) mindYoung(now time.Time) {
	if e.lives.young && now.Sub(e.started) > ledger.Slow(config.MaxTTL)+e.opts.Transit {
		e.lives.young, e.lives.unsaved = false, true
	}
}

// countWrites counts what was written of orders since the last time: a disk that lacks it is an older one.
func (e *Engine) countWrites() {
	l := &e.lives
	if digest := e.intents.Kept().Digest(); digest != l.intents {
		l.intents = digest
		l.writes++
		l.unsaved = true
	}
	if l.unsaved {
		l.unsaved = false
		e.saveLives()
	}
}

// nameNodes adds the nodes of all rosters that are heard to those that are configured.
func (e *Engine) nameNodes(time.Time) {
	c, l := e.cluster, &e.lives
	add := func(name string) {
		if !l.names[name] {
			l.names[name], l.unsaved = true, true
		}
	}
	add(c.self)
	for name, p := range c.peers {
		add(name)
		for _, other := range p.said.Roster() {
			add(other)
		}
	}
}

// livesPart is what a node says of its own starts and of those of the others. The greatest TTL on its disk is news.
func (e *Engine) livesPart() cluster.Part {
	return cluster.Part{Key: round.PartLives, Encode: func(time.Time) ([]byte, any) {
		return e.ownLives().Encode(e.cluster.others()), e.issued.greatest.disk
	}, Take: func(r *gossip.Round, _ time.Time) error { return e.takeLives(e.cluster.peers[r.Node], r) }}
}

func (e *Engine) ownLives() *round.Lives {
	l, greatest := &e.lives, e.issued.greatest.disk
	if e.issued.asks || e.issued.greatest.unnamed != "" {
		greatest = round.Unnamed
	}
	return &round.Lives{
		Self:    round.Remembered{Life: round.Life{Boot: l.boot, Writes: l.written}, Incarnation: e.incarnation(), Greatest: greatest},
		Joining: !e.cluster.gate.open || e.issued.greatest.unnamed != "" || !e.isCompared(), Rejoined: l.rejoined, Young: l.young,
		Lives: append(slices.Clone(l.past), round.Life{Boot: l.boot, Writes: l.written}), Others: l.told,
	}
}

// isCompared tells whether every configured node has compared this life with what it remembers, so that who remembers more has had its say.
func (e *Engine) isCompared() bool {
	l, c := &e.lives, e.cluster
	if l.compared || e.opts.Without.Without(health.GuardCompared) {
		return true
	}
	for _, name := range e.configuredNames(time.Now()) {
		if name == c.self || !c.stopped[name].IsZero() {
			continue
		}
		if p := c.peers[name]; p == nil || p.ofMe.Boot != l.boot {
			return false
		}
	}
	l.compared = true
	return true
}

// takeLives takes in what another node says of its starts, and of this node's.
func (e *Engine) takeLives(p *peer, r *gossip.Round) error {
	said, err := round.ParseLives(r.Data)
	if err != nil {
		return err
	}
	l := &e.lives
	if k, ok := l.nodes[p.name]; ok && said.Self.Boot != k.Boot && k.Boot != (round.Boot{}) && !e.opts.Without.Without(health.GuardRestored) {
		if !said.Rejoined && k.Lacks(said.Lives) {
			// A copy of an older disk: what it says does not count until it has joined anew.
			p.older = true
			return nil
		}
	}
	p.older, p.joining = false, said.Joining
	e.rememberDisk(p.name, said.Self)
	for _, name := range e.cluster.others() {
		if m, ok := said.Of(name); ok && name != p.name {
			if k := l.nodes[name]; m.Newer(&k) {
				e.rememberDisk(name, m)
			}
		}
	}
	m, ok := said.Of(e.cluster.self)
	if !ok {
		return nil
	}
	if p.ofMe = m; m.Boot == l.boot {
		return nil
	}
	if all := append(slices.Clone(l.past), round.Life{Boot: l.boot, Writes: l.writes}); !l.rejoined && m.Lacks(all) && e.cluster.gate.open && !e.opts.Without.Without(health.GuardRestored) {
		e.wasRestored(p.name)
	}
	return nil
}

// rememberDisk keeps what a node says of its disk.
func (e *Engine) rememberDisk(name string, r round.Remembered) {
	l := &e.lives
	k := l.nodes[name]
	if k == r {
		return
	}
	if r.Greatest < k.Greatest && k.Greatest != round.Unnamed {
		// It goes on counting where the node is declared stopped, or fenced, until no cache can hold what it allowed.
		l.lowered[name] = lowered{max(k.Greatest, e.greatestOf(name)), time.Now().Add(2*ledger.Slow(k.Greatest) + time.Minute)}
	}
	l.nodes[name], l.unsaved = r, true
}

// greatestOf is the greatest TTL that a node told of lately; that of all files, where it never told.
func (e *Engine) greatestOf(name string) time.Duration {
	l := &e.lives
	ttl := l.nodes[name].Greatest
	if ttl == 0 || ttl > config.MaxTTL {
		return config.MaxTTL
	}
	if old, ok := l.lowered[name]; ok && time.Now().Before(old.until) {
		ttl = max(ttl, old.ttl)
	}
	return ttl
}

// wasRestored has this node join anew: another one remembers more of it than it knows itself.
func (e *Engine) wasRestored(by string) {
	c := e.cluster
	e.opts.Logger.Error("this node's state is older than what it told the others: it joins the cluster anew", "says", by)
	e.opts.Events.Add("node.restored", e.opts.Node, fmt.Sprintf("its state is older than what %s remembers of it", by), nil)
	e.lives.compared = false
	e.rejoin()
	c.urgent = true
	e.pokePull()
}
