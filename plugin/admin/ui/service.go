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
	// Strip are the states of the last day, which begins at StripFrom.
	Strip     []stripe
	StripFrom time.Time
	// Latest are the phases of this node's latest probe.
	Latest []part
	// Matrix has a row for each endpoint of the pool, at most maxMatrix, and MoreMatrix counts the others; Columns are the nodes.
	Matrix     []matrixRow
	MoreMatrix int
	Columns    []string
}

// maxMatrix is how many endpoints of its pool an endpoint's page shows.
const maxMatrix = 50

// A matrixRow is what the nodes say of one endpoint, in the order of the columns.
type matrixRow struct {
	Name, State string
	Self        bool
	Says        []mark
}

// matrixOf is what the nodes say of the endpoints of a pool: those of the cluster, or this one alone.
func matrixOf(pool *api.Pool, own, self string) (rows []matrixRow, columns []string, more int) {
	for _, e := range pool.Endpoints {
		for _, w := range e.Vantages {
			if !slices.Contains(columns, w.Node) {
				columns = append(columns, w.Node)
			}
		}
	}
	if slices.Sort(columns); len(columns) == 0 {
		columns = []string{self}
	}
	for i := range pool.Endpoints {
		e := &pool.Endpoints[i]
		if len(rows) == maxMatrix {
			return rows, columns, len(pool.Endpoints) - maxMatrix
		}
		row := matrixRow{Name: e.Name, State: e.State, Self: e.Name == own}
		for _, node := range columns {
			at := slices.IndexFunc(e.Vantages, func(w api.Vantage) bool { return w.Node == node })
			switch {
			case at >= 0:
				row.Says = append(row.Says, markOf(e.Vantages[at].State))
			case len(e.Vantages) == 0 && node == self:
				row.Says = append(row.Says, markOf(e.Health))
			default:
				row.Says = append(row.Says, mark{"unknown", "not probed"})
			}
		}
		rows = append(rows, row)
	}
	return rows, columns, 0
}

// phasesOf draws the phases of a probe that took so long in all.
func phasesOf(connect, tls, first, total float64) []part {
	var out []part
	from := 0.0
	add := func(word string, seconds float64, tone int) {
		if seconds > 0 && total > 0 {
			out = append(out, part{Word: word, Seconds: seconds, From: from, Width: seconds / total * 100, Tone: tone})
			from += seconds / total * 100
		}
	}
	add("connect", connect, 0)
	add("TLS", tls, 2)
	add("first byte", first, 4)
	add("the rest", total-connect-tls-first, 6)
	return out
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
	p.Strip, p.StripFrom = stripOf(&h, api.HistoryState+p.ID()), h.Since
	if ph := p.Phases; ph != nil {
		p.Latest = phasesOf(ph.ConnectSeconds, ph.TLSSeconds, ph.FirstByteSeconds, p.LatencySeconds)
	} else if p.ProbedAt != nil {
		p.Latest = phasesOf(p.LatencySeconds, 0, 0, p.LatencySeconds)
	}
	if pool := poolOf(v.ui.hub.look().Status, p.Zone, p.Pool); pool != nil {
		p.Matrix, p.Columns, p.MoreMatrix = matrixOf(pool, p.Name, v.ui.opts.Node)
	}
	slices.SortFunc(p.Nodes, func(a, b vantageCell) int { return cmp.Compare(a.Node, b.Node) })
	return p, nil
}

// poolOf is a pool of the status; nil if it is not there.
func poolOf(s *api.Status, zone, name string) *api.Pool {
	for i := range s.Zones {
		if s.Zones[i].Name != zone {
			continue
		}
		if k := slices.IndexFunc(s.Zones[i].Pools, func(p api.Pool) bool { return p.Name == name }); k >= 0 {
			return &s.Zones[i].Pools[k]
		}
	}
	return nil
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
	v.render(http.StatusOK, "endpoint", v.page(pageDef{name: "endpoint", title: p.Name, path: v.r.URL.Path, charts: true}, p))
}
