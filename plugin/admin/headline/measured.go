package headline

import (
	"fmt"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// measurements tells which services go by tables of measurements that are too old, or in which some are dated ahead. Neither is an outage: who
// answers is up, and perhaps not the fastest.
func (t *teller) measurements() {
	var texts []string
	names := map[string][]string{}
	for zi := range t.status.Zones {
		z := &t.status.Zones[zi]
		for i := range z.Services {
			for _, text := range t.measured(z.Services[i].Measured) {
				if names[text] == nil {
					texts = append(texts, text)
				}
				names[text] = append(names[text], t.short(z.Name, z.Services[i].Name))
			}
		}
	}
	for _, text := range texts {
		t.add(api.Cause{Level: api.LevelService, State: up, Kind: "measurements", Text: list(names[text]) + " " + text})
	}
}

// measured is what there is to say of a table; nil, which a service without one has, has nothing.
func (t *teller) measured(m *api.ServiceMeasured) (texts []string) {
	if m == nil {
		return nil
	}
	switch {
	case m.Expired && m.LatestAt == nil:
		texts = append(texts, "by distance or weights, no measurement in "+m.Table+" counts")
	case m.Expired:
		texts = append(texts, fmt.Sprintf("by distance or weights, the last measurement in %s is %s old", m.Table, age(t.status.At.Sub(*m.LatestAt))))
	}
	if m.Ahead > 0 {
		texts = append(texts, fmt.Sprintf("without what %s has of %s up to %s ahead of this node's clock", m.Table, count(m.Ahead, "instant"), age(m.AheadAt.Sub(t.status.At))))
	}
	return texts
}
