package engine

import (
	"fmt"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/incident"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// readdressed is view, which was of endpoint old, as that of e: each address that both have keeps its verdict, and one that only e has
// begins without any.
func readdressed(old, e *config.Endpoint, view health.EndpointView) health.EndpointView {
	switch {
	case !e.Dual() && view.Each == nil:
		return view
	case !e.Dual():
		if !old.ProbeGiven && !e.ProbeGiven {
			view.Verdict = view.Each[familyOf(e)]
		}
		view.Each = nil
		return view
	}
	var each health.Each
	for _, f := range config.Families() {
		switch {
		case old.Addr(f) != e.Addr(f):
		case view.Each != nil:
			each[f] = view.Each[f]
		default:
			each[f] = view.Verdict
		}
	}
	if view.Each == nil || *view.Each != each {
		view.Each = &each
	}
	return view
}

// familyOf is the family of the one address that e has.
func familyOf(e *config.Endpoint) config.Family {
	if e.V4.IsValid() {
		return config.IPv4
	}
	return config.IPv6
}

// An addressChange is an address that left the answers, or came back, while its endpoint stayed.
type addressChange struct {
	*change
	family   config.Family
	withheld bool
}

// addressChanges are those among changes.
func addressChanges(changes []change) (moved []addressChange) {
	for k := range changes {
		c := &changes[k]
		if c.new.Each == nil || !c.new.Eligible() {
			continue
		}
		for _, f := range config.Families() {
			// What was out with its whole endpoint is no news while the other address comes back.
			if was, is := c.old.Withheld(f), c.new.Withheld(f); was != is && c.old.Eligible() {
				moved = append(moved, addressChange{c, f, is})
			}
		}
	}
	return moved
}

// name is that of the endpoint in its zone, and the address.
func (c *addressChange) name() (endpoint, address string) {
	return c.pool.Name + "/" + c.endpoint.Name, c.endpoint.Addr(c.family).String()
}

// tellAddresses logs and tells of addresses that left the answers or came back while their endpoints stayed.
func (e *Engine) tellAddresses(changes []change) {
	moved := addressChanges(changes)
	for k := range moved[:min(len(moved), maxTold)] {
		c := &moved[k]
		name, address := c.name()
		reason := c.new.Each[c.family].Reason
		if k < maxLogged {
			e.opts.Logger.Info("address changed state", "zone", c.zone.Name, "pool", c.pool.Name, "endpoint", c.endpoint.Name,
				"address", address, "new", c.new.Each[c.family].State.String(), "cause", reason)
		}
		text := fmt.Sprintf("%s address %s %s", c.family, address, either(c.withheld, "is withheld: "+reason, "is answered again"))
		e.opts.Events.Add(either(c.withheld, "address.down", "address.up"), displayed(c.zone)+"/"+name, text, map[string]any{"address": address})
	}
	e.opts.Events.Drop(max(0, len(moved)-maxTold))
}

// withheld joins an address that left the answers to the incident of its cause, while its endpoint goes on.
func (h *happening) withheld(c *addressChange) {
	_, address := c.name()
	if !c.withheld || !h.e.issued.book.Answered(ledger.RDataKeyOf(address)) && !h.left[ledger.LabelFor(c.zone, c.pool, c.endpoint)] {
		return
	}
	cause := &incident.Cause{Kind: ledger.ByHealth, Zone: c.zone.Name, Text: address + ": " + c.new.Each[c.family].Reason, At: h.now, VerdictAt: h.now}
	h.joinAddresses(cause, c.change, []string{address})
}

// answeredAgain tells whether one of the addresses of an endpoint, of which v is the view, may be answered.
func answeredAgain(e *config.Endpoint, v *health.EndpointView, addresses []string) bool {
	if v.Each == nil {
		return true
	}
	return slices.ContainsFunc(bothFamilies[:], func(f config.Family) bool {
		return slices.Contains(addresses, e.Addr(f).String()) && !v.Withheld(f)
	})
}

// at is where the verdict on the address of endpoint i in a family comes from.
func (t *table) at(i int, f config.Family) point {
	if t.panel.without.Without(health.GuardEach) {
		f = config.IPv4
	}
	return point{i, f}
}

// dialled is what the leaves dial for endpoint i, for one address after the other.
func (pt *poolTable) dialled(i int) []health.TargetID {
	n, from, to := len(pt.leaves), i, i+1
	if pt.begins != nil {
		from, to = int(pt.begins[i]), int(pt.begins[i+1])
	}
	return pt.targets[from*n : to*n]
}

// dialledOn is what the leaves dial for the address of endpoint i in a family.
func (pt *poolTable) dialledOn(i int, f config.Family) []health.TargetID {
	all, n := pt.dialled(i), len(pt.leaves)
	if len(all) == n {
		return all
	}
	return all[int(f)*n : (int(f)+1)*n]
}
