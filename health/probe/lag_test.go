package probe

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// lagOf probes once by a check of type lag.
func lagOf(t *testing.T, check string) Result {
	t.Helper()
	z, problems := config.Parse("z", []byte("zone: example.org\nnameservers: [ns1.example.net]\nchecks: {lag: {type: lag, "+check+"}}\n"+
		"regions: {eu: {azs: [a]}}\npools: {p: {region: eu, lag: lag, endpoints: [{name: e, az: a, addresses: [127.0.0.1]}]}}\n"), config.ParseOptions{})
	require.NotNil(t, z, problems.String())
	target := health.TargetOf(z.Name, z.Checks[0], z.Pools[0].Endpoints[0])
	return Once(context.Background(), target, Options{AllowExec: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
}

func TestLagSources(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/query" {
			fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"%d"]}]}}`, len(r.FormValue("query")))
			return
		}
		fmt.Fprint(w, `{"lag":{"seconds":4.25,"none":null}}`)
	}))
	defer server.Close()
	url := strings.Replace(server.URL, "127.0.0.1", "{address}", 1)
	tests := []struct {
		name, check string
		want        float64
		fails       string
	}{
		{"json", `source: {json: "` + url + `", path: $.lag.seconds}`, 4.25, ""},
		{"no number", `source: {json: "` + url + `", path: $.lag.none}`, 0, "no lag: $.lag.none leads to no number"},
		{"prometheus", `source: {prometheus: "` + url + `", query: "lag{a=\"{address}\"}"}`, float64(len(`lag{a="127.0.0.1"}`)), ""},
		{"command", `command: [/bin/echo, " 1.5"]`, 1.5, ""},
		{"command with an argument", `command: [/bin/sh, -c, "echo ${1%%.*}", x, "{address}"], unit: bytes`, 127, ""},
		{"command that fails", `command: [/bin/sh, -c, "echo 3; echo no server >&2; exit 2"]`, 0, "exit status 2: no server"},
		{"command that warns", `command: [/bin/sh, -c, "echo careful >&2; echo 3"]`, 3, ""},
		{"words", `command: [/bin/echo, in recovery]`, 0, `no lag: the program printed "in recovery", want one number`},
		{"nothing", `command: [/bin/echo]`, 0, `no lag: the program printed "", want one number`},
		{"less than nothing", `command: [/bin/echo, "-0.5"]`, 0, "no lag: -0.5 is less than 0"},
		{"no number at all", `command: [/bin/echo, nan]`, 0, `no lag: the program printed "nan", want one number`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := lagOf(t, tt.check)
			require.Equal(t, tt.fails, r.Reason.Text)
			require.Equal(t, tt.fails == "", r.OK)
			require.Equal(t, tt.fails == "", r.Numbered)
			require.Equal(t, tt.want, r.Number)
		})
	}
}

// What was read last stays, with its instant, while nothing can be read.
func TestLagStays(t *testing.T) {
	l := health.Lag{}.Next(3, time.Unix(100, 0))
	require.Equal(t, uint64(1), l.Seq)
	c := &config.Check{Interval: 2 * time.Second, Timeout: time.Second, Lag: &config.LagCheck{Age: time.Minute}}
	require.True(t, l.Fresh(c, time.Unix(100, 0).Add(66*time.Second)))
	require.False(t, l.Fresh(c, time.Unix(100, 0).Add(67*time.Second)), "three intervals, a timeout and what the source may be late")
	require.False(t, health.Lag{}.Fresh(c, time.Unix(1, 0)))
}
