package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairlead-dns/fairlead/docs"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
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

// openAPI is the document that is published.
func (s *Server) openAPI(*http.Request) (int, any) {
	return http.StatusOK, json.RawMessage(docs.OpenAPI)
}
