package admin

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A call is what is expected of a route: who may, and a request that is carried out.
type call struct {
	role role
	// path is the route's, with names in it; empty means that it has no parameters.
	path, body string
	// status is that of the reply to somebody who may.
	status int
}

const (
	because = `{"actor":"ada","reason":"x"}`
	aKey    = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
)

// contract has every route: TestContractIsWhole fails for one that is not here.
var contract = map[string]call{
	"POST /api/v1/ui/links":                          {role: viewer, body: `{"actor":"ada"}`, status: 201},
	"GET /api/v1/history":                            {role: viewer, path: "/api/v1/history?series=state/", status: 200},
	"GET /healthz":                                   {role: anyone, status: 200},
	"GET /readyz":                                    {role: anyone, status: 200},
	"GET /api/v1/status":                             {role: viewer, status: 200},
	"GET /api/v1/explain":                            {role: viewer, path: "/api/v1/explain?name=www.example.org", status: 200},
	"GET /api/v1/fleet":                              {role: viewer, path: "/api/v1/fleet?service=www.a.example&nonce=0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f", status: 200},
	"GET /api/v1/what-if":                            {role: viewer, path: "/api/v1/what-if?drain=az%3Deu-a", status: 200},
	"GET /api/v1/zones":                              {role: viewer, status: 200},
	"GET /api/v1/zones/{zone}":                       {role: viewer, path: "/api/v1/zones/a.example", status: 200},
	"GET /api/v1/zones/{zone}/keys":                  {role: viewer, path: "/api/v1/zones/a.example/keys", status: 200},
	"GET /api/v1/services":                           {role: viewer, status: 200},
	"GET /api/v1/services/{name}":                    {role: viewer, path: "/api/v1/services/www.a.example", status: 200},
	"GET /api/v1/services/{name}/cells/{label}":      {role: viewer, path: "/api/v1/services/www.a.example/cells/17", status: 400},
	"GET /api/v1/pools":                              {role: viewer, status: 200},
	"GET /api/v1/pools/{zone}/{pool}":                {role: viewer, path: "/api/v1/pools/a.example/web-eu", status: 200},
	"GET /api/v1/endpoints":                          {role: viewer, status: 200},
	"GET /api/v1/endpoints/{zone}/{pool}/{endpoint}": {role: viewer, path: "/api/v1/endpoints/a.example/web-eu/gone", status: 200},
	"GET /api/v1/regions":                            {role: viewer, status: 200},
	"GET /api/v1/regions/{name}":                     {role: viewer, path: "/api/v1/regions/eu", status: 200},
	"GET /api/v1/azs":                                {role: viewer, status: 200},
	"GET /api/v1/azs/{name}":                         {role: viewer, path: "/api/v1/azs/eu-a", status: 200},
	"GET /api/v1/config":                             {role: viewer, status: 200},
	"POST /api/v1/reload":                            {role: operator, body: because, status: 200},
	"POST /api/v1/config/rollback":                   {role: administrator, body: `{"actor":"ada","reason":"x","file":"a.yaml"}`, status: 200},
	"POST /api/v1/config/forward":                    {role: administrator, body: `{"actor":"ada","reason":"x","file":"a.yaml"}`, status: 200},
	"GET /api/v1/config/zones/{zone}":                {role: viewer, path: "/api/v1/config/zones/a.example", status: 200},
	"GET /api/v1/incidents":                          {role: viewer, status: 200},
	"GET /api/v1/incidents/{id}":                     {role: viewer, path: "/api/v1/incidents/i1", status: 200},
	"GET /api/v1/incidents/{id}/report.md":           {role: viewer, path: "/api/v1/incidents/i1/report.md", status: 200},
	"GET /api/v1/incidents/{id}/certificate":         {role: viewer, path: "/api/v1/incidents/i1/certificate", status: 200},
	"POST /api/v1/incidents/{id}/late-hits":          {role: operator, path: "/api/v1/incidents/i1/late-hits", body: `{"source":"nginx","hits":[{"after_seconds":1,"count":2}]}`, status: 200},
	"GET /api/v1/drills":                             {role: viewer, status: 200},
	"POST /api/v1/drills":                            {role: operator, body: `{"scope":{"kind":"az","name":"eu-a"},"reason":"x","for_seconds":60}`, status: 201},
	"GET /api/v1/drills/{id}":                        {role: viewer, path: "/api/v1/drills/d1", status: 200},
	"GET /api/v1/plans":                              {role: viewer, status: 200},
	"GET /api/v1/plans/{name}":                       {role: viewer, path: "/api/v1/plans/p", status: 200},
	"POST /api/v1/plans/{name}/start":                {role: operator, path: "/api/v1/plans/p/start", body: because, status: 201},
	"GET /api/v1/runs":                               {role: viewer, status: 200},
	"GET /api/v1/runs/{id}":                          {role: viewer, path: "/api/v1/runs/r1", status: 200},
	"GET /api/v1/runs/{id}/evidence":                 {role: viewer, path: "/api/v1/runs/r1/evidence", status: 200},
	"POST /api/v1/runs/{id}/approve":                 {role: operator, path: "/api/v1/runs/r1/approve", body: because, status: 200},
	"POST /api/v1/runs/{id}/pause":                   {role: operator, path: "/api/v1/runs/r1/pause", body: because, status: 200},
	"POST /api/v1/runs/{id}/resume":                  {role: operator, path: "/api/v1/runs/r1/resume", body: because, status: 200},
	"POST /api/v1/runs/{id}/abort":                   {role: operator, path: "/api/v1/runs/r1/abort", body: because, status: 200},
	"DELETE /api/v1/drills/{id}":                     {role: operator, path: "/api/v1/drills/d1", body: because, status: 200},
	"GET /api/v1/events":                             {role: viewer, status: 200},
	"GET /api/v1/hooks":                              {role: viewer, status: 200},
	"GET /api/v1/hooks/{name}/dead":                  {role: viewer, path: "/api/v1/hooks/pager/dead", status: 200},
	"POST /api/v1/hooks/{name}/redeliver":            {role: operator, path: "/api/v1/hooks/pager/redeliver", body: because, status: 200},
	"GET /api/v1/safe":                               {role: viewer, path: "/api/v1/safe?kind=az&name=eu-a", status: 200},
	"GET /api/v1/lifeboat":                           {role: viewer, path: "/api/v1/lifeboat?kind=az&name=eu-a", status: 200},
	"GET /api/v1/staleness":                          {role: viewer, status: 200},
	"PATCH /api/v1/intents/{id}":                     {role: operator, path: "/api/v1/intents/n1-1-1", body: `{"actor":"ada","reason":"x","for_seconds":7200}`, status: 200},
	"POST /api/v1/intents/{id}/resume":               {role: operator, path: "/api/v1/intents/n1-1-1/resume", body: because, status: 201},
	"GET /api/v1/audit":                              {role: administrator, status: 200},
	"GET /api/v1/intents":                            {role: viewer, status: 200},
	"GET /api/v1/nodes":                              {role: viewer, status: 200},
	"POST /api/v1/probe":                             {role: viewer, body: `{"endpoint":"example.org/web/one"}`, status: 200},
	"POST /api/v1/report":                            {role: operator, body: `{"endpoint":"example.org/web/one","state":"up","weight":50}`, status: 200},
	"POST /api/v1/intents":                           {role: operator, body: `{"kind":"drain","scope":{"kind":"az","name":"eu-a"},"reason":"x","for_seconds":60}`, status: 201},
	"GET /api/v1/intents/{id}":                       {role: viewer, path: "/api/v1/intents/n1-1-1", status: 200},
	"DELETE /api/v1/intents/{id}":                    {role: operator, path: "/api/v1/intents/n1-1-1", body: because, status: 200},
	"GET /api/v1/discovery":                          {role: viewer, status: 200},
	"POST /api/v1/discovery/{cluster}/accept":        {role: operator, path: "/api/v1/discovery/eu-1/accept", body: because, status: 200},
	"POST /api/v1/discovery/{cluster}/adopt":         {role: operator, path: "/api/v1/discovery/eu-1/adopt", body: because, status: 200},
	"POST /api/v1/freeze":                            {role: operator, body: because, status: 200},
	"POST /api/v1/unfreeze":                          {role: operator, body: because, status: 200},
	"POST /api/v1/pools/{zone}/{pool}/ready":         {role: operator, path: "/api/v1/pools/example.org/web/ready", body: because, status: 201},
	"DELETE /api/v1/pools/{zone}/{pool}/ready":       {role: operator, path: "/api/v1/pools/example.org/web/ready", status: 200},
	"POST /api/v1/pools/{zone}/{pool}/failback":      {role: operator, path: "/api/v1/pools/example.org/web/failback", body: because, status: 201},
	"POST /api/v1/nodes/{node}/stopped":              {role: operator, path: "/api/v1/nodes/n2/stopped", body: because, status: 201},
	"DELETE /api/v1/nodes/{node}/stopped":            {role: operator, path: "/api/v1/nodes/n2/stopped", body: because, status: 200},
	"POST /api/v1/nodes/{node}/removed":              {role: administrator, path: "/api/v1/nodes/n2/removed", body: because, status: 201},
	"DELETE /api/v1/nodes/{node}/removed":            {role: administrator, path: "/api/v1/nodes/n2/removed", body: because, status: 200},
	"POST /api/v1/nodes/{node}/waive":                {role: administrator, path: "/api/v1/nodes/n2/waive", body: because, status: 200},
	"POST /api/v1/bootstrap":                         {role: administrator, body: because, status: 200},
	"POST /api/v1/max-ttl":                           {role: administrator, body: `{"reason":"x","max_ttl_seconds":60}`, status: 200},
	"POST /api/v1/cut":                               {role: administrator, body: `{"reason":"x","for_seconds":60}`, status: 200},
	"DELETE /api/v1/cut":                             {role: administrator, body: because, status: 200},
	"POST /api/v1/keyring":                           {role: administrator, body: `{"reason":"x","verb":"add","key":"` + aKey + `"}`, status: 200},
	"GET /metrics":                                   {role: viewer, status: 200},
	"GET /api/v1/openapi.json":                       {role: viewer, status: 200},
	"GET /api/v1/tokens":                             {role: administrator, status: 200},
	"POST /api/v1/tokens":                            {role: administrator, body: `{"name":"new","role":"viewer","for_seconds":60}`, status: 201},
	"DELETE /api/v1/tokens/{name}":                   {role: administrator, path: "/api/v1/tokens/spare", body: because, status: 200},
}

