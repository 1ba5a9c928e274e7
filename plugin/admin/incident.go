package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
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
	for _, i := range shownIncidents(s.opts.Node) {
		if values.Get("open") != "true" || i.Open() {
			out.Incidents = append(out.Incidents, i)
		}
	}
	slices.Reverse(out.Incidents)
	return http.StatusOK, out
}

// shownIncidents are those that the node keeps, the newest last, with the static records that they do not cover.
func shownIncidents(n Node) []*ledger.Incident {
	all := slices.Clone(n.Incidents())
	out := make([][]string, len(all))
	var every []string
	for k, i := range all {
		for _, e := range stillOut(i) {
			out[k] = append(out[k], e.Addresses...)
		}
		every = append(every, out[k]...)
	}
	carriers := carriersOf(n.Snapshot(), every)
	for k, i := range all {
		if found := recordsOf(carriers, out[k]); len(found) > 0 {
			shown := *i
			shown.NotCovered, all[k] = found, &shown
		}
	}
	return all
}

// incidentOf is the incident that the path names; LATEST is the newest.
func (s *Server) incidentOf(r *http.Request) (*ledger.Incident, error) {
	id := r.PathValue("id")
	all := shownIncidents(s.opts.Node)
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
	c, err := NewCertificate(i, s.opts.Node, time.Now())
	if err != nil {
		return http.StatusConflict, failure(http.StatusConflict, err)
	}
	e, err := s.opts.Node.Certify(c)
	if err != nil {
		return http.StatusServiceUnavailable, failure(http.StatusServiceUnavailable, err)
	}
	return http.StatusOK, e
}

// NewCertificate is what there is to certify of an incident at now: only what departed, and only once every node has said so in a word
// given after the bound. The error, a ledger.ErrNotKnown, says who stands in the way.
func NewCertificate(i *ledger.Incident, n Node, now time.Time) (*ledger.Certificate, error) {
	if err := uncertain(i, n, now); err != nil {
		return nil, fmt.Errorf("%w: %w", ledger.ErrNotKnown, err)
	}
	caches := n.Caches()
	c := &ledger.Certificate{
		Incident: i.ID, Node: i.Node, Zone: i.Zone, Title: i.Title, Intent: i.Intent, SafeAt: i.ForgottenAt, Confirmed: i.Confirmed,
		TransitSeconds: caches.Transit.Seconds(), LastAnswerAt: i.LastAnswerAt, IssuedAt: now, Endpoints: []string{}, Addresses: []string{},
	}
	for _, e := range stillOut(i) {
		c.Endpoints, c.Addresses = unique(c.Endpoints, []string{e.Name}), unique(c.Addresses, e.Addresses)
	}
	c.NotCovered = append(staticRecords(n, c.Addresses), secondaries(n, c.Addresses)...)
	for _, g := range n.Gone.Of(c.Addresses...) {
		if time.Now().Before(g.Until) {
			c.NotCovered = append(c.NotCovered, "static record "+g.String()+", removed, until "+clock(g.Until))
		}
	}
	for _, d := range departuresOf(n, c.Addresses) {
		// Another name may have let go of it later.
		c.SafeAt, c.LastAnswerAt = ledger.Later(c.SafeAt, d.Bound.SafeAt), ledger.Later(c.LastAnswerAt, d.Bound.Quiet)
		c.Confirmed = ledger.MergeConfirmed(c.Confirmed, d.Bound.Confirmed...)
	}
	for _, w := range c.Confirmed {
		if w.Node == n.Name() {
			c.ExposureZeroAt = w.Until
		}
	}
	b := ledger.Bound{Known: true, Final: true, SafeAt: c.SafeAt, Quiet: c.LastAnswerAt, Confirmed: c.Confirmed}
	f := ForgettingOf(&b, caches, now)
	c.Lines, c.Losses = withSubscribers(Lines(&f, true, caches, false), departuresOf(n, c.Addresses)), i.LossLines()
	return c, nil
}

// uncertain says why nothing can be certified of an incident; nil if something can.
func uncertain(i *ledger.Incident, n Node, now time.Time) error {
	out := stillOut(i)
	switch {
	case len(out) == 0:
		return errors.New("all of it has come back and is answered")
	case i.More > 0:
		return fmt.Errorf("%d of its endpoints are counted and not followed", i.More)
	}
	if len(i.Answered) > 0 {
		a := i.Answered[0]
		names := a.Names
		if a.Node == n.Name() {
			names = n.Snapshot().Owners(maxOwners, a.Address)
		}
		if len(names) > 0 {
			return fmt.Errorf("%s is answered by node %s for %s", a.Endpoint, a.Node, strings.Join(names, ", "))
		}
		return fmt.Errorf("%s is answered by node %s (%s)", a.Endpoint, a.Node, a.Address)
	}
	if len(i.Unknown) > 0 {
		return fmt.Errorf("node %s %s", i.Unknown[0].Node, i.Unknown[0].Why)
	}
	if err := answeredElsewhere(out, n); err != nil {
		return err
	}
	switch {
	case !i.Known():
		return errors.New("nobody has said that it left")
	case now.Before(i.SafeAt):
		return fmt.Errorf("honest caches may hold it until %s", clock(i.SafeAt))
	case !i.Forgotten():
		return fmt.Errorf("the nodes have yet to say again that they do not answer it, after %s", clock(i.SafeAt))
	}
	return heldElsewhere(out, n, now)
}

