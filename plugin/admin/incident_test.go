package admin

import (
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// testIncident is one whose bound passed a minute before now.
func testIncident(now time.Time) *ledger.Incident {
	at := func(s float64) time.Time { return now.Add(time.Duration(s * float64(time.Second))) }
	i := &ledger.Incident{
		ID: "i1", Node: "n1", Kind: ledger.ByHealth, Zone: "example.org.", Title: "az eu-a: 2 endpoints down", Cause: "refused", OpenedAt: at(-90),
		LastGoodProbe: at(-95), FirstFailedProbe: at(-94), SuspectAt: at(-94), VerdictAt: at(-90), LeftAt: at(-90), LastAnswerAt: at(-89),
		Confirmed: []ledger.Confirmation{{Node: "n1", Quiet: at(-90), Until: at(-70)}, {Node: "n2", Quiet: at(-89), Until: at(-65)}},
		SafeAt:    at(-60), ForgottenAt: at(-60), KnownAt: at(-88), Answers: 17, Outstanding: 5, Exposure: ledger.Curve{1, 4},
		Endpoints: []ledger.IncidentEndpoint{{Name: "web/one", Region: "eu", AZ: "eu-a", LeftAt: at(-90), Addresses: []string{"192.0.2.1"}}},
		Services: []ledger.IncidentService{{
			Service: "www.example.org.", RTOSeconds: 60, TargetSeconds: 20, Since: at(-95), AnsweredAt: at(-90), ForgottenAt: at(-60), Final: true,
		}},
	}
	i.Derive(now)
	return i
}

func TestIncidents(t *testing.T) {
	now := time.Now()
	open, closed := testIncident(now), testIncident(now)
	closed.ID, closed.ClosedAt = "i0", now
	n := &fakeNode{incidents: []*ledger.Incident{closed, open}}
	s, _ := startWith(t, n, &fakeJournal{})
	var list Incidents
	require.Equal(t, http.StatusOK, get(t, s, api.IncidentsPath, &list))
	require.Len(t, list.Incidents, 2)
	require.Equal(t, "i1", list.Incidents[0].ID, "the newest first")
	require.Equal(t, http.StatusOK, get(t, s, api.IncidentsPath+"?open=true", &list))
	require.Len(t, list.Incidents, 1)
	var one ledger.Incident
	require.Equal(t, http.StatusOK, get(t, s, api.IncidentPath("latest"), &one))
	require.InDelta(t, 4, *one.Phases.Detection, 1e-6)
	require.InDelta(t, 29, *one.Phases.CacheResidue, 1e-6)
	require.InDelta(t, 35, *one.Phases.Total, 1e-6)
	require.True(t, *one.Services[0].WithinRTO)
	require.False(t, *one.Services[0].WithinTarget)
	require.Equal(t, http.StatusNotFound, get(t, s, api.IncidentPath("i9"), &one))

	resp, err := s.Get("http://fairlead" + api.IncidentPath("i1") + api.MarkdownSuffix)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	for _, want := range []string{"# Incident i1: az eu-a: 2 endpoints down", "| detection | 4.00 |", "| total | 35.00 |", "| 35.0 s | 60 s | yes | 20 s | NO |", "last answer of n2"} {
		require.Contains(t, string(text), want)
	}
}

func TestCertificate(t *testing.T) {
	now := time.Now()
	i := testIncident(now)
	n := &fakeNode{incidents: []*ledger.Incident{i}}
	s, _ := startWith(t, n, &fakeJournal{})
	var e ledger.Envelope
	require.Equal(t, http.StatusOK, get(t, s, api.IncidentPath("i1")+api.CertificateSuffix, &e))
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	c, err := e.Verify(key.Public().(ed25519.PublicKey))
	require.NoError(t, err)
	require.True(t, c.SafeAt.Equal(i.SafeAt))
	require.Equal(t, []string{"web/one"}, c.Endpoints)
	require.Equal(t, []string{"192.0.2.1"}, c.Addresses)
	require.Len(t, c.Lines, 3)
	e.Payload[10] ^= 1
	_, err = e.Verify(key.Public().(ed25519.PublicKey))
	require.Error(t, err)

	for why, change := range map[string]func(*ledger.Incident){
		"nobody has said that it left":    func(i *ledger.Incident) { i.SafeAt, i.ForgottenAt = time.Time{}, time.Time{} },
		"honest caches may hold it until": func(i *ledger.Incident) { i.SafeAt, i.ForgottenAt = now.Add(time.Hour), time.Time{} },
		"the nodes have yet to say again": func(i *ledger.Incident) { i.ForgottenAt = time.Time{} },
		"node n3 not heard since":         func(i *ledger.Incident) { i.Unknown = []ledger.Silent{{Node: "n3", Why: "not heard since"}} },
		"web/one is answered by node n2 (192.0.2.1)": func(i *ledger.Incident) {
			i.Answered = []ledger.StillAnswered{{Endpoint: "web/one", Address: "192.0.2.1", Node: "n2"}}
		},
		"3 of its endpoints are counted and not followed": func(i *ledger.Incident) { i.More = 3 },
		"all of it has come back and is answered":         func(i *ledger.Incident) { i.Endpoints = []ledger.IncidentEndpoint{{Name: "web/one", ReturnedAt: now}} },
		"web/one is answered by node n3 for www.example.org.": func(i *ledger.Incident) {
			i.Answered = []ledger.StillAnswered{{Endpoint: "web/one", Node: "n3", Names: []string{"www.example.org."}}}
		},
	} {
		other := *i
		change(&other)
		n.incidents = []*ledger.Incident{&other}
		var p api.Problem
		require.Equal(t, http.StatusConflict, get(t, s, api.IncidentPath("i1")+api.CertificateSuffix, &p), why)
		require.Contains(t, p.Detail, why, "nothing is certified that rests on hope")
	}
}

// TestCertificateOfOneFile: while another node serves other files, nobody knows what it answers.
func TestCertificateOfOneFile(t *testing.T) {
	n := &fakeNode{incidents: []*ledger.Incident{testIncident(time.Now())}}
	s, _ := startWith(t, n, &fakeJournal{})
	for other, want := range map[string]int{"aa": http.StatusOK, "bb": http.StatusConflict} {
		n.cluster = &cluster.View{Heard: 2, Roster: 2, Nodes: []cluster.NodeView{
			{Name: "n1", Self: true, Fresh: true, Config: "aa"}, {Name: "n2", Fresh: true, Config: other}, {Name: "n3", Config: "cc"}}}
		var p api.Problem
		require.Equal(t, want, get(t, s, api.IncidentPath("i1")+api.CertificateSuffix, &p), other)
		if want == http.StatusConflict {
			require.Contains(t, p.Detail, "node n2 serves other files")
		}
	}
}

// Late hits are laid over the bound: on time, within the second line's time, and beyond.
func TestLateHits(t *testing.T) {
	i := testIncident(time.Now())
	req := new(api.LateHitsRequest)
	require.NoError(t, json.Unmarshal([]byte(`{"source":"nginx","hits":[{"after_seconds":10,"count":5},{"after_seconds":40,"count":2},{"after_seconds":70,"count":1}]}`), req))
	h := ClassifyHits(i, req, new(fakeNode).parts())
	require.Equal(t, uint64(8), h.Count)
	require.Equal(t, uint64(3), h.AfterBound)
	require.Equal(t, map[string]uint64{ledger.StayedClamped: 2, ledger.StayedBeyond: 1}, h.ByClass)
	require.True(t, h.LastAt.Equal(i.LeftAt.Add(70*time.Second)))
	require.Equal(t, time.Minute, config.DefaultNode().Caches.Clamp, "the figures above rest on it")
}
