package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fairlead-dns/fairlead/health/fleet"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// get is the reply to a GET.
func get[T any](ctx context.Context, c *Client, path string, q url.Values) (*T, error) {
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	out := new(T)
	if err := c.Do(ctx, http.MethodGet, path, nil, out); err != nil {
		return nil, err
	}
	return out, nil
}

// A Life is whether a node lives, or is ready.
type Life struct {
	Status string `json:"status"`
	Detail string `json:"detail"`
}

// Healthz tells whether the process answers.
func (c *Client) Healthz(ctx context.Context) (*Life, error) {
	return get[Life](ctx, c, "/healthz", nil)
}

// Readyz tells whether queries are answered from live evidence: an *api.Problem of status 503 says that they are not.
func (c *Client) Readyz(ctx context.Context) (*Life, error) { return get[Life](ctx, c, "/readyz", nil) }

// Status is everything that the node knows.
func (c *Client) Status(ctx context.Context) (*api.Status, error) {
	return get[api.Status](ctx, c, api.StatusPath, nil)
}

// assumed are assumptions as a query string has them.
func assumed(a api.Assumptions) url.Values {
	q := url.Values{}
	for key, list := range map[string][]string{"down": a.Down, "drain": a.Drain, "weight": a.Weight} {
		if len(list) > 0 {
			q[key] = list
		}
	}
	return q
}

