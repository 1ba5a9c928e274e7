package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// manyDown is a night on which n endpoints are down.
func manyDown(n int) *api.Status {
	s := nightStatus()
	p := &s.Zones[0].Pools[0]
	for i := range n {
		p.Endpoints = append(p.Endpoints, downEndpoint(fmt.Sprintf("many-%d", i), "eu-west-1a", "203.0.113.99"))
		s.OpenIncidents = append(s.OpenIncidents, api.OpenIncident{ID: fmt.Sprint("i-", i), Title: "endpoint down", OpenedAt: testNow})
	}
	return s
}

// TestSmallScreen holds --watch to a terminal of 80x24: the headline on top, every kind of trouble has a part of the screen, and none
// fills it.
func TestSmallScreen(t *testing.T) {
	for _, height := range []int{24, 30, 50} {
		var b bytes.Buffer
		report{status: manyDown(30), style: terminal.Style{Width: 80, Height: height, Screen: &terminal.Screen{}}}.write(&b)
		lines := strings.Split(b.String(), "\n")
		require.True(t, strings.HasPrefix(lines[0], "■ "), lines[0])
		of := func(title string) int {
			for i, line := range lines {
				if strings.HasPrefix(line, title) {
					return i
				}
			}
			t.Fatalf("no %s in\n%s", title, b.String())
			return 0
		}
		rows := of("POOLS") - of("ENDPOINTS")
		assert.LessOrEqual(t, rows, 3+3*max(leastRows, height/rowsPart), "endpoints take %d of %d lines", rows, height)
		assert.Contains(t, b.String(), "more (--all lists them)")
		for _, line := range lines {
			assert.LessOrEqual(t, utf8.RuneCountInString(line), 80, line)
		}
	}
	var whole bytes.Buffer
	report{status: manyDown(30), style: terminal.Style{Width: 80, Height: 24, Screen: &terminal.Screen{}}, all: true}.write(&whole)
	assert.Contains(t, whole.String(), "many-29")
}

// TestLongReport: what is longer than the terminal ends with the headline, which is then the line beside the prompt.
func TestLongReport(t *testing.T) {
	page := func(height int) []string {
		var b bytes.Buffer
		report{status: manyDown(1), style: terminal.Style{Width: 120, Height: height}}.write(&b)
		return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	}
	long, short := page(24), page(500)
	head := long[0]
	assert.Contains(t, long[len(short):], head)
	assert.NotContains(t, short[1:], head)
	assert.Equal(t, short, page(0), "no terminal: no height")
}

func TestBriefMoves(t *testing.T) {
	share := func(data string, f float64) api.Share { return api.Share{Family: "A", Data: data, Fraction: f} }
	state := func(source string, tier int, shares ...api.Share) api.WhatIfState {
		return api.WhatIfState{Source: source, Tier: tier, Shares: shares}
	}
	first := state("tier", 1, share("a", 0.7), share("b", 0.3))
	for _, tt := range []struct {
		name        string
		after       api.WhatIfState
		shape, text string
	}{
		{"a share moves", state("tier", 1, share("b", 1)), "●", "www.example.org stays on tier 1, 70% of it moves"},
		{"another tier", state("tier", 2, share("c", 1)), "▲", "www.example.org falls from tier 1 to tier 2"},
		{"nobody", state("nodata", 0), "■", "www.example.org: nobody is left, every query gets NODATA"},
		{"only the TTL", first, "●", "nobody is answered otherwise"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, text := briefMoves(&api.WhatIf{Services: []api.WhatIfService{{Service: "www.example.org.", Before: first, After: tt.after}}})
			assert.Equal(t, tt.shape, m.Shape)
			assert.Equal(t, tt.text, text)
		})
	}
	var many api.WhatIf
	for i := range 6 {
		many.Services = append(many.Services, api.WhatIfService{Service: fmt.Sprintf("s%d.", i), Before: first, After: state("tier", 1, share("b", 1))})
	}
	many.Services[5].After = state("nodata", 0)
	_, text := briefMoves(&many)
	assert.True(t, strings.HasPrefix(text, "s5: nobody is left"), text)
	assert.True(t, strings.HasSuffix(text, "and 3 more"), text)
}

func TestBriefStaleness(t *testing.T) {
	at := testNow
	instant := func(d time.Duration) *time.Time { x := at.Add(d); return &x }
	left := []api.DepartureStaleness{{Endpoint: "z/p/e"}}
	service := func(name string, f api.Forgetting) api.ServiceStaleness {
		return api.ServiceStaleness{Service: name, Forgetting: f, Departures: left}
	}
	for _, tt := range []struct {
		name     string
		services []api.ServiceStaleness
		want     string
	}{
		{"nothing left", []api.ServiceStaleness{{Service: "www."}}, "● caches hold nothing old: nothing has left the answers, says node n1 at 03:12:40Z"},
		{"the latest counts", []api.ServiceStaleness{service("www.", api.Forgetting{SafeAt: instant(5 * time.Second)}), service("api.", api.Forgetting{SafeAt: instant(9 * time.Second)})},
			"▲ honest caches may hold what is not answered any more until 03:12:49Z (in 9.0s), of api, says node n1 at 03:12:40Z"},
		{"to be confirmed", []api.ServiceStaleness{service("www.", api.Forgetting{SafeAt: instant(-5 * time.Second)}), service("api.", api.Forgetting{SafeAt: instant(-9 * time.Second), Final: true})},
			"▲ honest caches forgot what is not answered any more 03:12:35Z (5.0s), to be confirmed: not every node has said so since, says node n1 at 03:12:40Z"},
		{"forgotten", []api.ServiceStaleness{service("www.", api.Forgetting{SafeAt: instant(-5 * time.Second), Final: true})},
			"● no honest cache holds what is not answered any more, since 03:12:35Z (5.0s), says node n1 at 03:12:40Z"},
		{"unknown goes before all", []api.ServiceStaleness{service("www.", api.Forgetting{SafeAt: instant(5 * time.Second)}),
			service("api.", api.Forgetting{Unknown: []api.UnknownNode{{Node: "n3", Why: "not heard since", Since: instant(-20 * time.Second)}}})},
			"○ when caches forget is unknown: n3 not heard since 03:12:20Z (20s); of api, says node n1 at 03:12:40Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, text := briefStaleness(&api.Staleness{Node: "n1", At: at, Services: tt.services})
			assert.Equal(t, tt.want, m.Shape+" "+text)
		})
	}
	nothing := []api.ServiceStaleness{{Service: "www."}}
	behind := api.ServiceStaleness{Service: "www.example.org.", Departures: []api.DepartureStaleness{{}}, Secondaries: []string{"secondaries of example.org"}}
	m, text := briefStaleness(&api.Staleness{Node: "n1", At: at, Services: []api.ServiceStaleness{behind}})
	require.Equal(t, "unknown", m.Word)
	require.Contains(t, text, "secondaries of example.org may answer what www.example.org does not any more")
	_, text = briefStaleness(&api.Staleness{Node: "n1", At: at, Services: nothing, EarlierSafeAt: instant(9 * time.Second)})
	assert.Equal(t, "nothing that left the answers is known; what was answered before the last start of a node is forgotten by 03:12:49Z (in 9.0s), says node n1 at 03:12:40Z", text)
	_, text = briefStaleness(&api.Staleness{Node: "n1", At: at, Services: nothing, EarlierUnknown: "n3 is not heard"})
	assert.Equal(t, "nothing that left the answers is known; when caches forget what was answered before is unknown: n3 is not heard, says node n1 at 03:12:40Z", text)
}
