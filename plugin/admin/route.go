package admin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A role is who may use a route. On the unix socket everybody who can open it is an administrator; over TCP it is what the token
// or the certificate is for.
type role string

const (
	// nobody is known and may nothing: none of the values of the claim of an OIDC token has a role.
	nobody role = "of no role"
	// anyone may ask whether the node lives.
	anyone role = "anyone"
	viewer role = "viewer"
	// operator may change what is answered.
	operator role = "operator"
	// administrator may change who may what, and what nobody could take back: the cluster's keys, members and barriers.
	administrator role = "admin"
)

// A route is one thing that the API does. The table of routes drives what is answered, to whom, what is recorded, and the
// OpenAPI document.
type route struct {
	// path is a path, in which {name} stands for one segment: http.Request.PathValue has it.
	method, path string
	role         role
	// action is what the journal calls it; every request for a route that has one is recorded, those that are refused too.
	// The others change nothing that operators decide: a probe moves no verdict, and a report is an observation, which comes
	// from endpoints every few seconds.
	action string
	// doc says in one line what it does. query are the parameters that it takes, body and reply zero values of the types of
	// what comes in and of what goes out with status 2xx; nil for none.
	doc         string
	query       []parameter
	body, reply any
	// other are the values of statuses that have another body than reply, or than a Problem.
	other map[int]any
	// secret is set when the reply holds one: it is kept nowhere. tagged GETs have an ETag, against which other methods of the path
	// take If-Match; what they answer changes when something does, not with the clock.
	secret, tagged bool
	// hidesBody is set when the request holds a secret: what is refused is recorded without it.
	hidesBody bool
	// handle returns the status and the body, to be encoded as JSON.
	handle func(*http.Request) (int, any)
	// raw answers instead of handle, with what is no JSON, of the type media.
	raw   http.Handler
	media string
	// stream answers instead of handle a client that accepts an event stream.
	stream http.HandlerFunc
}

// A parameter is one key of the query string.
type parameter struct{ name, doc string }

func (s *Server) routes() []route {
	return slices.Concat(s.lifeRoutes(), s.readRoutes(), s.safeRoutes(), s.lifeboatRoutes(), s.partRoutes(), s.cellRoutes(), s.fleetRoutes(), s.incidentRoutes(), s.drillRoutes(), s.planRoutes(), s.eventRoutes(), s.hookRoutes(), s.orderRoutes(), s.changeRoutes(), s.discoveryRoutes(), s.configRoutes(), s.nodeRoutes(), s.tokenRoutes(), s.dashboardRoutes(), s.historyRoutes(), s.metaRoutes())
}

func (s *Server) lifeRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/healthz", role: anyone, doc: "Whether the process answers.", reply: life{}, handle: s.healthz},
		{method: http.MethodGet, path: "/readyz", role: anyone, doc: "Whether queries are answered from live evidence.", reply: life{}, other: map[int]any{http.StatusServiceUnavailable: life{}}, handle: s.readyz},
	}
}

// assumed are the parameters of assumptions.
var assumed = []parameter{
	{"down", "KIND=NAME that is taken to be down; may be given again and again"},
	{"drain", "KIND=NAME that is taken to be drained"},
	{"weight", "POOL=N or POOL/ENDPOINT=N"},
}

func (s *Server) readRoutes() []route {
	return []route{
		{method: http.MethodGet, path: api.StatusPath, role: viewer, doc: "Everything that this node knows.", reply: api.Status{}, handle: s.status},
		{
			method: http.MethodGet, path: api.ExplainPath, role: viewer, doc: "What a client gets, and why.", reply: api.Explanation{}, handle: s.explain,
			query: append([]parameter{
				{"name", "the owner name; required"}, {"type", "the type of record, A by default"},
				{"client", "the address of the resolver"}, {"subnet", "the prefix in EDNS Client Subnet"},
			}, assumed...),
		},
		{method: http.MethodGet, path: api.WhatIfPath, role: viewer, doc: "What assumptions would change.", query: assumed, reply: api.WhatIf{}, handle: s.whatIf},
		{
			method: http.MethodGet, path: api.StalenessPath, role: viewer, doc: "Until when caches can still hold what is not answered any more.",
			query: []parameter{{"service", "the name of one service; all by default"}}, reply: api.Staleness{}, handle: s.staleness,
		},
		{
			method: http.MethodPost, path: api.ProbePath, role: viewer, doc: "Probes an endpoint at once; no verdict moves.",
			body: api.ProbeRequest{}, reply: api.ProbeReply{}, handle: s.probe,
		},
		{
			method: http.MethodGet, path: api.AuditPath, role: administrator, doc: "What operators asked this node for.", reply: api.Audit{}, handle: s.journal,
			query: []parameter{{"after", "a sequence number: entries after it, oldest first; without it the latest ones"}, {"limit", "1 to 1000"}},
		},
	}
}

