package state

import (
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// maxDropped bounds for how many endpoints that no file has any more it is kept that they were down; more are new ones when they come back.
const maxDropped = 10_000

// What is dropped is what was known of endpoints, by rdataKey, and of what was dialled for them, when their files dropped them.
type dropped struct {
	endpoints map[string]droppedEndpoint
	targets   map[health.TargetID]droppedTarget
}

type droppedEndpoint struct {
	at   time.Time
	view health.EndpointView
}

type droppedTarget struct {
	at      time.Time
	verdict health.Verdict
}

// Drop notes what is known of endpoint i of p, which its file drops, and of what is dialled for it: if it is down, a file that is taken back
// within the greatest age of verdicts revives nothing. What an earlier run knew is forgotten. Of two endpoints with the same addresses the
// later one counts.
func (s *File) Drop(z *config.Zone, p *config.Pool, i int, view *health.EndpointView, leaves map[health.TargetID]health.Verdict, now time.Time) {
	key := rdataKey(z.Name, p.Endpoints[i].RData())
	delete(s.dropped.endpoints, key)
	delete(s.byRData, key)
	delete(s.loaded, endpointKey(z, p, i))
	for id := range leaves {
		delete(s.targets, id)
		delete(s.parts, id)
		delete(s.dropped.targets, id)
	}
	down := view.State == health.Down || view.Each != nil && slices.ContainsFunc(view.Each[:], func(v health.Verdict) bool { return v.State == health.Down })
	if !down || len(s.dropped.endpoints) >= maxDropped {
		return
	}
	if s.dropped.endpoints == nil {
		s.dropped = dropped{make(map[string]droppedEndpoint), make(map[health.TargetID]droppedTarget)}
	}
	s.dropped.endpoints[key] = droppedEndpoint{now, health.EndpointView{Verdict: view.Verdict, Each: view.Each}}
	for id, v := range leaves {
		s.dropped.targets[id] = droppedTarget{now, v}
	}
}

// expire forgets what was dropped longer ago than maxAge.
func (d *dropped) expire(maxAge time.Duration, now time.Time) {
	maps.DeleteFunc(d.endpoints, func(_ string, e droppedEndpoint) bool { return now.Sub(e.at) > maxAge })
	maps.DeleteFunc(d.targets, func(_ health.TargetID, t droppedTarget) bool { return now.Sub(t.at) > maxAge })
}
