package cluster

import (
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/round"
	"github.com/fairlead-dns/fairlead/health/table"
)

// An Exchange is all that nodes tell each other once a second, part by part, and whoever takes it in: what they are, observed and remember, whom
// they hear, and what has left their answers. It belongs to the goroutine that takes rounds in, but for what Rounds leave to others.
type Exchange struct {
	*Rounds
	Members    *Members
	Lives      *Lives
	Words      *Words
	Departures *departure.Set
	Evidence   *table.Evidence
	Marks      *Marks
	Lists      *Lists
	// Lease is how long this node answers without a majority.
	Lease time.Duration
	// To is told, which a *gossip.Peer is.
	To      Teller
	Metrics *Metrics
	Logger  *slog.Logger

	// status and table are what this node is and judges by as it tells, memory what it remembers as of the last second: that is large when much is
	// out, and no news.
	status round.Status
	table  *table.Table
	memory *round.Memory
	// leftForGood counts how often something left for good, so that news of that travel at once.
	leftForGood uint64
	// heard is what the rounds that are being taken in brought.
	heard Heard
}

// Heard is what rounds brought that others have to settle.
type Heard struct {
	// Moved are targets of which another node says something else.
	Moved []health.TargetID
	// Restored is a node that remembers more of this one than it knows itself; empty for none.
	Restored string
}

// Start registers all parts: those of its own, that of the orders and those of what nodes share.
func (x *Exchange) Start(orders Part, shares []*Share) {
	x.memory = new(round.Memory)
	x.Register(x.statusPart(), x.marksPart(), x.detailPart(), x.rosterPart(), orders, x.memoryPart(), x.wordsPart(), x.Members.HeardPart(x.Lease), x.livesPart(), x.lagsPart(), x.Words.ListenersPart(), x.cellsPart())
	for _, share := range shares {
		x.Register(share.Part())
	}
}

// Remember has memory told from now on.
func (x *Exchange) Remember(memory *round.Memory) { x.memory = memory }

// LeftForGood notes that something left for good.
func (x *Exchange) LeftForGood() {
	x.leftForGood++
	x.Urge()
}

// Tell tells the other nodes what this one is, and all that its parts say; t is the table in force.
func (x *Exchange) Tell(status round.Status, t *table.Table, now time.Time) {
	x.status, x.table = status, t
	tooMuch, err := x.Rounds.Tell(x.To, now)
	if tooMuch != nil {
		// A node that says nothing at all would be missed, and its orders with it. One that abstains is not.
		x.Logger.Warn("too much to tell the other nodes: this one has no vote", "err", tooMuch)
	}
	if err != nil {
		x.Logger.Error("state not told to the other nodes", "err", err)
	}
}

// Hear takes in what was delivered since the last time.
func (x *Exchange) Hear(now time.Time) Heard {
	x.heard = Heard{}
	rounds, lost := x.Waiting()
	x.Metrics.lost.Add(float64(lost))
	for i := range rounds {
		r := &rounds[i]
		if !x.Members.Has(r.Node) {
			continue
		}
		if err := x.Take(r, now); err != nil {
			x.Metrics.refuse(err)
			x.Logger.Debug("round not understood", "node", r.Node, "part", r.Key, "err", err)
		}
	}
	return x.heard
}

// statusPart is what a node says of itself. Its age, and what it has published since, are no news.
func (x *Exchange) statusPart() Part {
	type news struct {
		flags  round.Flags
		config config.Hash
		plans  uint64
	}
	return Part{Key: round.PartStatus, Take: x.Members.TakeStatus, Encode: func(time.Time) ([]byte, any) {
		return x.status.Encode(), news{x.status.Flags, x.status.Config, x.status.Plans}
	}}
}

// marksPart is what a node has observed, detailPart what marks cannot say of that.
func (x *Exchange) marksPart() Part {
	return Part{Key: round.PartMarks, Spare: true, Take: x.takeObserved, Encode: func(time.Time) ([]byte, any) {
		marks := x.Marks.Encode()
		h := fnv.New64a()
		// An FNV does not fail.
		_, _ = h.Write(marks)
		return marks, h.Sum64()
	}}
}

