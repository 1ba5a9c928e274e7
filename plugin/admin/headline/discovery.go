package headline

import (
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// clusters tells of the clusters of Kubernetes that endpoints come from.
func (t *teller) clusters() {
	for i := range t.status.Discovery {
		d := &t.status.Discovery[i]
		c := api.Cause{Level: api.LevelCluster, State: suspect, Name: d.Name}
		switch {
		case d.Stranger:
			c.Kind, c.Command, c.Text = "kubernetes_stranger", "fairlead discovery adopt "+d.Name, "another cluster stands behind the URL of "+d.Name+": nothing is taken from it"
		case d.Since != nil:
			c.Kind, c.Since, c.Command = "kubernetes_not_read", d.Since, "fairlead discovery"
			c.Text = d.Name + " not read" + t.since(*d.Since) + ", what it gave stays: " + short(d.Failure)
		case !d.Configured:
			c.Kind, c.Command, c.Text = "kubernetes_not_configured", "fairlead discovery", "no key of the node file says how "+d.Name+" is read"
		case d.Held > 0:
			c.Kind, c.Command = "kubernetes_held", "fairlead discovery accept "+d.Name
			c.Text = d.Name + " does not name " + count(d.Held, "endpoint") + " any more: kept, the pool's last or too many at once"
		case len(d.Problems) > 0:
			c.Kind, c.Command, c.Text = "kubernetes_problems", "fairlead discovery", d.Name+": "+short(d.Problems[0])
		}
		if c.Kind != "" {
			t.add(c)
		}
	}
}

// hosts tells of host names that are not resolved.
func (t *teller) hosts() {
	told := make(map[string]bool)
	for i := range t.status.Hosts {
		h := &t.status.Hosts[i]
		if h.Since == nil || told[h.Host] {
			continue
		}
		told[h.Host] = true
		text := h.Host + " not resolved" + t.since(*h.Since) + ", the addresses that it had stay: "
		if h.State == "denied" {
			text = h.Host + " has no address" + t.since(*h.Since) + ", those that it had stay for an hour: "
		}
		t.add(api.Cause{Level: api.LevelCluster, State: suspect, Kind: "host_not_resolved", Name: h.Host, Since: h.Since, Command: "fairlead discovery", Text: text + short(h.Failure)})
	}
}

// short is the end of a text whose beginning is context: what went wrong stands last.
func short(text string) string {
	const most = 100
	text = strings.TrimSpace(text)
	if len(text) > most {
		text = "…" + strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return text
}
