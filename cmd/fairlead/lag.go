package main

import (
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// lagNotes say how far the data of a pool is behind, and which services it holds back by that.
func lagNotes(p api.Pool, at time.Time) (notes []string) {
	if p.Lag == nil {
		return nil
	}
	unit := config.LagSeconds
	if p.Lag.Unit == config.LagOctets.String() {
		unit = config.LagOctets
	}
	switch {
	case p.Lag.Value == nil:
		notes = append(notes, "lag unknown: nothing was measured")
	case !p.Lag.Known:
		notes = append(notes, fmt.Sprintf("lag unknown: last measured %s ago, %s", terminal.Age(at.Sub(*p.Lag.MeasuredAt)), config.LagText(*p.Lag.Value, unit)))
	default:
		notes = append(notes, "lag "+config.LagText(*p.Lag.Value, unit))
	}
	for _, r := range p.RPO {
		limit := fmt.Sprintf("rpo %s of %s", config.LagText(r.Max, unit), terminal.Display(r.Service))
		switch {
		case r.Held:
			notes = append(notes, "HELD BACK: lag "+r.State+", "+limit)
		case r.Entered:
		case r.State == "exceeds":
			notes = append(notes, "over the "+limit)
		case r.State == "unknown":
			notes = append(notes, limit+" cannot be told")
		}
	}
	return notes
}
