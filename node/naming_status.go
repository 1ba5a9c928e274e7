package node

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/discover"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// Status are the host names of the zone files, each with the endpoint that stands for it.
func (n *naming) Status() (out []api.ResolvedHost) {
	n.mu.Lock()
	defer n.mu.Unlock()
	answers := n.resolver.Answers()
	for _, w := range n.wants {
		a := answers[w.Host]
		h := api.ResolvedHost{Host: strings.TrimSuffix(w.Host, "."), Zone: w.Zone, Pool: w.Pool, Endpoint: w.Name, State: "resolved",
			LookedAt: moment(a.Looked), ExpiresAt: moment(a.Expires), Since: moment(a.Since)}
		switch {
		case a.Looked.IsZero():
			h.State = "waiting"
		case a.Denied:
			h.State = "denied"
		case a.Problem != nil:
			h.State = "failing"
		}
		if a.Problem != nil {
			h.Failure = a.Problem.Error()
		}
		if s := n.names[w.NameKey]; s != nil {
			for _, p := range s.Parts {
				h.Addresses = append(h.Addresses, addressesOf(w.Name, p.Entries)...)
			}
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b api.ResolvedHost) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.Zone, b.Zone), strings.Compare(a.Pool, b.Pool), strings.Compare(a.Endpoint, b.Endpoint))
	})
	return out
}

// addressesOf are the entries of an endpoint.
func addressesOf(endpoint string, entries []discover.Entry) (out []api.ResolvedAddress) {
	for _, e := range entries {
		out = append(out, api.ResolvedAddress{Name: e.EndpointName(endpoint), Data: e.RData(), State: cmp.Or(string(e.State), "named"), Since: e.Since.UTC(), Probed: e.Probed})
	}
	return out
}
