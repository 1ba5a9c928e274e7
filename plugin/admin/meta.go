package admin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/openapi"
)

const (
	metricsPath = "/metrics"
	// A scrape gathers everything: two at once are enough for two Prometheus servers.
	maxScrapes    = 2
	scrapeTimeout = 20 * time.Second
)

// metaRoutes are about the API and the process.
func (s *Server) metaRoutes() []route {
	return []route{
		{method: http.MethodGet, path: metricsPath, role: viewer, doc: "The metrics of the process, for Prometheus.", raw: s.scrape(), media: "text/plain"},
		{
			method: http.MethodGet, path: api.OpenAPIPath, role: viewer, doc: "This description of the API, OpenAPI 3.1.",
			reply: map[string]any{}, handle: s.openAPI, tagged: true,
		},
	}
}

func (s *Server) scrape() http.Handler {
	gatherer := s.opts.Gatherer
	if gatherer == nil {
		gatherer = prometheus.DefaultGatherer
	}
	return promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout, ErrorHandling: promhttp.ContinueOnError,
	})
}

func (s *Server) openAPI(*http.Request) (int, any) { return http.StatusOK, s.document }

// document is the OpenAPI document of routes.
func document(routes []route, version string) (json.RawMessage, error) {
	d := openapi.Document{
		Title: "Fairlead admin API", Version: version, Problem: api.Problem{}, ProblemMedia: api.ProblemType,
		Description: "Over the unix socket everybody who can open it may do everything. Over TCP a login is a bearer token or a client certificate; " +
			"x-role is the least role that may. Times are RFC 3339, durations are seconds.",
	}
	ops := make([]openapi.Operation, 0, len(routes))
	for i := range routes {
		ops = append(ops, operation(&routes[i], routes))
	}
	return d.JSON(ops)
}

func operation(r *route, all []route) openapi.Operation {
	op := openapi.Operation{
		Method: r.method, Path: r.path, Summary: r.doc, Role: string(r.role), Public: r.role == anyone, Media: r.media,
		Body: r.body, BodyOptional: r.method == http.MethodDelete, Reply: r.reply, Other: r.other, NotModified: r.tagged,
	}
	header := func(name, doc string) { op.Header = append(op.Header, openapi.Parameter{Name: name, Doc: doc}) }
	switch {
	case r.tagged:
		header("If-None-Match", "an ETag that the client has")
	case slices.ContainsFunc(all, func(o route) bool { return o.tagged && o.path == r.path }):
		header("If-Match", "the ETag that GET must still have")
	}
	if r.method == http.MethodPost && !r.secret {
		header(idempotencyHeader, "the same key and request within 24 hours get the same reply, and nothing is done again")
	}
	for _, p := range r.query {
		op.Query = append(op.Query, openapi.Parameter{
			Name: p.name, Doc: p.doc, Required: strings.HasSuffix(p.doc, "; required"),
			Repeated: p.name == "down" || p.name == "drain" || p.name == "weight",
		})
	}
	return op
}
