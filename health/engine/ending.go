package engine

import (
	"math"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

const (
	// endsSoon is how long before its end an intent is announced, and endsShare the part of its length, if that is less: 1/endsShare.
	endsSoon  = 10 * time.Minute
	endsShare = 10
	// endTicks is how many ticks pass between two looks at the ends.
	endTicks = 4
)

// watchEnds announces the intents in force that end by themselves soon, once for each end, and shows when the first of each kind
// does. A restart within that time announces them again.
func (e *Engine) watchEnds(now time.Time) {
	first := make(map[health.IntentKind]time.Duration)
	announced := make(map[health.IntentID]time.Time)
	for _, i := range e.Intents() {
		if i.Forever || i.Planned || i.Suspended != nil || i.Over(now) {
			continue
		}
		left := i.End.Sub(now)
		if known, ok := first[i.Kind]; !ok || left < known {
			first[i.Kind] = left
		}
		if left > min(endsSoon, i.End.Sub(i.Start)/endsShare) {
			continue
		}
		if announced[i.ID] = i.End; !e.announced[i.ID].Equal(i.End) {
			e.announceEnd(&i, left)
		}
	}
	e.announced = announced
	for kind, gauge := range e.metrics.ends {
		left, ok := first[kind]
		if !ok {
			gauge.Set(math.Inf(1))
			continue
		}
		gauge.Set(left.Seconds())
	}
}

// announceEnd says that an intent ends by itself soon.
func (e *Engine) announceEnd(i *health.IntentState, left time.Duration) {
	e.reporter.Order("intent.ending", i, "ends by itself in "+left.Round(time.Second).String())
	e.opts.Logger.Warn("intent ends by itself soon", "id", i.ID.String(), "kind", i.Kind.String(), "scope", i.Scope.String(), "service", i.Service,
		"actor", i.Actor, "reason", i.Reason, "end", endWord(i.End), "left_seconds", math.Round(left.Seconds()))
}
