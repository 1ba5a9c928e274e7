package engine

import (
	"time"

	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/loop"
)

// keep carries an order out: what begin asks the store to keep is on disk, and in force, when keep returns nil.
func (e *Engine) keep(begin func(now time.Time) (intent.Finish, error)) error {
	o := intent.NewOrder(begin)
	if err := e.loop.Do(func(now time.Time) error { e.kept.Add(o, now); return nil }); err != nil {
		return err
	}
	select {
	case err := <-o.Done():
		return err
	case <-e.loop.Ended():
	}
	select {
	case err := <-o.Done():
		return err
	default:
		return loop.ErrEnded
	}
}

// unkept shows whether the disk refuses orders, and says so when that begins.
func (e *Engine) unkept(refuses bool, err error) {
	e.metrics.unkept.Set(boolValue(refuses))
	if refuses && !e.refused {
		e.opts.Logger.Warn("intents not kept", "err", err)
	}
	e.refused = refuses
}
