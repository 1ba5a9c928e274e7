package staleness

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/incident"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/loop"
)

// Options are what a Staleness works with.
type Options struct {
	Loop   *loop.Loop
	Rounds *cluster.Rounds
	Ledger *ledger.Ledger
	// In is nil for a node alone.
	In         *cluster.Membership
	Lives      *cluster.Lives
	Words      *cluster.Words
	Departures *departure.Set
	Incidents  *incident.Watch
	Orders     cluster.OwnOrders
	// Started is when this node was.
	Started time.Time
}

// A Staleness is what is known of answers that caches may hold.
type Staleness struct {
	opts Options
	// model is in force, view what was published of it last.
	model *config.Model
	view  *health.View
}

// New is that of a node that has answered nothing. The first view follows by Published.
func New(o Options) *Staleness { return &Staleness{opts: o} }

// Published takes up what is served from now on, with what it took out of the answers.
func (s *Staleness) Published(v *health.View, swap *ledger.Swap, now time.Time) {
	s.model, s.view = v.Model, v
	s.opts.Lives.Book().Published(swap, now)
	s.opts.Departures.Published(v, swap, now)
}

// Departed puts together what is known of what left by a publication, unless that is due in a moment: nobody is told that there is nothing to forget,
// not even for a second.
func (s *Staleness) Departed(swap *ledger.Swap, now time.Time) {
	moved := slices.ContainsFunc(swap.Shards, func(a ledger.ServiceShards) bool { return len(a.Moved) > 0 })
	if (len(swap.Left) > 0 || moved) && s.opts.Departures.Due(now) {
		s.Follow(now)
	}
}

// Claim has everything stand that is down or drained: an earlier process may have answered it.
func (s *Staleness) Claim(now time.Time) { s.opts.Departures.Claim(s.view, now) }

// Begin takes up what earlier processes may have answered: what is out has been out all the time of this process, and the first word to the
// others says so.
func (s *Staleness) Begin(now time.Time) {
	s.Claim(now)
	s.opts.Lives.Book().Poll(now)
	s.Follow(now)
}

// Poll does what time brings: what left for good is news.
func (s *Staleness) Poll(now time.Time) {
	if s.opts.Lives.Book().Poll(now) && s.opts.In != nil {
		s.opts.In.LeftForGood()
	}
}

// Mind brings all of it in line, once a second. orders is the digest of the orders on disk.
func (s *Staleness) Mind(orders [16]byte, now time.Time) {
	s.opts.Ledger.Fold()
	s.opts.Lives.Mind(now)
	if s.opts.In != nil {
		s.opts.Lives.MindMembers(now)
	}
	s.opts.Lives.SaveMoved(orders)
	s.Follow(now)
	s.opts.Incidents.Follow(&incident.Caches{Departures: s.opts.Departures, Words: s.said(now), Where: s.where(), Watch: s.opts.Incidents, Now: now}, now)
}

// said are the words of the nodes at now.
func (s *Staleness) said(now time.Time) *cluster.Instant {
	var holders *cluster.Holders
	if s.opts.In != nil {
		holders = s.opts.In.Holders
	}
	return s.opts.Words.At(now, s.model.Hash, s.opts.Orders, holders)
}

// where is what the model in force has, as it was published last.
func (s *Staleness) where() *ledger.Whereabouts { return ledger.NewWhereabouts(s.model, s.view) }

// Follow puts together what is known of everything that is out.
func (s *Staleness) Follow(now time.Time) {
	if s.opts.In != nil {
		s.opts.In.Members.MindFences(now)
	}
	s.opts.Words.Listen()
	words := s.said(now)
	if s.opts.Departures.Follow(words, s.where(), now) {
		s.opts.Rounds.Urge()
	}
	words.FindClear()
}
