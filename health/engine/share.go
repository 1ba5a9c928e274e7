package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/round"
)

const (
	// partIntents is what a node holds of what operators asked for, in the blocks of intent.Set.
	partIntents = "intents"

	// askIntents hands intents to another node, which replies when they are on its disk.
	askIntents = "intents"
	// askPull asks for all intents, with a nonce of this boot that comes back.
	askPull = "pull"
	// askMemory asks besides what the node remembers of the asker's disk, and which nodes are configured.
	askMemory = "pull+memory"
)

// shareTimeout is how long an order waits for one other node to keep it (docs/reliability.md id E3).
const shareTimeout = 2 * time.Second

// intentsPart is what a node has of orders on its disk.
func (e *Engine) intentsPart() cluster.Part {
	return cluster.Part{Key: partIntents, Encode: func(now time.Time) ([]byte, any) {
		kept := e.intents.Kept()
		return kept.Encode(now), kept.Digest()
	}, Take: e.takeIntents}
}

// takeIntents takes in a shard of what another node holds.
func (e *Engine) takeIntents(r *gossip.Round, now time.Time) error {
	if e.pause.covers(r.At) {
		// The next one says it again, with what is left by then.
		return nil
	}
	p := e.cluster.peers[r.Node]
	s, err := intent.Decode(r.Data, r.At)
	p.intents[r.Shard] = s
	for shard := range p.intents {
		if shard >= r.Shards {
			delete(p.intents, shard)
		}
	}
	moved, full := e.takeSet(s, now)
	e.cluster.ordered = e.cluster.ordered || moved
	return errors.Join(err, full)
}

// takeSet merges what another node says. It is in force at once, whether it can be kept or not.
func (e *Engine) takeSet(s intent.Set, now time.Time) (changed bool, err error) {
	changed, err = e.intents.Merge(s.Snap(e.intents.Set(), now), now)
	e.kept.Next(now)
	return changed, err
}

