package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/run"
)

// MaxCut bounds a rehearsal: a node that somebody forgot to heal is no help.
const MaxCut = time.Hour

// ErrNoCluster is what a node alone says to orders for several.
var ErrNoCluster = fmt.Errorf("%w: this node is not part of a cluster", health.ErrIntentConflict)

// ConsoleOptions are what a Console works with.
type ConsoleOptions struct {
	// Node is this node's name.
	Node   string
	Shared Shared
	Loop   *loop.Loop
	Rounds *Rounds
	Logger *slog.Logger
}

// A Console is where people, and programs for them, ask and order what concerns the nodes of the cluster. It may be used from any goroutine, but for
// Show and Join. A node alone has one too.
type Console struct {
	opts ConsoleOptions
	// in is nil for a node alone.
	in    *Membership
	shown atomic.Pointer[View] // swapped, never mutated
}

// NewConsole is that of a node alone, until Join.
func NewConsole(o ConsoleOptions) *Console { return &Console{opts: o} }

// Join has it be of a node in a cluster, before anything runs.
func (c *Console) Join(m *Membership) { c.in = m }

// Show has Cluster show a view. It belongs to the owner of the loop.
func (c *Console) Show(v *View) { c.shown.Store(v) }

// Cluster is what is known of the cluster, as of the last second. A node alone knows itself.
func (c *Console) Cluster() View { return *c.shown.Load() }

// ChangeKeyring carries an order out on every node of the roster, this one last; see Keyring.
func (c *Console) ChangeKeyring(ctx context.Context, o KeyringOrder) (failed map[string]error, err error) {
	if c.in == nil {
		return nil, ErrNoCluster
	}
	if err := c.in.keyring.Encrypts(); err != nil {
		return nil, err
	}
	var names []string
	if err := c.opts.Loop.Do(func(time.Time) error { names = c.in.Members.Others(); return nil }); err != nil {
		return nil, err
	}
	return c.in.keyring.Change(ctx, o, c.opts.Node, names)
}

// Waive lets this node join without the answers of the nodes named; without names, of all. before is the greatest TTL that it may have
// given in an earlier life, 0 for none; nil leaves that unknown.
func (c *Console) Waive(before *time.Duration, names ...string) error {
	return c.opts.Loop.Do(func(now time.Time) error {
		if c.in == nil {
			return ErrNoCluster
		}
		if err := c.in.Barrier.Waive(before, names, now); err != nil {
			return err
		}
		c.in.Pull.news.Moved = true
		return nil
	})
}

// CutOff cuts this node off from all others for a time, as a pulled cable does; it goes on answering. Zero ends that at once. It
// does not outlive the process.
func (c *Console) CutOff(d time.Duration, actor, reason string) error {
	if d < 0 || d > MaxCut {
		return fmt.Errorf("%w: cut off for %s: want up to %s", health.ErrInvalidIntent, d, MaxCut)
	}
	if err := health.ValidateWords(actor, reason); err != nil {
		return err
	}
	return c.opts.Loop.Do(func(now time.Time) error {
		m := c.in
		switch {
		case m == nil:
			return ErrNoCluster
		case d == 0 && m.cutUntil.IsZero():
			return fmt.Errorf("%w: this node is not cut off", health.ErrIntentConflict)
		case d == 0:
			m.cutUntil = time.Time{}
		default:
			m.cutUntil = now.Add(d)
		}
		m.peer.Cut(d > 0)
		if d > 0 {
			c.opts.Logger.Warn("rehearsal: this node is cut off from the others", "seconds", d.Seconds(), "actor", actor, "reason", reason)
		} else {
			c.opts.Logger.Info("rehearsal: this node is no longer cut off", "actor", actor, "reason", reason)
		}
		return nil
	})
}

// TellShared tells the others at once that what nodes share has changed.
func (c *Console) TellShared() { c.opts.Loop.Post(func(time.Time) { c.opts.Rounds.Urge() }) }

// SharedMissing are the configured nodes, this one aside, that were not heard to have the same Shared as this node, by name, once there are
// none or ctx has ended.
func (c *Console) SharedMissing(ctx context.Context) (missing []string) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.opts.Loop.Do(func(now time.Time) error { missing = c.sharedMissing(now); return nil })
		if err != nil || len(missing) == 0 {
			return missing
		}
		select {
		case <-ctx.Done():
			return missing
		case <-c.opts.Loop.Ended():
			return missing
		case <-tick.C:
		}
	}
}

func (c *Console) sharedMissing(now time.Time) []string {
	if c.opts.Shared == nil || c.in == nil || c.in.Members.Alone() {
		return nil
	}
	return c.in.Members.Lacks(c.in.Shares[0], now)
}

// Members are the nodes that are configured, as they are now for who carries runs of plans on.
func (c *Console) Members() (out []run.Member, err error) {
	err = c.opts.Loop.Do(func(now time.Time) error {
		if c.in == nil {
			out = append(out, run.Member{Name: c.opts.Node, Heard: true, Agrees: true})
			return nil
		}
		out = c.in.Members.Runners(c.in.Shares[runsShared], now)
		return nil
	})
	return out, err
}

// AskEach asks every other configured node for something that handlers of that node give; see Asker.
func (c *Console) AskEach(ctx context.Context, kind string, body []byte) ([]Reply, error) {
	if c.in == nil {
		return nil, nil
	}
	a := &Asker{Members: c.in.Members, Loop: c.opts.Loop, Ask: c.in.Ask, Logger: c.opts.Logger}
	return a.Each(ctx, kind, body)
}
