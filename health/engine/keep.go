package engine

import (
	"time"

	"github.com/fairlead-dns/fairlead/health/intent"
)

// A finish is what follows once an order is on disk, or could not be written: its result is the order's.
type finish func(now time.Time, err error) error

// A kept is one order of an operator on its way to the disk. begin, on Run's goroutine, has the store keep it; a nil finish is for an order
// that needs nothing kept.
type kept struct {
	begin func(now time.Time) (finish, error)
	then  finish
	done  chan error // holds one
}

// keeping is what waits for the disk of orders. Its owner is Run's goroutine, which itself waits for none: orders do, one after the other,
// so that each is judged by what is in force behind those before it.
type keeping struct {
	// orders wait for the one that is being written, which is written.
	orders  []*kept
	written *kept
	// told are called once what is in force now is on disk; telling are those that the job in the writer's hands is for.
	told, telling []func(error)
	// failed is set while the disk refuses what other nodes say, ending once nothing more is begun.
	failed, ending bool
	// jobs go to the writer, of which one is under way at most; results come back.
	jobs    chan *intent.Job
	results chan written
	// write writes a job; it is another one in tests of slow disks.
	write func(*intent.Job) error
}

// written is what came of a job.
type written struct {
	job *intent.Job
	err error
}

func newKeeping() keeping {
	return keeping{jobs: make(chan *intent.Job, 1), results: make(chan written, 1), write: (*intent.Job).Write}
}

// keep carries an order out: what begin asks the store to keep is on disk, and in force, when keep returns nil.
func (e *Engine) keep(begin func(now time.Time) (finish, error)) error {
	o := &kept{begin: begin, done: make(chan error, 1)}
	if err := e.command(func(now time.Time) error { e.queueOrder(o, now); return nil }); err != nil {
		return err
	}
	select {
	case err := <-o.done:
		return err
	case <-e.ended:
	}
	select {
	case err := <-o.done:
		return err
	default:
		return errEnded
	}
}

// queueOrder begins an order, behind those that wait.
func (e *Engine) queueOrder(o *kept, now time.Time) {
	e.keeping.orders = append(e.keeping.orders, o)
	e.keepOn(now)
}

// whenKept calls told, on Run's goroutine, once all that is in force now is on disk, or could not be written.
func (e *Engine) whenKept(told func(error), now time.Time) {
	e.keeping.told = append(e.keeping.told, told)
	e.keepOn(now)
}

// keepOn begins what can be begun: the next order, and the next job of the writer.
func (e *Engine) keepOn(now time.Time) {
	k := &e.keeping
	if k.ending {
		return
	}
	for k.written == nil && len(k.orders) > 0 {
		o := k.orders[0]
		k.orders = k.orders[1:]
		then, err := o.begin(now)
		if err != nil || then == nil {
			o.done <- err
			continue
		}
		o.then, k.written = then, o
	}
	j := e.intents.Job(now)
	switch {
	case j != nil && j.Waits():
		k.telling, k.told = append(k.telling, k.told...), nil
		k.jobs <- j
	case j != nil:
		k.telling, k.told = append(k.telling, k.told...), nil
		e.onWritten(written{j, nil}, now)
	case !e.intents.Writing():
		told := k.told
		k.told = nil
		for _, f := range told {
			f(nil)
		}
	}
}

// onWritten takes what came of a job, and begins the next one.
func (e *Engine) onWritten(w written, now time.Time) {
	k := &e.keeping
	e.intents.Done(w.job, w.err)
	failed := w.err != nil && !e.intents.Set().Same(e.intents.Kept())
	e.metrics.unkept.Set(boolValue(failed))
	if failed && !k.failed {
		e.opts.Logger.Warn("intents not kept", "err", w.err)
	}
	k.failed = failed
	if w.job.Order() {
		o := k.written
		k.written = nil
		o.done <- o.then(now, w.err)
	}
	telling := k.telling
	k.telling = nil
	for _, f := range telling {
		f(w.err)
	}
	if w.err == nil || len(k.orders)+len(k.told) > 0 {
		e.keepOn(now)
	}
}

// writeJobs writes until the loop has ended.
func (e *Engine) writeJobs() error {
	for {
		select {
		case j := <-e.keeping.jobs:
			e.keeping.results <- written{j, e.keeping.write(j)}
		case <-e.ended:
			return nil
		}
	}
}

// endJobs waits for the job that is under way, so that its order is answered as it ends.
func (e *Engine) endJobs() {
	e.keeping.ending = true
	if e.intents.Writing() {
		e.onWritten(<-e.keeping.results, time.Now())
	}
}
