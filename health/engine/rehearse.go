package engine

import (
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// MaxCut bounds a rehearsal: a node that somebody forgot to heal is no help.
const MaxCut = time.Hour

// CutOff cuts this node off from all others for a time, as a pulled cable does; it goes on answering. Zero ends that at once. It
// does not outlive the process.
func (e *Engine) CutOff(d time.Duration, actor, reason string) error {
	if d < 0 || d > MaxCut {
		return fmt.Errorf("%w: cut off for %s: want up to %s", health.ErrInvalidIntent, d, MaxCut)
	}
	if err := health.ValidateWords(actor, reason); err != nil {
		return err
	}
	return e.loop.Do(func(now time.Time) error {
		c := e.cluster
		switch {
		case c == nil:
			return errNoCluster
		case d == 0 && c.cutUntil.IsZero():
			return fmt.Errorf("%w: this node is not cut off", health.ErrIntentConflict)
		case d == 0:
			c.cutUntil = time.Time{}
		default:
			c.cutUntil = now.Add(d)
		}
		c.peer.Cut(d > 0)
		if d > 0 {
			e.opts.Logger.Warn("rehearsal: this node is cut off from the others", "seconds", d.Seconds(), "actor", actor, "reason", reason)
		} else {
			e.opts.Logger.Info("rehearsal: this node is no longer cut off", "actor", actor, "reason", reason)
		}
		return nil
	})
}

// endCut ends a rehearsal whose time is over.
func (e *Engine) endCut(now time.Time) {
	if c := e.cluster; !c.cutUntil.IsZero() && !now.Before(c.cutUntil) {
		c.cutUntil = time.Time{}
		c.peer.Cut(false)
		e.opts.Logger.Info("rehearsal: this node is no longer cut off")
	}
}
