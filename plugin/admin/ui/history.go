package ui

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// stateWords are the states by the number that the history has for them.
var stateWords = []string{"unknown", "up", "suspect", "down", "drained"}

// A stripe is a time in one state, in percents of the strip.
type stripe struct {
	State       string
	From, Width float64
	At          time.Time
}

func historyPath(series string) string { return api.HistoryPath + "?series=" + url.QueryEscape(series) }

// stripOf is the strip of states of a series: what is not known is left empty.
func stripOf(h *api.History, name string) []stripe {
	var out []stripe
	span := h.At.Sub(h.Since).Seconds()
	for _, s := range h.Series {
		if s.Name != name || span <= 0 {
			continue
		}
		for i, p := range s.Points {
			from, to := p.At, h.At
			if i+1 < len(s.Points) {
				to = s.Points[i+1].At
			}
			if from.Before(h.Since) {
				from = h.Since
			}
			if p.Value == nil || int(*p.Value) >= len(stateWords) || !to.After(from) {
				continue
			}
			out = append(out, stripe{
				State: stateWords[int(*p.Value)], At: p.At,
				From: from.Sub(h.Since).Seconds() / span * 100, Width: to.Sub(from).Seconds() / span * 100,
			})
		}
	}
	return out
}

// serveHistory hands the history of series on to the charts.
func serveHistory(v *visit) {
	q := v.r.URL.Query()
	status, media, reply := v.ui.opts.Backend.Call(v.r, v.Login, http.MethodGet, api.HistoryPath+"?"+q.Encode(), nil)
	v.w.Header().Set("Content-Type", media)
	v.w.WriteHeader(status)
	// Who went away has no use for it.
	_, _ = v.w.Write(reply)
}

// countedEvery is for how long what was counted is shown: it is counted once a minute.
const countedEvery = 10 * time.Second

// counted is the mean part of the answers of this node, over the services that it was asked for, that led to each AZ in the last minute.
func (h *hub) counted(v *visit) map[string]float64 {
	h.countedMu.Lock()
	defer h.countedMu.Unlock()
	if time.Since(h.countedAt) < countedEvery {
		return h.countedShares
	}
	var got api.History
	if v.get(historyPath(api.HistoryCounted)+"&hours=1", &got) != nil {
		return nil
	}
	sums, services := make(map[string]float64), make(map[string]bool)
	for _, s := range got.Series {
		service, az, _ := strings.Cut(strings.TrimPrefix(s.Name, api.HistoryCounted), "/")
		if p := s.Points[len(s.Points)-1]; p.Value != nil {
			sums[az] += *p.Value
			services[service] = true
		}
	}
	for az := range sums {
		sums[az] /= float64(len(services))
	}
	h.countedShares, h.countedAt = sums, time.Now()
	return sums
}
