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

// order is a FreezeOrder that waits for the engine's goroutine.
type order struct {
	freeze FreezeOrder
	done   chan error
}

// Freeze stops every automatic verdict, or lets them move again. When it returns nil the order is on disk and in force.
func (e *Engine) Freeze(on bool, actor, reason string) error {
	o := order{freeze: FreezeOrder{On: on, Actor: actor, Reason: reason, Since: time.Now()}, done: make(chan error, 1)}
	select {
	case e.orders <- o:
		return <-o.done
	case <-e.ended:
		return errors.New("the engine has ended")
	}
}

// Frozen is the latest order.
func (e *Engine) Frozen() FreezeOrder { return *e.frozen.Load() }

// obey carries an order out. What cannot be kept is not done either.
func (e *Engine) obey(o order, now time.Time) {
	if e.opts.State != "" {
		b, err := json.Marshal(o.freeze)
		if err == nil {
			err = durable.WriteFile(filepath.Join(e.opts.State, freezeName), b)
		}
		if err != nil {
			o.done <- fmt.Errorf("freeze: %w", err)
			return
		}
	}
	e.freeze = o.freeze
	e.frozen.Store(&o.freeze)
	e.metrics.frozen.Set(boolValue(e.freeze.On))
	e.opts.Logger.Info("automatic verdicts", "frozen", o.freeze.On, "actor", o.freeze.Actor, "reason", o.freeze.Reason)
	e.rejudge()
	e.serve(e.cur.judge(now), now)
	o.done <- nil
}
