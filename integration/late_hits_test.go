package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

const lateZone = `zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}}
pools:
  web:
    region: eu
    late_hits: {prometheus: "%[1]s", query: 'hits{az="{az}"}'}
    endpoints:
      - {name: one, addresses: [127.0.0.1], az: eu-a, late_hits: {json: "%[1]s/stats/{endpoint}", path: "$.requests"}}
      - {name: two, addresses: [127.0.0.2], az: eu-b}
      - {name: three, addresses: [127.0.0.3], az: eu-b, late_hits: {json: "http://169.254.169.254/latest", path: "$.requests"}}
      - {name: four, addresses: [127.0.0.4], az: eu-a}
services:
  www: {tiers: [{web: 1}], ttl: {max: 1s, min: 1s}, failback: {hold: 0s}}
`

// TestLateHits: the real binary reads what drained endpoints count, and lays it over the bound; where probes may not go, it does not go
// either.
func TestLateHits(t *testing.T) {
	waits(t)
	var hits atomic.Int64
	counts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/stats/one":
			fmt.Fprintf(w, `{"requests": %d}`, hits.Add(1))
		case r.URL.Path == "/api/v1/query" && r.URL.Query().Get("query") == `hits{az="eu-b"}`:
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"9"]}]}}`)
		default:
			http.NotFound(w, r)
		}
	}))
	defer counts.Close()
	p := startServe(t, true, corefile, map[string]string{"storm.yaml": fmt.Sprintf(lateZone, counts.URL)})
	p.awaitHealthy()
	p.firstStart()
	say := func(args ...string) string {
		t.Helper()
		out, code := run(t, p.bin, append(args, "--server", "unix:"+p.socket)...)
		require.Zero(t, code, out)
		return out
	}
	for _, name := range []string{"one", "two", "three"} {
		say("drain", "endpoint", "web/"+name, "--reason", "CHG-1", "--for", "10m")
	}
	incident := func(name string) (found *ledger.Incident) {
		var list struct{ Incidents []*ledger.Incident }
		require.NoError(t, json.Unmarshal([]byte(say("incidents", "-o", "json")), &list))
		for _, i := range list.Incidents {
			if i.Endpoints[0].Name == "web/"+name {
				found = i
			}
		}
		require.NotNil(t, found)
		return found
	}
	var one *ledger.Incident
	await(t, "over-stayers at the endpoint", func() bool {
		one = incident("one")
		return one.Counted != nil && one.Counted.AfterBound > 0
	})
	require.Equal(t, "json", one.Counted.Source)
	require.Equal(t, one.Counted.AfterBound, one.Counted.ByClass[ledger.StayedClamped])
	require.True(t, one.Counted.LastAt.After(one.SafeAt))
	text := say("incidents", one.ID)
	t.Log(text)
	require.Contains(t, text, "after the bound; over-stayers: ")
	require.Contains(t, say("incidents", one.ID, "-o", "md"), "\nLate hits (json): ")

	two := incident("two")
	require.Equal(t, &ledger.Counted{LateHits: ledger.LateHits{Source: "prometheus"}}, two.Counted, "nothing comes there")
	three := incident("three")
	require.Contains(t, three.Counted.Unread["web/three"], "169.254.169.254 is refused: cloud metadata")
	require.True(t, strings.Contains(say("incidents", three.ID), "late hits at web/three are not read: "))
	require.WithinDuration(t, time.Now(), one.Counted.LastAt, 30*time.Second)
}