func (s *Server) orderRoutes() []route {
	return []route{
		{method: http.MethodGet, path: api.IntentsPath, role: viewer, doc: "Drains and other orders in force and planned.", reply: api.Intents{}, handle: s.listIntents, tagged: true},
		{method: http.MethodGet, path: api.IntentsPath + "/{id}", role: viewer, doc: "One order.", reply: api.Intent{}, handle: s.oneIntent, tagged: true},
		{
			method: http.MethodPost, path: api.IntentsPath, role: operator, action: "intent", doc: "Drains, changes a weight, or forces an endpoint up or down.",
			body: api.IntentRequest{}, reply: api.Intent{}, other: map[int]any{http.StatusOK: api.Preview{}}, handle: s.createIntent,
		},
		{
			method: http.MethodDelete, path: api.IntentsPath + "/{id}", role: operator, action: "undrain", doc: "Ends an order.",
			body: api.EndRequest{}, reply: api.Intents{}, handle: s.endIntent,
		},
		{
			method: http.MethodPost, path: api.FreezePath, role: operator, action: "freeze", doc: "Stops every automatic verdict.",
			body: api.FreezeRequest{}, reply: api.Freeze{}, handle: s.freeze,
		},
		{
			method: http.MethodPost, path: api.UnfreezePath, role: operator, action: "unfreeze", doc: "Lets verdicts move again.",
			body: api.FreezeRequest{}, reply: api.Freeze{}, handle: s.unfreeze,
		},
		{
			method: http.MethodPost, path: api.ReportPath, role: operator, doc: "Takes what an endpoint says of itself (checks of type push).",
			body: api.ReportRequest{}, reply: api.ReportRequest{}, handle: s.report,
		},
		{
			method: http.MethodPost, path: api.Base + "/pools/{zone}/{pool}/ready", role: operator, action: "ready", doc: "Opens the gate of a pool.",
			body: api.PoolRequest{}, reply: api.Intent{}, other: map[int]any{http.StatusOK: api.Preview{}}, handle: s.ready,
		},
		{
			method: http.MethodDelete, path: api.Base + "/pools/{zone}/{pool}/ready", role: operator, action: "unready", doc: "Closes the gate of a pool.",
			body: api.EndRequest{}, reply: api.Intents{}, handle: s.unready,
		},
		{
			method: http.MethodPost, path: api.Base + "/pools/{zone}/{pool}/failback", role: operator, action: "failback", doc: "Lets a pool return.",
			body: api.PoolRequest{}, reply: api.Intent{}, other: map[int]any{http.StatusOK: api.Preview{}}, handle: s.failback,
		},
	}
}

func (s *Server) nodeRoutes() []route {
	const node = api.NodesPath + "/{node}"
	return []route{
		{method: http.MethodGet, path: api.NodesPath, role: viewer, doc: "The nodes of the cluster, as this one sees them.", reply: api.Nodes{}, handle: s.nodes},
		{
			method: http.MethodPost, path: node + "/waive", role: administrator, action: "waive", doc: "Lets this node join without a node's answer.",
			body: api.NodeRequest{}, reply: api.Nodes{}, handle: s.waive,
		},
		{
			method: http.MethodPost, path: node + "/stopped", role: operator, action: "stopped", doc: "Says that somebody made sure that a node does not run.",
			body: api.NodeRequest{}, reply: api.Intent{}, other: map[int]any{http.StatusOK: api.Preview{}}, handle: s.stopped,
		},
		{
			method: http.MethodDelete, path: node + "/stopped", role: operator, action: "not stopped", doc: "Takes that back.",
			body: api.EndRequest{}, reply: api.Intents{}, handle: s.notStopped,
		},
		{
			method: http.MethodPost, path: node + "/removed", role: administrator, action: "removed", doc: "Says that a node is no part of the cluster any more.",
			body: api.NodeRequest{}, reply: api.Intent{}, other: map[int]any{http.StatusOK: api.Preview{}}, handle: s.removed,
		},
		{
			method: http.MethodDelete, path: node + "/removed", role: administrator, action: "not removed", doc: "Takes that back.",
			body: api.EndRequest{}, reply: api.Intents{}, handle: s.notRemoved,
		},
		{
			method: http.MethodPost, path: api.BootstrapPath, role: administrator, action: "bootstrap", doc: "Lets this node join without anybody's answer.",
			body: api.NodeRequest{}, reply: api.Nodes{}, handle: s.bootstrap,
		},
		{
			method: http.MethodPost, path: api.MaxTTLPath, role: administrator, action: "max-ttl",
			doc:  "Takes an operator's word for the greatest TTL that this node gave before its state was lost.",
			body: api.NodeRequest{}, reply: api.Nodes{}, handle: s.nameMaxTTL,
		},
		{
			method: http.MethodPost, path: api.CutPath, role: administrator, action: "cut off", doc: "Cuts this node off from the others, for a rehearsal.",
			body: api.CutRequest{}, reply: api.Nodes{}, handle: s.cut,
		},
		{
			method: http.MethodDelete, path: api.CutPath, role: administrator, action: "heal", doc: "Ends that.",
			body: api.EndRequest{}, reply: api.Nodes{}, handle: s.cut,
		},
		{
			method: http.MethodPost, path: api.KeyringPath, role: administrator, action: "keyring", hidesBody: true, doc: "Changes the keys of gossip on every node.",
			body: api.KeyringRequest{}, reply: api.KeyringResult{}, handle: s.keyring,
		},
	}
}

func methods(routes []route) string {
	var names []string
	for _, r := range routes {
		names = append(names, r.method)
		if r.method == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	return strings.Join(names, ", ")
}

// life is the body of healthz and readyz.
type life struct {
	Status string `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// healthz says that the process answers.
func (s *Server) healthz(*http.Request) (int, any) { return http.StatusOK, life{Status: "ok"} }

func (s *Server) readyz(*http.Request) (int, any) {
	if err := s.opts.Node.Ready(); err != nil {
		return http.StatusServiceUnavailable, life{Status: "not ready", Detail: err.Error()}
	}
	return http.StatusOK, life{Status: "ready"}
}