// set sets what is not empty.
func set(q url.Values, pairs ...string) url.Values {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// Explain is what a client gets, and why.
func (c *Client) Explain(ctx context.Context, q api.Question) (*api.Explanation, error) {
	return get[api.Explanation](ctx, c, api.ExplainPath, set(assumed(q.Assumptions), "name", q.Name, "type", q.Type, "client", q.Client, "subnet", q.Subnet))
}

// Cell is where a label of a service with cells goes under assumptions, and why.
func (c *Client) Cell(ctx context.Context, service, label string, a api.Assumptions) (*api.Cell, error) {
	path := strings.NewReplacer("{name}", url.PathEscape(service), "{label}", url.PathEscape(label)).Replace(api.CellPath)
	return get[api.Cell](ctx, c, path, assumed(a))
}

// WhatIf is what assumptions would change.
func (c *Client) WhatIf(ctx context.Context, a api.Assumptions) (*api.WhatIf, error) {
	return get[api.WhatIf](ctx, c, api.WhatIfPath, assumed(a))
}

// Staleness is until when caches can hold what is not answered any more: of one service, or of all if it is empty.
func (c *Client) Staleness(ctx context.Context, service string) (*api.Staleness, error) {
	return get[api.Staleness](ctx, c, api.StalenessPath, set(url.Values{}, "service", service))
}

// Safe is whether what the scope names can be switched off.
func (c *Client) Safe(ctx context.Context, s api.Scope) (*api.Safe, error) {
	return get[api.Safe](ctx, c, api.SafePath, set(url.Values{}, "kind", s.Kind, "name", s.Name))
}

// Lifeboat is whether what still arrives at what the scope names is to be forwarded, to whom, and until when; for the clients of one service, or of
// all that it left if service is empty.
func (c *Client) Lifeboat(ctx context.Context, s api.Scope, service string) (*api.Lifeboat, error) {
	return get[api.Lifeboat](ctx, c, api.LifeboatPath, set(url.Values{}, "kind", s.Kind, "name", s.Name, "service", service))
}

// A Page is a part of a list, by name. Filters are those of the operation: zone, region, az, pool, state, degraded, name.
type Page struct {
	// Limit is how many items at most; 0 is the node's default. After is where the part before ended (api.Page.Next).
	Limit   int
	After   string
	Filters url.Values
}

func (p Page) values() url.Values {
	q := url.Values{}
	for key, list := range p.Filters {
		q[key] = list
	}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	return set(q, "after", p.After)
}

// Zones are the zones that the node serves.
func (c *Client) Zones(ctx context.Context, p Page) (*api.Zones, error) {
	return get[api.Zones](ctx, c, api.ZonesPath, p.values())
}

// Zone is one of them.
func (c *Client) Zone(ctx context.Context, zone string) (*api.ZoneDetail, error) {
	return get[api.ZoneDetail](ctx, c, api.ItemPath(api.ZonesPath, zone), nil)
}

// ZoneKeys is what the keys of a zone do, what is to be done about them, and when that is safe.
func (c *Client) ZoneKeys(ctx context.Context, zone string) (*api.ZoneKeys, error) {
	return get[api.ZoneKeys](ctx, c, api.KeysPath(zone), nil)
}

// Services are the services of all zones.
func (c *Client) Services(ctx context.Context, p Page) (*api.Services, error) {
	return get[api.Services](ctx, c, api.ServicesPath, p.values())
}

// Service is one of them, by its full name.
func (c *Client) Service(ctx context.Context, name string) (*api.ServiceDetail, error) {
	return get[api.ServiceDetail](ctx, c, api.ItemPath(api.ServicesPath, name), nil)
}

// Pools are the pools of all zones.
func (c *Client) Pools(ctx context.Context, p Page) (*api.Pools, error) {
	return get[api.Pools](ctx, c, api.PoolsPath, p.values())
}

// Pool is one of them.
func (c *Client) Pool(ctx context.Context, zone, pool string) (*api.PoolDetail, error) {
	return get[api.PoolDetail](ctx, c, api.ItemPath(api.PoolsPath, zone, pool), nil)
}

// Endpoints are the endpoints of all pools.
func (c *Client) Endpoints(ctx context.Context, p Page) (*api.Endpoints, error) {
	return get[api.Endpoints](ctx, c, api.EndpointsPath, p.values())
}

// Endpoint is one of them.
func (c *Client) Endpoint(ctx context.Context, zone, pool, endpoint string) (*api.EndpointDetail, error) {
	return get[api.EndpointDetail](ctx, c, api.ItemPath(api.EndpointsPath, zone, pool, endpoint), nil)
}

// Regions are the regions of all zones.
func (c *Client) Regions(ctx context.Context, p Page) (*api.Regions, error) {
	return get[api.Regions](ctx, c, api.RegionsPath, p.values())
}

// Region is one of them.
func (c *Client) Region(ctx context.Context, name string) (*api.AreaDetail, error) {
	return get[api.AreaDetail](ctx, c, api.ItemPath(api.RegionsPath, name), nil)
}

// AZs are the AZs of all zones.
func (c *Client) AZs(ctx context.Context, p Page) (*api.AZs, error) {
	return get[api.AZs](ctx, c, api.AZsPath, p.values())
}

// AZ is one of them.
func (c *Client) AZ(ctx context.Context, name string) (*api.AreaDetail, error) {
	return get[api.AreaDetail](ctx, c, api.ItemPath(api.AZsPath, name), nil)
}

// Config are the zone files of the node, and the versions of them that are kept.
func (c *Client) Config(ctx context.Context) (*api.Config, error) {
	return get[api.Config](ctx, c, api.ConfigPath, nil)
}

// RunningZone is the text of the file from which a zone runs.
func (c *Client) RunningZone(ctx context.Context, zone string) (*api.RunningZone, error) {
	return get[api.RunningZone](ctx, c, api.ItemPath(api.RunningPath, zone), nil)
}

// Incidents are those that a node keeps, the newest first.
type Incidents struct {
	Incidents []*ledger.Incident `json:"incidents"`
}

// Incidents are those that the node keeps; with open only those that go on.
func (c *Client) Incidents(ctx context.Context, open bool) (*Incidents, error) {
	q := url.Values{}
	if open {
		q.Set("open", "true")
	}
	return get[Incidents](ctx, c, api.IncidentsPath, q)
}

// Incident is one of them.
func (c *Client) Incident(ctx context.Context, id string) (*ledger.Incident, error) {
	return get[ledger.Incident](ctx, c, api.IncidentPath(id), nil)
}

// Report is an incident's report, in Markdown.
func (c *Client) Report(ctx context.Context, id string) (string, error) {
	return c.text(ctx, api.IncidentPath(id)+api.MarkdownSuffix)
}

// Certificate is an incident's signed certificate.
func (c *Client) Certificate(ctx context.Context, id string) (*ledger.Envelope, error) {
	return get[ledger.Envelope](ctx, c, api.IncidentPath(id)+api.CertificateSuffix, nil)
}

// Drills are the rehearsals that the node keeps.
func (c *Client) Drills(ctx context.Context) (*api.Drills, error) {
	return get[api.Drills](ctx, c, api.DrillsPath, nil)
}

// Drill is one of them.
func (c *Client) Drill(ctx context.Context, id string) (*api.Drill, error) {
	return get[api.Drill](ctx, c, api.DrillPath(id), nil)
}

// Hooks are the webhooks of the node.
func (c *Client) Hooks(ctx context.Context) (*api.Hooks, error) {
	return get[api.Hooks](ctx, c, api.HooksPath, nil)
}

// DeadLetters are what a webhook did not take.
func (c *Client) DeadLetters(ctx context.Context, hook string) (*api.DeadLetters, error) {
	return get[api.DeadLetters](ctx, c, api.ItemPath(api.HooksPath, hook)+"/dead", nil)
}

// Intents are the orders in force and planned.
func (c *Client) Intents(ctx context.Context) (*api.Intents, error) {
	return get[api.Intents](ctx, c, api.IntentsPath, nil)
}

// Intent is one of them.
func (c *Client) Intent(ctx context.Context, id string) (*api.Intent, error) {
	return get[api.Intent](ctx, c, api.IntentPath(id), nil)
}

// Discovery is what clusters of Kubernetes give the pools.
func (c *Client) Discovery(ctx context.Context) (*api.Discovery, error) {
	return get[api.Discovery](ctx, c, api.DiscoveryPath, nil)
}

// Nodes are the nodes of the cluster, as this one sees them.
func (c *Client) Nodes(ctx context.Context) (*api.Nodes, error) {
	return get[api.Nodes](ctx, c, api.NodesPath, nil)
}

// Tokens are the bearer tokens of the cluster, without the secrets.
func (c *Client) Tokens(ctx context.Context) (*api.Tokens, error) {
	return get[api.Tokens](ctx, c, api.TokensPath, nil)
}

// Audit are the latest orders that operators gave this node.
func (c *Client) Audit(ctx context.Context, limit int) (*api.Audit, error) {
	return get[api.Audit](ctx, c, api.AuditPath, url.Values{"limit": {strconv.Itoa(limit)}})
}

// AuditAfter are the orders after the one with a sequence number, the oldest first.
func (c *Client) AuditAfter(ctx context.Context, after uint64, limit int) (*api.Audit, error) {
	return get[api.Audit](ctx, c, api.AuditPath, url.Values{"after": {strconv.FormatUint(after, 10)}, "limit": {strconv.Itoa(limit)}})
}

// History are the series of the last hours whose names begin with prefix.
func (c *Client) History(ctx context.Context, prefix string, hours int) (*api.History, error) {
	return get[api.History](ctx, c, api.HistoryPath, url.Values{"series": {prefix}, "hours": {strconv.Itoa(hours)}})
}

// Metrics are those of the process, as Prometheus reads them.
func (c *Client) Metrics(ctx context.Context) (string, error) { return c.text(ctx, "/metrics") }

// OpenAPI is the description of the API.
func (c *Client) OpenAPI(ctx context.Context) (map[string]any, error) {
	out, err := get[map[string]any](ctx, c, api.OpenAPIPath, nil)
	if err != nil {
		return nil, err
	}
	return *out, nil
}

// Fleet is how a service stands, signed for another cluster: see fleet.Open. The nonce has 32 hexadecimal digits.
func (c *Client) Fleet(ctx context.Context, service, nonce string) (*fleet.SignedSummary, error) {
	return get[fleet.SignedSummary](ctx, c, fleet.Path, url.Values{"service": {service}, "nonce": {nonce}})
}
