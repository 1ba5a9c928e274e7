package feed

import (
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// Listeners are what is known of those who were given what has left, the newest departure first. It implements cluster.Subscribers.
func (h *Hub) Listeners() ledger.Listeners {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := ledger.Listeners{Cut: h.cut, Rows: make([]ledger.Listening, 0, len(h.rows))}
	for i := len(h.rows) - 1; i >= 0; i-- {
		out.Rows = append(out.Rows, h.rows[i].listening())
	}
	return out
}

// listening counts those of a row.
func (r *row) listening() ledger.Listening {
	l := ledger.Listening{RData: r.rdata, At: r.at, Confirmed: r.confirmed, Last: r.last, Ended: r.expired, Since: r.since, Until: r.ended}
	for s := range r.pending {
		switch {
		case !s.gone.IsZero():
			l.Silent++
			if l.Since.IsZero() || s.gone.Before(l.Since) {
				l.Since = s.gone
			}
			l.Until = ledger.Later(l.Until, s.until)
		case s.liar:
			l.Liars++
		default:
			l.Waiting++
		}
	}
	return l
}
