package main

import (
	"io"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
)

// fleets prints the services of other clusters to which answers may lead.
func (r report) fleets(w io.Writer) {
	if len(r.status.Fleets) == 0 {
		return
	}
	r.title(w, "FLEETS: what other clusters say of their services")
	t := terminal.NewTable("STATE", "SERVICE", "BOUND", "ENDPOINT", "").AlignRight(2)
	for i := range r.status.Fleets {
		f := &r.status.Fleets[i]
		state := terminal.ParseState(f.State)
		m := terminal.MarkOf(state, f.State)
		zone := &r.status.Zones[0]
		for k := range r.status.Zones {
			if r.status.Zones[k].Name == f.Zone {
				zone = &r.status.Zones[k]
			}
		}
		t.Add(m.Colour, m.Text(), terminal.Spelled(f.Service), "<= "+terminal.Seconds(f.BoundSeconds), r.name(zone, f.Pool+"/"+f.Endpoint), f.Reason)
	}
	r.list(w, t)
}
