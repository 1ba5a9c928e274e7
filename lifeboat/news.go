package lifeboat

import (
	"context"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// askEvery is how often the node is asked; events ask at once, but never more often than each askGap, however much happens. askFor is how long
	// an answer may take.
	askEvery = time.Second
	askGap   = 100 * time.Millisecond
	askFor   = 3 * time.Second
)

// ask asks the node: of the endpoints given, since there are many boats in an AZ, and each has little to know. Without any, of all that the boat is
// for.
func (b *Boat) ask(ctx context.Context, endpoints ...string) (*api.Lifeboat, error) {
	ctx, end := context.WithTimeout(ctx, askFor)
	defer end()
	if len(endpoints) == 0 {
		return b.opts.Ask(ctx, "")
	}
	all := new(api.Lifeboat)
	for _, e := range endpoints {
		l, err := b.opts.Ask(ctx, e)
		if err != nil {
			return nil, err
		}
		all.Addresses = append(all.Addresses, l.Addresses...)
		for _, n := range l.Nodes {
			if !slices.Contains(all.Nodes, n) {
				all.Nodes = append(all.Nodes, n)
			}
		}
	}
	slices.Sort(all.Nodes)
	return all, nil
}

// endpoints are those whose addresses are this machine's.
func (b *Boat) endpoints() (names []string) {
	for _, one := range b.berths {
		if !slices.Contains(names, one.word.Endpoint) {
			names = append(names, one.word.Endpoint)
		}
	}
	return names
}

// watch asks with each event, and every second, until ctx ends.
func (b *Boat) watch(ctx context.Context, news chan<- *api.Lifeboat, endpoints []string) {
	nudge := make(chan struct{}, 1)
	poke := func() {
		select {
		case nudge <- struct{}{}:
		default:
		}
	}
	if b.opts.Follow != nil {
		go func() {
			for ctx.Err() == nil {
				_ = b.opts.Follow(ctx, poke)
				select {
				case <-ctx.Done():
				case <-time.After(askEvery):
				}
			}
		}()
	}
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-nudge:
		case <-tick.C:
		}
		gap := time.NewTimer(askGap)
		if l, err := b.ask(ctx, endpoints...); err == nil {
			select {
			case news <- l:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-gap.C:
		case <-ctx.Done():
			return
		}
	}
}