// contractNode has something of everything that the calls of the contract name.
func contractNode(t testing.TB) *fakeNode {
	id := func(counter uint64) health.IntentID {
		return health.IntentID{Node: "n1", Incarnation: 1, Counter: counter}
	}
	pool, node := health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "web"}, health.Scope{Kind: health.ScopeNode, Name: "n2"}
	now := time.Now()
	label := ledger.Label{Zone: "a.example.", Pool: "web-eu", Endpoint: "one", Region: "eu", AZ: "eu-a"}
	safety := departure.Safety{At: now, Items: []departure.SafetyItem{{Label: label, RData: "192.0.2.1", Known: true, Bound: ledger.Bound{Known: true, SafeAt: now.Add(time.Minute)}}}}
	forgotten := testIncident(now)
	forgotten.Endpoints[0].Addresses = []string{"198.51.100.7"} // nobody answers it, so it can be certified
	cluster := testCluster(now)
	for i := range cluster.Nodes {
		cluster.Nodes[i].Config = cluster.Nodes[0].Config
	}
	return &fakeNode{snap: readNode(t).snap, safety: safety, incidents: []*ledger.Incident{forgotten}, cluster: cluster, files: []api.File{}, intents: []health.IntentState{
		{Intent: health.Intent{ID: id(1), Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeAZ, Name: "eu-a"}, Reason: "x", Start: now, End: now.Add(time.Hour)}},
		{Intent: health.Intent{ID: id(2), Kind: health.IntentReady, Scope: pool, Start: now, Forever: true}},
		{Intent: health.Intent{ID: id(3), Kind: health.IntentStopped, Scope: node, Start: now, Forever: true}},
		{Intent: health.Intent{ID: id(4), Kind: health.IntentRemoved, Scope: node, Start: now, Forever: true}},
	}}
}

// TestContractIsWhole: a route that nobody expects is a mistake, and so is an expectation without a route.
func TestContractIsWhole(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range new(Server).routes() {
		name := r.method + " " + r.path
		want, ok := contract[name]
		require.True(t, ok, "%s stands in no row of contract: who may use it?", name)
		require.Equal(t, want.role, r.role, name)
		require.False(t, seen[name], "%s twice", name)
		seen[name] = true
		require.NotEmpty(t, r.doc, name)
		require.Equal(t, r.raw == nil, r.handle != nil, name)
		require.Equal(t, r.raw == nil, r.media == "", name)
		require.NotEqual(t, http.MethodPut, r.method, "%s: the methods are GET, POST, PATCH and DELETE", name)
	}
	for name := range contract {
		require.True(t, seen[name], "%s is no route", name)
	}
}
