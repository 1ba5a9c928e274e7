package ui

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A whatIf is what would be, under assumptions that change nothing.
type whatIf struct {
	Service  string
	Services []string
	// Sliders are the weights of the pools of the service, AZs what may be taken to be down or drained.
	Sliders []slider
	AZs     []azAssumption
	Changes []change
	Asked   bool
	WhatIf  api.WhatIf
	Refused string
}

// A slider is the weight of one pool.
type slider struct {
	Pool                    string
	Configured, Now, Weight int
	// Max is the end of the slider.
	Max int
}

// An azAssumption is what is assumed of one AZ: nothing, down or drain.
type azAssumption struct{ Name, Is string }

func loadWhatIf(v *visit) (any, error) {
	q := v.r.URL.Query()
	p := &whatIf{Service: q.Get("service")}
	s := v.ui.hub.look().Status
	for _, z := range s.Zones {
		for _, svc := range z.Services {
			if len(p.Services) < maxNames {
				p.Services = append(p.Services, display(svc.Name))
			}
		}
	}
	if p.Service == "" && len(p.Services) > 0 {
		p.Service = p.Services[0]
	}
	if err := p.sliders(v, q); err != nil {
		return nil, err
	}
	assume := p.assumptions(s, q)
	if p.Asked = len(assume) > 0; !p.Asked {
		return p, nil
	}
	w := &p.WhatIf
	if err := v.get(api.WhatIfPath+"?"+assume.Encode(), w); err != nil {
		p.Refused = err.Error()
		return p, nil
	}
	tone := tonesOf(s)
	for i := range w.Services {
		p.Changes = append(p.Changes, changeOf(&w.Services[i], tone))
	}
	slices.SortStableFunc(p.Changes, func(a, b change) int { return int(1000 * (b.Moved - a.Moved)) })
	return p, nil
}

// sliders are the pools of the service's tiers, as explain has them.
func (p *whatIf) sliders(v *visit, q url.Values) error {
	if p.Service == "" {
		return nil
	}
	var e api.Explanation
	if err := v.get(api.ExplainPath+"?"+url.Values{"name": {p.Service}}.Encode(), &e); err != nil {
		return err
	}
	for _, t := range e.Tiers {
		for _, pool := range t.Pools {
			if slices.ContainsFunc(p.Sliders, func(s slider) bool { return s.Pool == pool.Pool }) {
				continue
			}
			s := slider{Pool: pool.Pool, Configured: pool.WeightConfigured, Now: pool.Weight, Weight: pool.Weight, Max: max(100, 2*pool.WeightConfigured)}
			if n, err := strconv.Atoi(q.Get("w." + pool.Pool)); err == nil && n >= 0 {
				s.Weight, s.Max = n, max(s.Max, n)
			}
			p.Sliders = append(p.Sliders, s)
		}
	}
	return nil
}

// assumptions are those of the form, as the API takes them.
func (p *whatIf) assumptions(s *api.Status, q url.Values) url.Values {
	out := url.Values{}
	for _, az := range namesOf(s)["az"] {
		is := q.Get("az." + az)
		if is == "down" || is == "drain" {
			out.Add(is, "az="+az)
		}
		p.AZs = append(p.AZs, azAssumption{az, is})
	}
	for _, one := range p.Sliders {
		if one.Weight != one.Now {
			out.Add("weight", one.Pool+"="+strconv.Itoa(one.Weight))
		}
	}
	return out
}

// Choices are what may be assumed of it.
func (azAssumption) Choices() []choice {
	return []choice{{"", "as it is"}, {"down", "down"}, {"drain", "drained"}}
}

// ID is fit for an attribute.
func (s slider) ID() string { return "w-" + strings.ReplaceAll(s.Pool, " ", "-") }
