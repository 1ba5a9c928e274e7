package ui

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A servicePage is one service: what clients get, and what that rests on.
type servicePage struct {
	api.ServiceDetail
	Row       serviceRow
	Staleness *api.ServiceStaleness
	Incidents []incidentLine
	// Explained is the answer to the question in the form, if there is one; Refused says why there is none.
	Client, Type string
	Explained    *api.Explanation
	Refused      string
}

// An incidentLine is an incident in a list.
type incidentLine = api.OpenIncident

// maxLines is how many incidents a page lists beside something else.
const maxLines = 8

func loadService(v *visit) (any, error) {
	p := &servicePage{Client: v.r.URL.Query().Get("client"), Type: strings.ToUpper(v.r.URL.Query().Get("type"))}
	name := v.r.PathValue("name")
	if err := v.get(api.ItemPath(api.ServicesPath, name), &p.ServiceDetail); err != nil {
		return nil, err
	}
	l := v.ui.hub.look()
	tone := tonesOf(l.Status)
	p.Row = serviceRow{Service: p.Service, Zone: p.Zone, Shares: azShares(p.Shares, tone)}
	for i := range l.Staleness.Services {
		if l.Staleness.Services[i].Service == p.Name {
			p.Staleness = &l.Staleness.Services[i]
		}
	}
	p.Row.Staleness = p.Staleness
	p.Row.Severity, p.Row.Mark = severityOf(&p.Row)
	p.Row.Bar = barOf(&p.Row, l.At)
	for _, i := range l.Status.OpenIncidents {
		if slices.Contains(i.Services, p.Name) && len(p.Incidents) < maxLines {
			p.Incidents = append(p.Incidents, i)
		}
	}
	return p, p.explain(v)
}

// explain asks what a client gets, and why.
func (p *servicePage) explain(v *visit) error {
	q := url.Values{"name": {p.Name}}
	if p.Client != "" {
		q.Set("client", p.Client)
	}
	if p.Type != "" {
		q.Set("type", p.Type)
	}
	p.Explained = new(api.Explanation)
	if err := v.get(api.ExplainPath+"?"+q.Encode(), p.Explained); err != nil {
		p.Explained, p.Refused = nil, err.Error()
	}
	return nil
}

// Answers are the records that clients get now, as dig shows them.
func (p *servicePage) Answers() []api.Share { return p.Shares }

// A endpointPage is one endpoint.
type endpointPage struct {
	api.EndpointDetail
	// Probed is what a probe saw that was asked for; nil without one.
	Reply *api.ProbeReply
	Nodes []vantageCell
	Strip []stripe
	Since time.Time
}

// A vantageCell is what one node says of the endpoint.
type vantageCell struct {
	api.Vantage
	// Silent is set for a node of the cluster that says nothing of it.
	Silent bool
}

// ID is ZONE/POOL/ENDPOINT.
func (p *endpointPage) ID() string { return display(p.Zone) + "/" + p.Pool + "/" + p.Name }

func loadEndpoint(v *visit) (any, error) {
	p := new(endpointPage)
	path := api.ItemPath(api.EndpointsPath, v.r.PathValue("zone"), v.r.PathValue("pool"), v.r.PathValue("endpoint"))
	if err := v.get(path, &p.EndpointDetail); err != nil {
		return nil, err
	}
	for _, w := range p.Vantages {
		p.Nodes = append(p.Nodes, vantageCell{Vantage: w})
	}
	if c := v.ui.hub.look().Status.Cluster; c != nil {
		for _, n := range c.Nodes {
			if !slices.ContainsFunc(p.Nodes, func(o vantageCell) bool { return o.Node == n.Name }) {
				p.Nodes = append(p.Nodes, vantageCell{Vantage: api.Vantage{Node: n.Name, State: "unknown"}, Silent: true})
			}
		}
	}
	var h api.History
	if err := v.get(historyPath(api.HistoryState+p.ID()), &h); err != nil {
		return nil, err
	}
	p.Strip, p.Since = stripOf(&h, api.HistoryState+p.ID()), h.Since
	slices.SortFunc(p.Nodes, func(a, b vantageCell) int { return cmp.Compare(a.Node, b.Node) })
	return p, nil
}

// probeEndpoint probes at once, and shows what came of it.
func probeEndpoint(v *visit) {
	data, err := loadEndpoint(v)
	if err != nil {
		v.failed(err)
		return
	}
	p := data.(*endpointPage)
	p.Reply = new(api.ProbeReply)
	if err := v.call(http.MethodPost, api.ProbePath, api.ProbeRequest{Endpoint: p.ID()}, p.Reply); err != nil {
		v.failed(err)
		return
	}
	v.render(http.StatusOK, "endpoint", v.page(pageDef{name: "endpoint", title: p.Name, path: v.r.URL.Path}, p))
}