func (x *Exchange) detailPart() Part {
	return Part{Key: round.PartDetail, Spare: true, Take: x.takeObserved, Encode: func(time.Time) ([]byte, any) {
		detail, left := x.Marks.EncodeDetails()
		x.Metrics.untold.Set(float64(left))
		return detail, nil
	}}
}

// rosterPart is with which nodes a node is configured.
func (x *Exchange) rosterPart() Part {
	return Part{Key: round.PartRoster, Take: x.takeObserved, Encode: func(time.Time) ([]byte, any) {
		return round.EncodeRoster(x.Members.Roster()), nil
	}}
}

// takeObserved takes in what another node observed, or with which nodes it is configured.
func (x *Exchange) takeObserved(r *gossip.Round, now time.Time) error {
	moved, err := x.Members.TakeObserved(r, x.Marks)
	if unknown, ok := errors.AsType[*round.UnknownTargetsError](err); ok {
		x.Lists.Fetch(r.Node, unknown.Hash, now)
	}
	for _, prefix := range moved {
		if id, ok := x.Marks.ID(prefix); ok {
			x.heard.Moved = append(x.heard.Moved, id)
		}
	}
	return err
}

// memoryPart is what a node remembers. News of returns are told at once: what they say of instants is as old as the way is long.
func (x *Exchange) memoryPart() Part {
	return Part{Key: round.PartMemory, Spare: true, Take: x.Members.TakeMemory, Encode: func(now time.Time) ([]byte, any) {
		return x.memory.Encode(now), ReturnsDigest(x.memory)
	}}
}

// wordsPart is what nodes say of all that has left the answers of a node that is heard. What left for good is news.
func (x *Exchange) wordsPart() Part {
	return Part{Key: round.PartWords, Spare: true, Take: x.Words.Take, Encode: func(now time.Time) ([]byte, any) {
		b, untold := x.Words.Encode(x.Departures, now)
		x.Metrics.unsaid.Set(float64(untold))
		return b, x.leftForGood
	}}
}

// livesPart is what a node says of its starts, and of those of the others.
func (x *Exchange) livesPart() Part {
	return Part{Key: round.PartLives, Encode: func(now time.Time) ([]byte, any) { return x.Lives.Encode(now) }, Take: func(r *gossip.Round, _ time.Time) error {
		restored, err := x.Lives.Take(r)
		if restored {
			x.heard.Restored = r.Node
		}
		return err
	}}
}

// lagsPart is what a node has measured of lags, and which services it has moved to pools that keep data. The latter is news: who has not moved
// yet follows, since there is where data is written by now.
func (x *Exchange) lagsPart() Part {
	return Part{Key: round.PartLags, Spare: true, Take: x.takeLags, Encode: func(now time.Time) ([]byte, any) {
		l := round.Lags{Measured: make(map[round.Prefix]health.Lag), Entered: make(map[round.MemoryKey]bool)}
		for id, target := range x.table.LagTargets() {
			if o, ok := x.Evidence.Own(id); ok && o.Lag.Fresh(target.Check, now) && !x.Evidence.Drained {
				l.Measured[round.PrefixOf(id)] = o.Lag
			}
		}
		for entered := range x.table.Entered() {
			l.Entered[EnteredKey(entered.Zone, entered.Pool, entered.Service)] = true
		}
		b, left := l.Encode(now)
		x.Metrics.lagsUntold.Set(float64(left))
		return b, fmt.Sprint(slices.SortedFunc(maps.Keys(l.Entered), func(a, b round.MemoryKey) int { return slices.Compare(a[:], b[:]) }))
	}}
}

// takeLags takes in what another node says of lags.
func (x *Exchange) takeLags(r *gossip.Round, _ time.Time) error {
	said, err := round.ParseLags(r.Data, r.At)
	if err != nil {
		return err
	}
	x.Members.TakeEntered(r, said.Entered)
	for prefix, lag := range said.Measured {
		if id, ok := x.Marks.ID(prefix); ok {
			x.Evidence.Lags.Note(id, table.Measured{Lag: lag, Vantage: r.Node})
		}
	}
	return nil
}
