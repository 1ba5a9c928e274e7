package order

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/loop"
)

const (
	// partIntents is what a node holds of what operators asked for, in the blocks of intent.Set.
	partIntents = "intents"
	// AskIntents hands intents to another node, which replies when they are on its disk.
	AskIntents = "intents"
	// shareTimeout is how long an order waits for one other node to keep it (docs/reliability.md id E3).
	shareTimeout = 2 * time.Second
)

// errPaused refuses orders that may have waited while this node stood still.
var errPaused = errors.New("this node stood still: what is left of the orders is not known")

// Part is what a node has of orders on its disk.
func (s *Orders) Part() cluster.Part {
	return cluster.Part{Key: partIntents, Take: s.takeRound, Encode: func(now time.Time) ([]byte, any) {
		kept := s.store.Kept()
		return kept.Encode(now), kept.Digest()
	}}
}

// takeRound takes in a shard of what another node holds.
func (s *Orders) takeRound(r *gossip.Round, now time.Time) error {
	if s.opts.Pause.Covers(r.At) {
		// The next one says it again, with what is left by then.
		return nil
	}
	set, err := s.opts.Holders.TakeIntents(r)
	_, full := s.merge(set, now)
	return errors.Join(err, full)
}

// merge takes in what another node says. It is in force at once, whether it can be kept or not.
func (s *Orders) merge(set intent.Set, now time.Time) (changed bool, err error) {
	changed, err = s.store.Merge(set.Snap(s.store.Set(), now), now)
	if changed {
		s.moved, s.always = true, true
	}
	s.queue.Next(now)
	return changed, err
}

// TakeKept takes in what another node says, from another goroutine; it returns once that is in force and on disk. first is done before, on the
// owner's; nothing is taken if it fails.
func (s *Orders) TakeKept(ctx context.Context, set intent.Set, first func(now time.Time) error) error {
	kept := make(chan error, 1)
	err := s.opts.Loop.Do(func(now time.Time) error {
		if err := first(now); err != nil {
			return err
		}
		changed, err := s.merge(set, now)
		if changed {
			s.opts.Rounds.Urge()
		}
		if err != nil {
			return err
		}
		s.queue.WhenKept(func(err error) { kept <- err }, now)
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
	case <-s.opts.Loop.Ended():
		return loop.ErrEnded
	}
}

// Handle is the reply to AskIntents.
func (s *Orders) Handle(ctx context.Context, from string, body []byte) ([]byte, error) {
	set, unknown := intent.Decode(body, time.Now())
	if unknown != nil && !errors.Is(unknown, intent.ErrKind) {
		return nil, unknown
	}
	return nil, errors.Join(s.TakeKept(ctx, set, func(now time.Time) error {
		if s.opts.Pause.Covers(now) {
			return errPaused
		}
		s.opts.Holders.Held(from, set)
		return nil
	}), unknown)
}

// Told is what this node tells one that asks for all orders: the greatest incarnation of a node that is known by them, and all that is on disk.
func (s *Orders) Told(of string, now time.Time) (incarnation uint64, kept []byte) {
	return s.store.Set().Incarnation(of), s.store.Kept().Encode(now)
}

// share hands orders to every other node, at once and beside the rounds.
func (s *Orders) share(ids []health.IntentID, now time.Time) {
	if s.members.Alone() {
		return
	}
	s.opts.Rounds.Urge()
	// What is sent is what the others acknowledge: it may move on meanwhile.
	sent := s.store.Kept().Only(ids...)
	body := sent.Encode(now)
	// Who is not heard pulls when it is back; and rounds go on.
	for _, name := range s.members.FreshOthers() {
		s.opts.Loop.Beside(shareTimeout, func(ctx context.Context) {
			_, err := s.opts.Ask(ctx, name, AskIntents, body)
			if err != nil {
				s.opts.Logger.Debug("intents not confirmed", "node", name, "err", err)
				return
			}
			s.opts.Loop.Post(func(now time.Time) {
				s.opts.Holders.Held(name, sent)
				s.Confirm(now)
			})
		})
	}
}

// Confirm notes what every configured node holds, and shows who lacks what.
func (s *Orders) Confirm(now time.Time) {
	if s.members == nil {
		return
	}
	set := s.store.Set()
	// What a rule suspends is not confirmed: that would put it in force.
	suspended := make(map[health.IntentID]bool)
	for _, i := range s.States() {
		suspended[i.ID] = i.Suspended != nil
	}
	unconfirmed := slices.DeleteFunc(set.Unconfirmed(), func(id health.IntentID) bool { return suspended[id] })
	everywhere := s.opts.Holders.Everywhere(set, append(unconfirmed, set.Unseen()...), now)
	if len(everywhere) == 0 {
		s.show(s.store.Set().Open(now), now)
		return
	}
	s.store.Everywhere(everywhere)
	s.queue.Next(now)
	s.moved = true
}

// Collect forgets what is over for good.
func (s *Orders) Collect(now time.Time) {
	s.store.Collect(now)
	s.queue.Next(now)
	s.opts.Holders.Collect(s.store.Set())
}

// Revive ends the word that a node is stopped, or no part of the cluster any more, once it is heard again: it may be answering.
func (s *Orders) Revive(now time.Time) {
	for _, i := range s.store.Set().Open(now) {
		if i.Kind != health.IntentStopped && i.Kind != health.IntentRemoved || s.reviving[i.ID] || !s.members.Revived(i.Scope.Name, i.Start) {
			continue
		}
		s.reviving[i.ID] = true
		s.queue.Add(intent.NewOrder(func(now time.Time) (intent.Finish, error) {
			err := s.store.End(intent.End{Actor: s.opts.Node, Reason: "the node is heard again", At: now}, i.ID)
			if err != nil {
				delete(s.reviving, i.ID)
			}
			return func(_ time.Time, err error) error {
				delete(s.reviving, i.ID)
				if err == nil {
					s.opts.Logger.Warn("a node that was declared "+i.Kind.String()+" is heard", "node", i.Scope.Name)
					s.moved = true
					s.opts.Rounds.Urge()
				}
				return err
			}, err
		}), now)
	}
}
