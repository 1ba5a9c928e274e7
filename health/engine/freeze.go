package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead-dns/fairlead/config/durable"
)

const freezeName = "freeze.json"

// A FreezeOrder is an operator's word that no verdict moves by itself, or that they move again. It outlives a restart.
type FreezeOrder struct {
	On     bool      `json:"on"`
	Actor  string    `json:"actor"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// loadFreeze reads the order of an earlier run. A file that cannot be understood is an error: whether verdicts move is not
// to be guessed.
func loadFreeze(dir string) (FreezeOrder, error) {
	var f FreezeOrder
	if dir == "" {
		return f, nil
	}
	path := filepath.Join(dir, freezeName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("%s: %w (remove it to let verdicts move)", path, err)
	}
	return f, nil
}

// Freeze stops every automatic verdict, or lets them move again. When it returns nil the order is on disk and in force.
func (e *Engine) Freeze(on bool, actor, reason string) error {
	f := FreezeOrder{On: on, Actor: actor, Reason: reason, Since: time.Now()}
	return e.command(func(now time.Time) error { return e.setFreeze(f, now) })
}

// Frozen is the latest order.
func (e *Engine) Frozen() FreezeOrder { return *e.frozen.Load() }

// setFreeze carries an order out. What cannot be kept is not done either.
func (e *Engine) setFreeze(f FreezeOrder, now time.Time) error {
	if e.opts.State != "" {
		b, err := json.Marshal(f)
		if err == nil {
			err = durable.WriteFile(filepath.Join(e.opts.State, freezeName), b)
		}
		if err != nil {
			return fmt.Errorf("freeze: %w", err)
		}
	}
	e.freeze = f
	e.frozen.Store(&f)
	e.metrics.frozen.Set(boolValue(e.freeze.On))
	e.opts.Logger.Info("automatic verdicts", "frozen", f.On, "actor", f.Actor, "reason", f.Reason)
	e.rejudge()
	e.serve(e.cur.judge(now), now)
	return nil
}
