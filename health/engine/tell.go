package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/round"
)

const (
	// askTargets asks for a page of a list of targets.
	askTargets = "targets"
	// maxLists bounds the lists of targets of others that are remembered.
	maxLists = 64
	// listRetry is the pause before a list is asked for again.
	listRetry = 2 * time.Second
)

// tellDigest is what of the last telling is new to others when it changes; the rest only counts time.
type tellDigest struct {
	marks   uint64
	intents [16]byte
	flags   round.Flags
	config  [32]byte
	plans   uint64
	// left counts what left for good, and returns sums up who is on the way back, whatever the ages; disk is the greatest TTL on disk.
	left, returns uint64
	disk          time.Duration
	shared        [shareKinds][16]byte
}

// tellUrgent tells what this turn of the loop brought.
func (e *Engine) tellUrgent() {
	if e.cluster != nil && e.cluster.urgent {
		e.cluster.urgent = false
		e.tell(time.Now())
	}
}

// tell publishes what this node says: at once where something is new, else with the round of the second.
func (e *Engine) tell(now time.Time) {
	c := e.cluster
	status := e.status(now)
	h := fnv.New64a()
	marks := round.EncodeMarks(c.targets, c.marks)
	// An FNV does not fail.
	_, _ = h.Write(marks)
	digest := tellDigest{marks: h.Sum64(), intents: status.Intents, flags: status.Flags, config: status.Config, plans: status.Plans, left: e.issued.count, returns: returnsDigest(c.memory), disk: e.issued.greatest.disk}
	detail, left := round.EncodeDetails(c.targets, e.details())
	e.metrics.cluster.untold.Set(float64(left))
	parts := map[string][]byte{
		round.PartStatus: status.Encode(), round.PartMarks: marks, round.PartDetail: detail,
		round.PartRoster: round.EncodeRoster(namesOf(c.nodes)), partIntents: e.intents.Kept().Encode(now),
		round.PartMemory: c.memory.Encode(now), round.PartWords: e.wordsPart(now), round.PartHeard: e.heardPart(now),
		round.PartLives: e.livesPart(),
	}
	digest.shared = e.tellShares(parts)
	send := c.peer.Refresh
	if digest != c.told {
		send, c.told = c.peer.Publish, digest
	}
	err := send(parts)
	if err != nil {
		// A node that says nothing at all would be missed, and its orders with it. One that abstains is not.
		e.opts.Logger.Warn("too much to tell the other nodes: this one has no vote", "err", err)
		for _, part := range []string{round.PartMarks, round.PartDetail, round.PartMemory, round.PartWords} {
			delete(parts, part)
		}
		err = send(parts)
	}
	if err != nil {
		e.opts.Logger.Error("state not told to the other nodes", "err", err)
	}
}

// returnsDigest is the same for memories that have the same returns at the same points. News of them are told at once: what they say of
// instants is as old as the way is long.
func returnsDigest(m *round.Memory) (sum uint64) {
	for key, r := range m.Returns {
		sum += binary.LittleEndian.Uint64(key[:]) * uint64(1+r.Doubled+len(r.Retries))
	}
	return sum
}

// status is what this node says of itself.
func (e *Engine) status(now time.Time) round.Status {
	c := e.cluster
	return round.Status{
		Version: c.opts.Version, Config: e.cur.model.Hash, Plans: e.opts.Publisher.PlanHash(), Intents: e.intents.Kept().Digest(),
		Targets: c.targets.Hash, Generation: e.generation, Uptime: now.Sub(e.started),
		Flags: round.Flags{
			Joined: c.gate.joined, Answering: e.Shut() == "", Blind: e.sight.blind, Isolated: c.isolated, Frozen: e.freeze.On, Drained: e.drained.Load(),
			Hooks: e.opts.Hooks, Late: e.sight.late,
		},
	}
}

// markAll reckons all marks anew, as for another table.
func (e *Engine) markAll(now time.Time) {
	c := e.cluster
	if c == nil {
		return
	}
	if c.targets == nil || c.marked != e.cur {
		ids := make([]health.TargetID, 0, len(e.cur.targets))
		for id := range e.cur.targets {
			ids = append(ids, id)
		}
		if c.targets != nil {
			// Others go on with it until they have the configuration too.
			c.lists.others[c.targets.Hash] = c.targets
		}
		c.targets, c.marked = round.NewTargets(ids), e.cur
		c.lists.own, c.urgent = c.targets, true
		c.ids = make(map[round.Prefix]health.TargetID, len(ids))
		for _, id := range ids {
			c.ids[round.PrefixOf(id)] = id
		}
		c.marks = make([]round.Mark, c.targets.Len())
		clear(c.failing)
	}
	for id := range e.cur.targets {
		e.mark(id, now)
	}
}