// takeSetKept is takeSet from another goroutine; it returns once the set is in force and on disk. what is done before on Run's goroutine;
// nothing is taken if it fails.
func (e *Engine) takeSetKept(ctx context.Context, s intent.Set, what func(now time.Time) error) error {
	kept := make(chan error, 1)
	err := e.loop.Do(func(now time.Time) error {
		if err := what(now); err != nil {
			return err
		}
		changed, err := e.takeSet(s, now)
		if changed {
			e.applyIntents(now)
			e.publish(now, true)
			e.cluster.urgent = true
		}
		if err != nil {
			return err
		}
		e.kept.WhenKept(func(err error) { kept <- err }, now)
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case err = <-kept:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-e.loop.Ended():
		return loop.ErrEnded
	}
}

// handleIntents is the reply to askIntents.
func (e *Engine) handleIntents(ctx context.Context, from string, body []byte) ([]byte, error) {
	s, unknown := intent.Decode(body, time.Now())
	if unknown != nil && !errors.Is(unknown, intent.ErrKind) {
		return nil, unknown
	}
	return nil, errors.Join(e.takeSetKept(ctx, s, func(now time.Time) error {
		if e.pause.covers(now) {
			return errPaused
		}
		if p := e.cluster.peers[from]; p != nil {
			p.held = p.held.Merge(s)
		}
		return nil
	}), unknown)
}

// share hands intents to every other node, at once and beside the rounds.
func (e *Engine) share(ids []health.IntentID, now time.Time) {
	if e.cluster.alone() {
		return
	}
	e.cluster.urgent = true
	// What is sent is what the others acknowledge: it may move on meanwhile.
	sent := e.intents.Kept().Only(ids...)
	body := sent.Encode(now)
	for name, p := range e.cluster.peers {
		if !p.fresh {
			// It pulls when it is back; and rounds go on.
			continue
		}
		e.loop.Beside(shareTimeout, func(ctx context.Context) {
			_, err := e.cluster.peer.Ask(ctx, name, askIntents, body)
			if err != nil {
				e.opts.Logger.Debug("intents not confirmed", "node", name, "err", err)
				return
			}
			e.loop.Post(func(now time.Time) {
				if p := e.cluster.peers[name]; p != nil {
					p.held = p.held.Merge(sent)
				}
				e.confirm(now)
			})
		})
	}
}

// confirm notes what every configured node holds, and shows who lacks what.
func (e *Engine) confirm(now time.Time) {
	c := e.cluster
	if c == nil {
		return
	}
	set, configured := e.intents.Set(), e.configuredNames(now)
	// What a rule suspends is not confirmed: that would put it in force.
	suspended := make(map[health.IntentID]bool)
	for _, i := range e.Intents() {
		suspended[i.ID] = i.Suspended != nil
	}
	var everywhere []health.IntentID
	for _, id := range set.Unconfirmed() {
		if !suspended[id] && len(c.lacking(configured, set, id)) == 0 {
			everywhere = append(everywhere, id)
		}
	}
	for _, id := range set.Unseen() {
		if len(c.lacking(configured, set, id)) == 0 {
			everywhere = append(everywhere, id)
		}
	}
	if len(everywhere) > 0 {
		e.intents.Everywhere(everywhere)
		e.kept.Next(now)
		e.applyIntents(now)
		e.publish(now, false)
	} else {
		e.showIntents(e.intents.Set().Open(now), now)
	}
}

// A Holding says which nodes have an order.
type Holding struct {
	// Holders are the nodes that have it on disk, this one included, and Missing the configured ones that are not known to;
	// Stopped are those of Missing that somebody declared stopped. All by name.
	Holders, Missing, Stopped []string
	// Alone is set while no other node is heard.
	Alone bool
}

// holding is who has all of ids.
func (e *Engine) holding(ids []health.IntentID, now time.Time) (h Holding) {
	h.Holders = []string{e.opts.Node}
	c := e.cluster
	if c == nil {
		return h
	}
	h.Alone = c.heard <= 1
	if e.opts.Without.Without(health.GuardSecondCopy) {
		h.Holders = append(h.Holders, c.others()...)
		return h
	}
	set, configured := e.intents.Set(), e.configuredNames(now)
	lacks := make(map[string]bool)
	for _, id := range ids {
		for _, name := range c.lacking(configured, set, id) {
			lacks[name] = true
		}
	}
	for _, name := range configured {
		switch {
		case name == c.self:
		case !lacks[name]:
			h.Holders = append(h.Holders, name)
		default:
			h.Missing = append(h.Missing, name)
			if !c.stopped[name].IsZero() {
				h.Stopped = append(h.Stopped, name)
			}
		}
	}
	slices.Sort(h.Holders)
	return h
}

// Enough tells whether the order would survive the loss of this node, or there is no other one.
func (h *Holding) Enough() bool { return len(h.Holders) > 1 || len(h.Missing) == 0 }

// Complete tells whether every node has it that is not declared stopped.
func (h *Holding) Complete() bool { return len(h.Missing) == len(h.Stopped) }

// AwaitHolding returns who has the intents, or their ends, once done says so, and at the latest when ctx ends.
func (e *Engine) AwaitHolding(ctx context.Context, ids []health.IntentID, done func(*Holding) bool) Holding {
	for {
		var h Holding
		shown := e.shownIntents.Load().moved
		if err := e.loop.Do(func(now time.Time) error { h = e.holding(ids, now); return nil }); err != nil {
			return h
		}
		if done(&h) {
			return h
		}
		select {
		case <-ctx.Done():
			return h
		case <-e.loop.Ended():
			return h
		case <-shown:
		}
	}
}

// handlePull is the reply to askPull: the nonce, the asker's greatest incarnation that is known here by its intents, and what
// this node holds.
func (e *Engine) handlePull(_ context.Context, from string, body []byte) (reply []byte, err error) {
	if len(body) != len(gate{}.nonce) {
		return nil, errors.New("not a nonce")
	}
	err = e.loop.Do(func(now time.Time) error {
		reply = append(reply, body...)
		reply = binary.AppendUvarint(reply, e.intents.Set().Incarnation(from))
		reply = append(reply, e.intents.Kept().Encode(now)...)
		return nil
	})
	return reply, err
}

// handleMemory is the reply to askMemory: the nonce, a block of PartLives, its length first, and what handlePull has after the nonce. The
// asker is configured from then on, before it is answered.
func (e *Engine) handleMemory(ctx context.Context, from string, body []byte) (reply []byte, err error) {
	rest, err := e.handlePull(ctx, from, body)
	if err != nil {
		return nil, err
	}
	kept := make(chan error, 1)
	err = e.loop.Do(func(time.Time) error {
		l := &e.lives
		if l.names[from] {
			kept <- nil
		} else {
			l.names[from] = true
			e.save(e.savedLedger(), func(err error) { kept <- err })
		}
		memory := e.livesPartFor(from)
		reply = append(reply, body...)
		reply = binary.AppendUvarint(reply, uint64(len(memory)))
		reply = append(append(reply, memory...), rest[len(body):]...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	select {
	case err = <-kept:
		return reply, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// livesPartFor is livesPart with one node's memory alone, in one block.
func (e *Engine) livesPartFor(name string) []byte { return e.ownLives().Encode([]string{name}) }

// takeMemoryOf takes in what another node remembers of this one's earlier lives; rest is what follows in the reply. blank is set where it
// can't know: it remembers no earlier life, and began to remember too lately; or that life did not know what was before it.
func (e *Engine) takeMemoryOf(name string, reply []byte) (rest []byte, blank bool, err error) {
	n, size := binary.Uvarint(reply)
	if size <= 0 || n > uint64(len(reply)-size) {
		return nil, false, errors.New("no memory in the answer")
	}
	said, err := round.ParseLives(reply[size : size+int(n)])
	if err != nil {
		return nil, false, err
	}
	err = e.loop.Do(func(time.Time) error {
		l := &e.lives
		m, ok := said.Of(e.cluster.self)
		if !ok || m.Boot == l.boot {
			blank = said.Young
		} else {
			blank = m.Greatest == round.Unnamed
		}
		if !ok {
			return nil
		}
		if m.Greatest != round.Unnamed {
			l.before = max(l.before, m.Greatest)
		}
		if m.Boot != l.boot && m.Lacks(l.past) {
			if e.cluster.gate.joined && !e.opts.Without.Without(health.GuardRestored) {
				e.wasRestored(name)
			}
			// So that nobody asks again after the next start.
			l.past = append([]round.Life{m.Life}, slices.DeleteFunc(l.past, func(p round.Life) bool { return p.Boot == m.Boot })...)
			l.writes = max(l.writes, m.Writes+1)
			l.unsaved = true
		}
		return nil
	})
	return reply[size+int(n):], blank, err
}

// takePull takes the answer of a node in; remembers tells whether it is one to askMemory.
func (e *Engine) takePull(ctx context.Context, name string, reply []byte, remembers bool) error {
	nonce := e.cluster.gate.nonce
	rest, ok := bytes.CutPrefix(reply, nonce[:])
	if !ok {
		return errors.New("an answer to another start")
	}
	blank := !remembers
	if remembers {
		var err error
		if rest, blank, err = e.takeMemoryOf(name, rest); err != nil {
			return err
		}
	}
	incarnation, n := binary.Uvarint(rest)
	if n <= 0 {
		return errors.New("no incarnation in the answer")
	}
	s, err := intent.Decode(rest[n:], time.Now())
	if errors.Is(err, intent.ErrKind) {
		// A newer node has it, and it has effect on such nodes alone. To wait would keep this one from answering at all.
		e.opts.Logger.Warn("intents of another version are not known here", "node", name, "err", err)
	} else if err != nil {
		return err
	}
	err = e.takeSetKept(ctx, s, func(time.Time) error {
		if incarnation > 0 {
			e.intents.Raise(incarnation + 1)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("not kept: %w", err)
	}
	return e.loop.Do(func(now time.Time) error {
		if p := e.cluster.peers[name]; p != nil {
			p.held = p.held.Merge(s)
		}
		e.cluster.gate.answered[name] = true
		if blank {
			e.cluster.gate.blank[name] = true
		}
		e.mindGate(now)
		return nil
	})
}
