package engine

import (
	"fmt"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/incident"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// An addressChange is an address that left the answers, or came back, while its endpoint stayed.
type addressChange struct {
	*health.Transition
	family   config.Family
	withheld bool
}

// addressChanges are those among changes.
func addressChanges(changes []health.Transition) (moved []addressChange) {
	for k := range changes {
		c := &changes[k]
		if c.New.Each == nil || !c.New.Eligible() {
			continue
		}
		for _, f := range config.Families() {
			// What was out with its whole endpoint is no news while the other address comes back.
			if was, is := c.Old.Withheld(f), c.New.Withheld(f); was != is && c.Old.Eligible() {
				moved = append(moved, addressChange{c, f, is})
			}
		}
	}
	return moved
}

// name is that of the endpoint in its zone, and the address.
func (c *addressChange) name() (endpoint, address string) {
	return c.Pool.Name + "/" + c.Endpoint.Name, c.Endpoint.Addr(c.family).String()
}

// tellAddresses logs and tells of addresses that left the answers or came back while their endpoints stayed.
func (e *Engine) tellAddresses(changes []health.Transition) {
	moved := addressChanges(changes)
	for k := range moved[:min(len(moved), maxTold)] {
		c := &moved[k]
		name, address := c.name()
		reason := c.New.Each[c.family].Reason
		if k < maxLogged {
			e.opts.Logger.Info("address changed state", "zone", c.Zone.Name, "pool", c.Pool.Name, "endpoint", c.Endpoint.Name,
				"address", address, "new", c.New.Each[c.family].State.String(), "cause", reason)
		}
		text := fmt.Sprintf("%s address %s %s", c.family, address, either(c.withheld, "is withheld: "+reason, "is answered again"))
		e.opts.Events.Add(either(c.withheld, "address.down", "address.up"), displayed(c.Zone)+"/"+name, text, map[string]any{"address": address})
	}
	e.opts.Events.Drop(max(0, len(moved)-maxTold))
}

// withheld joins an address that left the answers to the incident of its cause, while its endpoint goes on.
func (h *happening) withheld(c *addressChange) {
	_, address := c.name()
	if !c.withheld || !h.e.issued.book.Answered(ledger.RDataKeyOf(address)) && !h.left[ledger.LabelFor(c.Zone, c.Pool, c.Endpoint)] {
		return
	}
	cause := &incident.Cause{Kind: ledger.ByHealth, Zone: c.Zone.Name, Text: address + ": " + c.New.Each[c.family].Reason, At: h.now, VerdictAt: h.now}
	h.joinAddresses(cause, c.Transition, []string{address})
}

// answeredAgain tells whether one of the addresses of an endpoint, of which v is the view, may be answered.
func answeredAgain(e *config.Endpoint, v *health.EndpointView, addresses []string) bool {
	if v.Each == nil {
		return true
	}
	return slices.ContainsFunc([]config.Family{config.IPv4, config.IPv6}, func(f config.Family) bool {
		return slices.Contains(addresses, e.Addr(f).String()) && !v.Withheld(f)
	})
}
