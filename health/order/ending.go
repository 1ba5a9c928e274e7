package order

import (
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/report"
)

const (
	// endsSoon is how long before its end an intent is announced, and endsShare the part of its length, if that is less: 1/endsShare.
	endsSoon  = 10 * time.Minute
	endsShare = 10
)

// ends are the ends of orders that are near, and who is told of them.
type ends struct {
	// announced are those that have been announced.
	announced map[health.IntentID]time.Time
	// gauges show when the first intent of each kind ends, in seconds.
	gauges   map[health.IntentKind]prometheus.Gauge
	reporter *report.Reporter
	logger   *slog.Logger
}

// WatchEnds announces the orders in force that end by themselves soon.
func (s *Orders) WatchEnds(now time.Time) { s.ends.watch(s.States(), now) }

// watch announces the intents in force that end by themselves soon, once for each end, and shows when the first of each kind
// does. A restart within that time announces them again.
func (w *ends) watch(states []health.IntentState, now time.Time) {
	first := make(map[health.IntentKind]time.Duration)
	announced := make(map[health.IntentID]time.Time)
	for _, i := range states {
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
		if announced[i.ID] = i.End; !w.announced[i.ID].Equal(i.End) {
			w.announce(&i, left)
		}
	}
	w.announced = announced
	for kind, gauge := range w.gauges {
		left, ok := first[kind]
		if !ok {
			gauge.Set(math.Inf(1))
			continue
		}
		gauge.Set(left.Seconds())
	}
}

// announce says that an intent ends by itself soon.
func (w *ends) announce(i *health.IntentState, left time.Duration) {
	w.reporter.Order("intent.ending", i, "ends by itself in "+left.Round(time.Second).String())
	w.logger.Warn("intent ends by itself soon", "id", i.ID.String(), "kind", i.Kind.String(), "scope", i.Scope.String(), "service", i.Service,
		"actor", i.Actor, "reason", i.Reason, "end", endWord(i.End), "left_seconds", math.Round(left.Seconds()))
}
