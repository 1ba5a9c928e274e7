package kube

import (
	"context"
	"sync"

	"github.com/fairlead-dns/fairlead/discover"
)

// Look reads a cluster once: it returns when all that wants need has been listed and watched, or could not be, or when ctx ends. What
// Options.Changed is set to is not called.
func Look(ctx context.Context, o Options, wants []discover.Want) Report {
	ctx, cancel := context.WithCancel(ctx)
	wake := make(chan struct{}, 1)
	o.Changed = func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	r := New(o)
	r.Want(wants)
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel()
	// Without wants nothing is asked; that the API answers is worth to know all the same.
	if _, err := r.ask(ctx); err != nil {
		return Report{Failures: []Problem{{What: "the API", Err: err}}}
	}
	done.Go(func() { _ = r.Run(ctx) })
	for !r.looked() {
		select {
		case <-ctx.Done():
			out := r.Report()
			out.Failures = append(out.Failures, Problem{What: "the API", Err: ctx.Err()})
			return out
		case <-wake:
		}
	}
	return r.Report()
}

// looked tells whether all that is needed has been tried.
func (r *Reader) looked() bool {
	for key := range r.needs() {
		r.mu.Lock()
		f := r.feeds[key]
		r.mu.Unlock()
		if f == nil || !f.wasTried() {
			return false
		}
	}
	// Which host names there are to look up is known only once somebody has asked for what the parts give.
	r.Report()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.hosts {
		if h.looked.IsZero() {
			return false
		}
	}
	return true
}

func (f *feed) wasTried() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tried
}
