package engine

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/departure"
)

// cellsModel has the cells 0 to last of a hundred at home in eu, the others in us, and a wildcard that eu answers.
func cellsModel(t *testing.T, last int, more string) *config.Model {
	z, problems := config.Parse("zone.yaml", []byte(fmt.Sprintf(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [a]}, us: {azs: [b]}}
pools:
  eu: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: a}]}
  us: {region: us, endpoints: [{name: u, addresses: [192.0.2.2], az: b}]}
services:
  ord: {cells: {shards: 100, home: {eu: 0-%d, us: %d-99}}, tiers: [{eu: 1, us: 1}], ttl: {min: 2s, max: 30s}}
  "*.apps": {tiers: [{eu: 1}], ttl: {min: 2s, max: 60s}}
%s`, last, last+1, more)), config.ParseOptions{})
	require.NoError(t, problems.Err())
	return config.NewModel([]*config.Zone{z})
}

// TestMovedNames: a file that gives cells another home, or a name of a wildcard a service of its own, takes no address out of the answers,
// and caches hold the older answers all the same.
func TestMovedNames(t *testing.T) {
	for _, tt := range []struct {
		name    string
		last    int
		more    string
		service string
		held    time.Duration
	}{
		{"the same", 49, "", "", 0},
		{"cells move", 19, "", "ord.example.org.", 30 * time.Second},
		{"a name leaves the wildcard", 49, "  q.apps: {tiers: [{us: 1}]}\n", "q.apps.example.org.", time.Minute},
		{"a name that no wildcard answered", 49, "  q: {tiers: [{us: 1}]}\n", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, Options{Model: cellsModel(t, 49, "")})
				time.Sleep(time.Minute) // in a bubble
				b.SetModel(cellsModel(t, tt.last, tt.more))
				time.Sleep(10 * time.Second) // in a bubble
				moved := slices.DeleteFunc(b.Departures(), func(d departure.Departure) bool { return !d.Moved })
				if tt.service == "" {
					require.Empty(t, moved)
					return
				}
				require.Len(t, moved, 1)
				require.Equal(t, []string{tt.service}, moved[0].Services)
				require.True(t, moved[0].Bound.Known)
				require.False(t, moved[0].Bound.Final)
				held := moved[0].Bound.SafeAt.Sub(moved[0].Since)
				require.GreaterOrEqual(t, held, tt.held)
				require.Less(t, held, tt.held+10*time.Second)
				time.Sleep(held) // in a bubble
				moved = slices.DeleteFunc(b.Departures(), func(d departure.Departure) bool { return !d.Moved })
				require.True(t, moved[0].Bound.Final)
				time.Sleep(departure.ElsewhereShownFor + time.Minute) // in a bubble
				require.False(t, slices.ContainsFunc(b.Departures(), func(d departure.Departure) bool { return d.Moved }))
			})
		})
	}
}
