package counter

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

func newReader() *Reader { return New(new(net.Dialer).DialContext) }

func TestRead(t *testing.T) {
	vector := func(samples string) string {
		return `{"status":"success","data":{"resultType":"vector","result":[` + samples + `]}}`
	}
	for _, tt := range []struct {
		name        string
		path, query string
		status      int
		body        string
		want        float64
		err         string
	}{
		{name: "a number", path: "$.requests.total", body: `{"requests":{"total":12}}`, want: 12},
		{name: "a number in quotes", path: "$[0].n", body: `[{"n":"7.5"}]`, want: 7.5},
		{name: "no value", path: "$.b", body: `{"a":1}`, err: "$.b leads to 0 values, want one"},
		{name: "no number", path: "$.a", body: `{"a":true}`, err: "$.a leads to no number"},
		{name: "negative", path: "$.a", body: `{"a":-1}`, err: "-1 is no count"},
		{name: "the most", path: "$.a", body: `{"a":9007199254740992}`, want: maxCount},
		{name: "more than is counted", path: "$.a", body: `{"a":1e300}`, err: "1e+300 is no count"},
		{name: "no JSON", path: "$.a", body: `<html>`, err: "no JSON document"},
		{name: "an error", path: "$.a", status: 500, body: `{"a":1}`, err: "status 500"},
		{name: "a redirect", path: "$.a", status: 302, body: `{"a":1}`, err: "status 302"},
		{name: "too much", path: "$.a", body: `{"a":1,"b":"` + strings.Repeat("x", maxDocument) + `"}`, err: "more than 1048576 octets"},

		{name: "a vector of one", query: `sum(hits{a="b"})`, body: vector(`{"metric":{},"value":[1700000000.1,"42"]}`), want: 42},
		{name: "a scalar", query: "1", body: `{"status":"success","data":{"resultType":"scalar","result":[1,"3"]}}`, want: 3},
		{name: "an empty vector", query: "x", body: vector(""), err: "the query gives 0 samples, want one"},
		{name: "a vector of two", query: "x", body: vector(`{"value":[1,"1"]},{"value":[1,"2"]}`), err: "the query gives 2 samples, want one"},
		{name: "no number in a sample", query: "x", body: vector(`{"value":[1,"NaN"]}`), err: "NaN is no count"},
		{name: "a matrix", query: "x[1m]", body: `{"status":"success","data":{"resultType":"matrix","result":[]}}`, err: "the query gives a matrix, want one sample"},
		{name: "a bad query", query: "(", status: 400, body: `{"status":"error","errorType":"bad_data","error":"parse\nerror"}`, err: "the Prometheus server says: parse error"},
		{name: "another server", query: "x", body: `hello`, err: "no answer of a Prometheus server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.query != "" {
					assert.Equal(t, "/base/api/v1/query", r.URL.Path)
					assert.Equal(t, tt.query, r.URL.Query().Get("query"))
				}
				if tt.status/100 == 3 {
					w.Header().Set("Location", "/elsewhere")
				}
				if tt.status != 0 {
					w.WriteHeader(tt.status)
				}
				_, _ = w.Write([]byte(tt.body))
			}))
			defer server.Close()
			got, err := newReader().Read(t.Context(), &config.HitCounter{URL: server.URL + "/base", Path: tt.path, Query: tt.query})
			if tt.err != "" {
				require.EqualError(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// Who never ends is left, and what is in a URL is told to nobody.
func TestReadPatience(t *testing.T) {
	end := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-end
	}))
	defer server.Close()
	defer close(end)
	_, err := newReader().Read(t.Context(), &config.HitCounter{URL: server.URL + "/?token=hush", Path: "$"})
	require.EqualError(t, err, "the answer does not end: no more within 2s")

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, err = newReader().Read(t.Context(), &config.HitCounter{URL: gone.URL + "/?token=hush", Path: "$"})
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), "hush")
}
