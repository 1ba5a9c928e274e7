package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// Incidents are those that a node keeps, the newest first.
type Incidents struct {
	Incidents []*ledger.Incident `json:"incidents"`
}

// markdown is the media type of a report (RFC 7763).
const markdown = "text/markdown"

func (s *Server) incidentRoutes() []route {
	const one = api.IncidentsPath + "/{id}"
	return []route{
		{
			method: http.MethodGet, path: api.IncidentsPath, role: viewer, doc: "What happened: departures by health and by order, the newest first.",
			query: []parameter{{"open", "true: only those that go on"}}, reply: Incidents{}, handle: s.listIncidents,
		},
		{method: http.MethodGet, path: one, role: viewer, doc: "One incident.", reply: ledger.Incident{}, handle: s.showIncident},
		{
			method: http.MethodGet, path: one + api.MarkdownSuffix, role: viewer, doc: "A report of one incident, in Markdown.",
			media: markdown, raw: http.HandlerFunc(s.incidentReport),
		},
		{
			method: http.MethodGet, path: one + api.CertificateSuffix, role: viewer, reply: ledger.Envelope{}, handle: s.certify,
			doc: "A signed certificate that no honest cache holds the endpoints any more, once that is known.",
		},
		{
			method: http.MethodPost, path: one + "/late-hits", role: operator, action: "late hits", reply: ledger.Incident{}, handle: s.lateHits,
			doc: "Takes what was seen to arrive at the endpoints after they had left.", body: api.LateHitsRequest{},
		},
	}
}

func (s *Server) listIncidents(r *http.Request) (int, any) {
	values, err := query(r, "open")
	if err != nil {
		return invalid(err)
	}
	out := Incidents{Incidents: []*ledger.Incident{}}
	for _, i := range s.opts.Node.Incidents() {
		if values.Get("open") != "true" || i.Open() {
			out.Incidents = append(out.Incidents, i)
		}
	}
	slices.Reverse(out.Incidents)
	return http.StatusOK, out
}

// incidentOf is the incident that the path names; LATEST is the newest.
func (s *Server) incidentOf(r *http.Request) (*ledger.Incident, error) {
	id := r.PathValue("id")
	all := s.opts.Node.Incidents()
	if id == "latest" && len(all) > 0 {
		return all[len(all)-1], nil
	}
	for _, i := range all {
		if i.ID == id {
			return i, nil
		}
	}
	return nil, fmt.Errorf("no incident %q", id)
}

func (s *Server) showIncident(r *http.Request) (int, any) {
	i, err := s.incidentOf(r)
	if err != nil {
		return http.StatusNotFound, failure(http.StatusNotFound, err)
	}
	return http.StatusOK, i
}

func (s *Server) incidentReport(w http.ResponseWriter, r *http.Request) {
	i, err := s.incidentOf(r)
	if err != nil {
		problem(w, http.StatusNotFound, err.Error())
		return
	}
	w.Header().Set("Content-Type", markdown+"; charset=utf-8")
	// Who went away has no use for it.
	_, _ = w.Write([]byte(i.Markdown()))
}

func (s *Server) certify(r *http.Request) (int, any) {
	i, err := s.incidentOf(r)
	if err != nil {
		return http.StatusNotFound, failure(http.StatusNotFound, err)
	}
	e, err := s.opts.Node.Certify(NewCertificate(i, s.opts.Node, time.Now()))
	switch {
	case errors.Is(err, ledger.ErrNotKnown):
		return http.StatusConflict, failure(http.StatusConflict, err)
	case err != nil:
		return http.StatusServiceUnavailable, failure(http.StatusServiceUnavailable, err)
	}
	return http.StatusOK, e
}

// NewCertificate is what there is to certify of an incident at now; nil while its bound is not known, or has not passed.
func NewCertificate(i *ledger.Incident, n Node, now time.Time) *ledger.Certificate {
	if !i.Known() || len(i.Unknown) > 0 || now.Before(i.SafeAt) {
		return nil
	}
	caches := n.Caches()
	c := &ledger.Certificate{
		Incident: i.ID, Node: i.Node, Zone: i.Zone, Title: i.Title, Intent: i.Intent, More: i.More, SafeAt: i.SafeAt, Confirmed: i.Confirmed,
		TransitSeconds: caches.Transit.Seconds(), LastAnswerAt: i.LastAnswerAt, IssuedAt: now, Endpoints: []string{},
	}
	for _, e := range i.Endpoints {
		c.Endpoints = append(c.Endpoints, e.Name)
	}
	for _, w := range i.Confirmed {
		if w.Node == i.Node {
			c.ExposureZeroAt = w.Until
		}
	}
	b := ledger.Bound{Known: true, SafeAt: i.SafeAt, Quiet: i.LastAnswerAt, Confirmed: i.Confirmed}
	f := ForgettingOf(&b, caches, now)
	c.Lines = Lines(&f, true, caches, false)
	return c
}

func (s *Server) lateHits(r *http.Request) (int, any) {
	var req api.LateHitsRequest
	if err := decode(r, &req); err != nil {
		return invalid(err)
	}
	rec := recordOf(r)
	rec.asks(req.Actor, req.Source)
	rec.Object = "incident " + r.PathValue("id")
	i, err := s.incidentOf(r)
	if err != nil {
		return http.StatusNotFound, failure(http.StatusNotFound, err)
	}
	switch {
	case len(req.Hits) == 0 || len(req.Hits) > maxHits:
		return invalid(fmt.Errorf("hits: want 1 to %d", maxHits))
	case req.Source == "" || len(req.Source) > maxSource:
		return invalid(fmt.Errorf("source: required, who counted, with %d octets at most", maxSource))
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	next, err := s.opts.Node.LateHits(i.ID, ClassifyHits(i, &req, s.opts.Node))
	if err != nil {
		return http.StatusConflict, failure(http.StatusConflict, err)
	}
	return http.StatusOK, next
}

const (
	maxHits   = 10_000
	maxSource = 100
)

// ClassifyHits lays hits over the bound.
func ClassifyHits(i *ledger.Incident, req *api.LateHitsRequest, n Node) *ledger.LateHits {
	out := &ledger.LateHits{Source: req.Source}
	caches := n.Caches()
	clamped := i.ClampedAt(caches.Clamp, caches.Transit)
	for _, h := range req.Hits {
		at := i.LeftAt.Add(durationOf(h.AfterSeconds))
		out.Add(h.Count, at, at, i.SafeAt, clamped)
	}
	return out
}
