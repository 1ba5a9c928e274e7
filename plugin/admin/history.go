package admin

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead-dns/fairlead/health/history"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func (s *Server) historyRoutes() []route {
	return []route{{
		method: http.MethodGet, path: api.HistoryPath, role: viewer, doc: "States, latencies and shares of the last day, as this node saw them.", reply: api.History{},
		query: []parameter{{"series", "what the names of the series begin with; required"}, {"hours", "how far back, 1 to 24"}}, handle: s.history,
	}}
}

func (s *Server) history(r *http.Request) (int, any) {
	values, err := query(r, "series", "hours")
	if err != nil {
		return invalid(err)
	}
	hours := 24
	if text := values.Get("hours"); text != "" {
		if hours, err = strconv.Atoi(text); err != nil || hours < 1 || hours > 24 {
			return invalid(fmt.Errorf("hours %q: want 1 to 24", text))
		}
	}
	if values.Get("series") == "" {
		return invalid(errors.New("series: required"))
	}
	now := time.Now()
	out := api.History{Node: s.opts.Node.Name(), At: now, Since: now.Add(-time.Duration(hours) * time.Hour), Series: []api.HistorySeries{}}
	all := s.opts.Node.History.Series(values.Get("series"), out.Since)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out.Series = append(out.Series, api.HistorySeries{Name: name, Points: pointsOf(all[name])})
	}
	return http.StatusOK, out
}

func pointsOf(points []history.Point) []api.HistoryPoint {
	out := make([]api.HistoryPoint, 0, len(points))
	for _, p := range points {
		one := api.HistoryPoint{At: p.At}
		if p.Known {
			one.Value = &p.Value
		}
		out = append(out, one)
	}
	return out
}
