package config

import (
	"errors"
	"net/url"
	"strings"

	"github.com/theory/jsonpath"
)

// A HitCounter says where an endpoint's own count of requests is read, to be laid over the bound (docs/design.md section 8). Either Query
// or Path is set.
type HitCounter struct {
	// URL is that of a Prometheus server, without /api/v1/query, or of a JSON document: http or https, without a user.
	URL string
	// Query is in PromQL, and gives one number.
	Query string
	// Path is a JSONPath to one number: a singular query (RFC 9535 section 2.3.5.1).
	Path string
}

// Kind is prometheus or json.
func (c *HitCounter) Kind() string {
	if c.Query != "" {
		return "prometheus"
	}
	return "json"
}

func hitCounterShape() *shape {
	return object(
		optional("prometheus", text("the URL of a Prometheus server", counterURL)).says("Where `query` is asked. {address}, {endpoint} and {az} stand for the endpoint's, here and below.").as("http://prometheus.example.org:9090"),
		optional("query", text("a query in PromQL", lineText)).says("A query that gives one number.").as(`sum(http_requests_total{instance="{address}:8080"})`),
		optional("json", text("the URL of a JSON document", counterURL)).says("Where `path` is found.").as("http://{address}:8080/stats"),
		optional("path", text("a JSONPath, as in $.requests.total", counterPath)).says("The JSONPath to one number (RFC 9535).").as("$.requests.total"),
	)
}

// sample is an endpoint that any text may be about.
var sample = strings.NewReplacer("{address}", "192.0.2.1", "{endpoint}", "a", "{az}", "a")

func counterURL(s string) error {
	u, err := url.Parse(sample.Replace(s))
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Opaque != "" || u.Fragment != "":
		return errors.New("want a URL that begins with http:// or https:// and a host")
	case u.User != nil:
		return errors.New("a URL in a zone file cannot have a user: whoever may read the file would know the password")
	}
	return lineText(s)
}

func counterPath(s string) error {
	p, err := jsonpath.Parse(sample.Replace(s))
	switch {
	case err != nil:
		return errors.New("want a JSONPath, as in $.requests.total: " + err.Error())
	case p.Query().Singular() == nil:
		// Others can take any time and memory (RFC 9535 section 4.1), and who writes zone files may be a stranger to the node.
		return errors.New("want a JSONPath to one value, as in $.requests.total: without wildcards, slices, filters and descendants")
	}
	return lineText(s)
}

// hitCounter is what n says, with placeholders; nil if it says nothing.
func (b *builder) hitCounter(n *yamlNode, at *yamlPath) *HitCounter {
	if n == nil {
		return nil
	}
	prometheus, query, json, path := field(n, "prometheus"), field(n, "query"), field(n, "json"), field(n, "path")
	switch {
	case prometheus != nil && query != nil && json == nil && path == nil:
		return &HitCounter{URL: stringOf(prometheus), Query: stringOf(query)}
	case json != nil && path != nil && prometheus == nil && query == nil:
		return &HitCounter{URL: stringOf(json), Path: stringOf(path)}
	}
	b.errorf(n, at, "", "want prometheus and query, or json and path")
	return nil
}

// of fills the placeholders in.
func (c *HitCounter) of(e *Endpoint, az string) *HitCounter {
	if c == nil {
		return nil
	}
	address := strings.TrimSuffix(e.Target, ".")
	switch {
	case e.V4.IsValid():
		address = e.V4.String()
	case e.V6.IsValid():
		// As it stands before a port, in URLs and in Prometheus' label `instance`.
		address = "[" + e.V6.String() + "]"
	}
	fill := strings.NewReplacer("{address}", address, "{endpoint}", e.Name, "{az}", az).Replace
	return &HitCounter{URL: fill(c.URL), Query: fill(c.Query), Path: fill(c.Path)}
}
