package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// returnsOf are how services wait for a pool that comes back. Nodes before 1.0 said it of the pool as a whole.
func returnsOf(p *api.Pool) (list []api.PoolReturn) {
	if p.Returns != nil {
		return p.Returns
	}
	if p.WaitsFor == "failback" || p.WaitsFor == "config" || p.WaitsFor == "cluster" {
		list = append(list, api.PoolReturn{All: true, WaitsFor: p.WaitsFor})
	}
	if p.HeldUntil != nil {
		list = append(list, api.PoolReturn{All: true, Next: p.HeldUntil})
	}
	if p.RampNext != nil {
		list = append(list, api.PoolReturn{All: true, Percent: p.RampPercent, Next: p.RampNext})
	}
	return list
}

// returnsFor are those of one service.
func returnsFor(p *api.Pool, service string) []api.PoolReturn {
	list := []api.PoolReturn{}
	for _, r := range returnsOf(p) {
		if r.All || slices.Contains(r.Services, service) {
			r.All = true
			list = append(list, r)
		}
	}
	return list
}

// returnText is how services wait for a pool, whose full name is name, in words; empty for a hold that is over.
func returnText(r *api.PoolReturn, name string, at time.Time) string {
	var text string
	switch {
	case r.WaitsFor == "failback":
		text = "back, and waits for `fairlead failback " + name + "`"
	case r.WaitsFor == "config":
		text = "back, and waits for a new version of its zone file (failback.mode: never)"
	case r.WaitsFor == "cluster":
		text = fmt.Sprintf("on its way back, at %d%%: that stands still while this node is isolated", r.Percent)
	case r.Next == nil || r.Percent == 0 && !r.Next.After(at):
		return ""
	case r.Percent == 0:
		text = fmt.Sprintf("held back until %s (%s left)", terminal.Clock(*r.Next, at), terminal.Age(r.Next.Sub(at)))
	default:
		text = fmt.Sprintf("comes back by steps: %d%% now, more at %s (in %s)", r.Percent, terminal.Clock(*r.Next, at), terminal.Age(r.Next.Sub(at)))
	}
	return returnOf(r) + text
}

// returnOf says before what is said of a return which AZ and which services it is of; nothing where that is the whole pool, of all services.
func returnOf(r *api.PoolReturn) string {
	var of []string
	if r.AZ != "" {
		of = append(of, "az "+r.AZ)
	}
	if !r.All {
		of = append(of, "for "+firsts(terminal.Each(r.Services, terminal.Display), ", "))
	}
	if of == nil {
		return ""
	}
	return strings.Join(of, " ") + ": "
}
