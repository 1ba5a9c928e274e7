package admin

import (
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// subscribersOf is what is known of those who were given something by feeds; nil where no node has any.
func subscribersOf(h *ledger.Heard) *api.Subscribers {
	if !h.Feeds {
		return nil
	}
	out := &api.Subscribers{
		Told: h.Told(), Confirmed: h.Confirmed, Waiting: h.Waiting, Silent: h.Silent, Expired: h.Ended, NotBelieved: h.Liars,
		SilentSince: instant(h.Since), ExpiresAt: instant(h.Until), Unknown: h.Unknown,
	}
	if h.Confirmed > 0 {
		seconds := h.Last.Seconds()
		out.ConfirmedAfterSeconds = &seconds
	}
	return out
}

// worseOf is that of the two of which less is known; nil ones say nothing.
func worseOf(a, b *api.Subscribers) *api.Subscribers {
	switch {
	case a == nil:
		return b
	case b == nil, len(a.Unknown) > len(b.Unknown):
		return a
	case len(b.Unknown) > len(a.Unknown), b.Told-b.Confirmed > a.Told-a.Confirmed:
		return b
	}
	return a
}

// subscriberLine is the fourth line: of what left, the one of which least is known. It is empty where no node has feeds.
func subscriberLine(left []departure.Departure) string {
	var worst *departure.Departure
	count := 0
	for i := range left {
		d := &left[i]
		if !d.Heard.Feeds {
			continue
		}
		if count++; worst == nil || d.Heard.Worse(&worst.Heard) {
			worst = d
		}
	}
	if worst == nil {
		return ""
	}
	line := worst.Heard.Line(func(t time.Time) string { return clock(t) })
	if count > 1 && (worst.Heard.Told() > 0 || len(worst.Heard.Unknown) > 0) {
		line += fmt.Sprintf(" (of %s, the worst of %d)", worst.RData, count)
	}
	return line
}

// withSubscribers adds the fourth line to the three, if there is one.
func withSubscribers(lines []string, left []departure.Departure) []string {
	if line := subscriberLine(left); line != "" {
		return append(lines, line)
	}
	return lines
}