// heldElsewhere says which address of the endpoints caches may hold by a name that let go of it later, or by one of which nothing is
// remembered: an incident of one service knows of its own names alone.
func heldElsewhere(out []ledger.IncidentEndpoint, n Node, now time.Time) error {
	var addresses []string
	for _, e := range out {
		addresses = append(addresses, e.Addresses...)
	}
	of := make(map[string][]departure.Departure)
	for _, d := range departuresOf(n, addresses) {
		of[d.RData] = append(of[d.RData], d)
	}
	for _, e := range out {
		for _, a := range e.Addresses {
			whole := false
			for _, d := range of[a] {
				whole = whole || d.Owner == ""
				switch {
				case d.Bound.Final:
				case d.Bound.Known && now.Before(d.Bound.SafeAt):
					return fmt.Errorf("honest caches may hold %s of %s until %s, by a name that answered it later", a, e.Name, clock(d.Bound.SafeAt))
				default:
					return fmt.Errorf("not every node has said that caches have forgotten %s of %s, which other names answered later", a, e.Name)
				}
			}
			if e.Service != "" && !whole {
				return fmt.Errorf("%s of %s left %s alone, and when it left the other names is not remembered any more", a, e.Name, strings.TrimSuffix(e.Service, "."))
			}
		}
	}
	return nil
}

// departuresOf are the departures of addresses, from some of their names or from all.
func departuresOf(n Node, addresses []string) []departure.Departure {
	return slices.DeleteFunc(slices.Clone(n.Departures()), func(d departure.Departure) bool { return d.Moved || !slices.Contains(addresses, d.RData) })
}

// answeredElsewhere says which of the endpoints, given up by a service or a name, another one answers, or which node may, for it serves other
// files.
func answeredElsewhere(out []ledger.IncidentEndpoint, n Node) error {
	var addresses []string
	for _, e := range out {
		addresses = append(addresses, e.Addresses...)
	}
	owners := n.Snapshot().OwnersOf(maxOwners, addresses...)
	for _, e := range out {
		for _, a := range e.Addresses {
			if names := owners[a]; len(names) > 0 {
				return fmt.Errorf("%s of %s is answered by node %s for %s", a, e.Name, n.Name(), strings.Join(names, ", "))
			}
		}
	}
	nodes, own := n.Cluster().Nodes, ""
	if self := slices.IndexFunc(nodes, func(v cluster.NodeView) bool { return v.Self }); self >= 0 {
		own = nodes[self].Config
	}
	for _, v := range nodes {
		if v.Fresh && v.Config != own {
			return fmt.Errorf("node %s serves other files: what its services and static records answer is not known here", v.Name)
		}
	}
	return nil
}

// stillOut are the endpoints of an incident that have not come back.
func stillOut(i *ledger.Incident) []ledger.IncidentEndpoint {
	return slices.DeleteFunc(slices.Clone(i.Endpoints), func(e ledger.IncidentEndpoint) bool { return !e.ReturnedAt.IsZero() && !e.Removed })
}

// maxOwners is how many names of an address are listed.
const maxOwners = 3

// staticRecords are the static records, as OWNER TYPE, that hold one of the addresses: nobody counts how long caches hold them.
func staticRecords(n Node, addresses []string) []string {
	return recordsOf(carriersOf(n.Snapshot(), addresses), addresses)
}

// recordsOf are those of the carriers that hold one of the addresses, each once.
func recordsOf(carriers map[string][]string, addresses []string) (found []string) {
	for _, a := range addresses {
		found = unique(found, carriers[a])
	}
	return found
}

// carriersOf are the static records, as OWNER TYPE, that hold one of the addresses, by address.
func carriersOf(snap *answer.Snapshot, addresses []string) map[string][]string {
	if snap == nil || len(addresses) == 0 {
		return nil
	}
	by := make(map[string][]string, len(addresses))
	for _, a := range addresses {
		by[a] = nil
	}
	for _, zv := range snap.View.Zones {
		zv.Zone.Carriers(func(c config.Carrier) {
			if _, wanted := by[c.RData]; wanted {
				by[c.RData] = unique(by[c.RData], []string{c.String()})
			}
		})
	}
	return by
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
	late := ClassifyHits(i, &req, s.opts.Node)
	next, err := s.opts.Node.Amend(i.ID, func(i *ledger.Incident) { i.LateHits = late })
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
