package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/ui"
)

// newDashboard makes the pages of the server.
func (s *Server) newDashboard() (err error) {
	if s.sessions = s.opts.Sessions; s.sessions == nil {
		s.sessions = ui.OpenSessions("", s.opts.Logger)
	}
	s.dashboard, err = ui.New(ui.Options{
		Backend: &dashboard{server: s, table: newTable(s.routes())}, Sessions: s.sessions, Node: s.opts.Node.Name(), Version: s.opts.Version,
		Ending: s.ending, Logger: s.opts.Logger,
	})
	return err
}

// withDashboard is h with the pages beside it.
func (s *Server) withDashboard(d ui.Door, h http.Handler) http.Handler {
	pages := s.dashboard.Handler(d)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ui.Owns(r.URL.Path) {
			pages.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// tcpDoor lets in by a token that is typed, and by the certificate of the connection.
func (s *Server) tcpDoor() ui.Door {
	return ui.Door{
		TLS: true, Issuer: s.uiIssuer(),
		Identify: func(r *http.Request) (ui.Login, bool) {
			l, ok := s.certLogin(r, time.Now())
			return ui.Login{Name: l.name, Role: string(l.role), How: l.how}, ok
		},
		Token: func(r *http.Request, secret string) (ui.Login, error) {
			clone := r.Clone(r.Context())
			clone.Header.Set("Authorization", "Bearer "+secret)
			l, err := s.tcpLogin(clone)
			switch {
			case err != nil:
				return ui.Login{}, err
			case l.role == nobody:
				return ui.Login{}, errors.New(l.how + " has no role here")
			}
			return s.uiLogin(&l), nil
		},
	}
}

// uiLogin is l with the digest of the token that it came by, so that it ends with it.
func (s *Server) uiLogin(l *login) ui.Login {
	return ui.Login{Name: l.name, Role: string(l.role), How: l.how, Token: l.token}
}

// loginLink makes a link that logs a browser in as who asks.
func (s *Server) loginLink(r *http.Request) (int, any) {
	var req api.LoginLinkRequest
	err := decode(r, &req)
	rec := recordOf(r)
	rec.asks(req.Actor, "")
	rec.Object = "dashboard " + req.Role
	if err != nil && !errors.Is(err, io.EOF) {
		return invalid(err)
	}
	if err := health.ValidateWords(req.Actor, ""); err != nil {
		return invalid(err)
	}
	asks := loginOf(r.Context())
	l := s.uiLogin(&asks)
	if l.Actor = cut(req.Actor, health.MaxActor); l.Name != "" {
		// Who it is has been proved: what the request says is no more than that.
		l.Actor = ""
	}
	if req.Role != "" {
		if roleRank[role(req.Role)] <= roleRank[anyone] || !asks.role.may(role(req.Role)) {
			return invalid(fmt.Errorf("role %q: want viewer, operator or admin, and no more than %s", req.Role, asks.role))
		}
		l.Role = req.Role
	}
	rec.Object = "dashboard " + l.Role
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	secret, ends := s.sessions.Link(l, time.Now())
	return http.StatusCreated, api.LoginLink{Path: "/ui/login?link=" + secret, ExpiresAt: ends}
}

func (s *Server) dashboardRoutes() []route {
	return []route{{
		method: http.MethodPost, path: api.LoginLinkPath, role: viewer, action: "login link", doc: "Makes a link that logs a browser in to the dashboard, once, within a minute.",
		body: api.LoginLinkRequest{}, reply: api.LoginLink{}, secret: true, handle: s.loginLink,
	}}
}

// A dashboard is the API as the pages use it.
type dashboard struct {
	server *Server
	table  *table
}

func (d *dashboard) Status() *api.Status {
	return d.server.newStatus()
}

func (d *dashboard) Staleness() *api.Staleness {
	o := &d.server.opts
	return NewStaleness(o.Node, "", o.StartedAt, time.Now())
}

func (d *dashboard) Incidents() []*ledger.Incident {
	list := shownIncidents(d.server.opts.Node)
	slices.Reverse(list)
	return list
}

// HasPlans also tells of runs alone: those of other nodes are here too.
func (d *dashboard) HasPlans() bool {
	plans := d.server.opts.Node.Plans
	return plans != nil && plans.Any()
}

func (d *dashboard) Events(limit int) []api.Event {
	var out []api.Event
	for _, e := range d.server.opts.Events.Last(limit, eventQuery{}.filter) {
		out = append(out, api.Event(e))
	}
	return out
}

func (d *dashboard) TokenGood(name, digest string) bool {
	return d.server.tokenGood(name, digest, time.Now())
}

// Call carries a request out as if it had come for itself, with the login's role, and in its name.
func (d *dashboard) Call(r *http.Request, l ui.Login, method, path string, body any) (int, string, []byte) {
	u, err := url.Parse(path)
	var text []byte
	if err == nil && body != nil {
		text, err = json.Marshal(body)
	}
	if err != nil {
		return broken(http.StatusBadRequest, err)
	}
	req := r.Clone(r.Context())
	req.Method, req.URL, req.RequestURI, req.Body, req.ContentLength = method, u, path, http.NoBody, int64(len(text))
	req.Header = http.Header{}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Body = readCloser{bytes.NewReader(text)}
	}
	how := l.How
	if how == "" {
		how = "dashboard"
	} else {
		how = "dashboard " + how
	}
	req = withLogin(req, login{name: l.Name, role: role(l.Role), how: how})
	rt, others := d.table.find(req)
	if rt == nil {
		return broken(http.StatusNotFound, errors.New("no such path: "+u.Path))
	}
	out := &replyRecorder{header: http.Header{}, status: http.StatusOK}
	d.server.carryOut(out, req, rt, others)
	return out.status, out.header.Get("Content-Type"), out.body.Bytes()
}

func broken(status int, err error) (int, string, []byte) {
	e := encodeReply(status, failure(status, err))
	return e.status, e.media, e.body
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// A replyRecorder keeps a reply.
type replyRecorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *replyRecorder) Header() http.Header { return r.header }

func (r *replyRecorder) WriteHeader(status int) { r.status = status }

func (r *replyRecorder) Write(b []byte) (int, error) { return r.body.Write(b) }