// mark reckons the mark of one target anew.
func (e *Engine) mark(id health.TargetID, now time.Time) {
	c := e.cluster
	i, ok := c.targets.Index(id)
	if !ok {
		return
	}
	use := e.cur.targets[id]
	if use == nil {
		return
	}
	o, known := e.observations.get(id)
	mark := round.MarkNone
	check := use.target.Check
	if known && now.Before(judge.FreshUntil(check, o)) && e.sight.trusts(id, check, o) {
		if e.panel.restored[id] {
			o.State = health.Unknown
		}
		mark = round.MarkOf(o, check.Fall)
	}
	if mark != round.MarkNone && (o.Reduction > 0 || o.Reason != "" && (o.Failures > 0 || o.State == health.Down)) {
		c.failing[i] = id
	} else {
		delete(c.failing, i)
	}
	if c.marks[i] != mark {
		c.marks[i], c.urgent = mark, true
	}
}

// details are what marks cannot say.
func (e *Engine) details() round.Details {
	d := round.Details{Reasons: make(map[int]string), Reductions: make(map[int]int)}
	for i, id := range e.cluster.failing {
		o, ok := e.observations.get(id)
		if !ok {
			continue
		}
		if o.Reason != "" {
			d.Reasons[i] = o.Reason
		}
		if o.Reduction > 0 {
			d.Reductions[i] = o.Reduction
		}
	}
	return d
}

// targetLists are the lists of targets that marks may be about.
type targetLists struct {
	own *round.Targets
	// others are those that were fetched; asked is when one was last asked for.
	others map[round.ListHash]*round.Targets
	asked  map[round.ListHash]time.Time
}

func (l *targetLists) get(hash round.ListHash) *round.Targets {
	if l.own != nil && l.own.Hash == hash {
		return l.own
	}
	return l.others[hash]
}

// fetchList asks a node for its list of targets, unless somebody was asked a moment ago.
func (e *Engine) fetchList(from string, hash round.ListHash, now time.Time) {
	l := &e.cluster.lists
	if now.Sub(l.asked[hash]) < listRetry {
		return
	}
	if len(l.asked) >= maxLists {
		clear(l.asked)
	}
	l.asked[hash] = now
	e.shares.Add(1)
	go func() {
		defer e.shares.Done()
		ctx, cancel := context.WithTimeout(e.running, pullTimeout)
		defer cancel()
		list, err := e.askList(ctx, from, hash)
		if err != nil {
			e.opts.Logger.Debug("list of targets", "node", from, "err", err)
			return
		}
		e.post(func(time.Time) {
			if len(l.others) >= maxLists {
				clear(l.others)
			}
			l.others[hash] = list
		})
	}()
}

func (e *Engine) askList(ctx context.Context, from string, hash round.ListHash) (*round.Targets, error) {
	var pages [][]byte
	for {
		body := binary.AppendUvarint(slices.Clone(hash[:]), uint64(len(pages)))
		reply, err := e.cluster.peer.Ask(ctx, from, askTargets, body)
		if err != nil {
			return nil, err
		}
		count, n := binary.Uvarint(reply)
		if n <= 0 || count > round.MaxPages {
			return nil, fmt.Errorf("%w: page of a list", round.ErrMalformed)
		}
		pages = append(pages, reply[n:])
		if uint64(len(pages)) >= count {
			return round.FromPages(hash, pages...)
		}
	}
}

// handleTargets is the reply to askTargets: how many pages there are, and the page.
func (e *Engine) handleTargets(_ context.Context, _ string, body []byte) (reply []byte, err error) {
	var hash round.ListHash
	if len(body) < len(hash) {
		return nil, round.ErrMalformed
	}
	page, n := binary.Uvarint(body[copy(hash[:], body):])
	if n <= 0 || page > round.MaxPages {
		return nil, round.ErrMalformed
	}
	err = e.command(func(time.Time) error {
		list := e.cluster.lists.get(hash)
		if list == nil {
			return errors.New("no such list any more")
		}
		reply = append(binary.AppendUvarint(nil, uint64(list.Pages())), list.Page(int(page))...)
		return nil
	})
	return reply, err
}
