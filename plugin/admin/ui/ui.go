package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// zeroTime makes http.ServeContent send no date.
var zeroTime time.Time

// A Backend is the admin API of the node.
type Backend interface {
	// Status, Staleness, Incidents (the newest first) and Events (the latest, the newest last) are what GETs of the API say.
	Status() *api.Status
	Staleness() *api.Staleness
	Incidents() []*ledger.Incident
	Events(limit int) []api.Event
	// HasPlans tells whether there are plans on this node, or runs of some.
	HasPlans() bool
	// Call carries out a request of the API for a login: its role decides, its name is recorded. r is the request of the page.
	Call(r *http.Request, l Login, method, path string, body any) (status int, media string, reply []byte)
	// TokenGood tells whether the token with a digest is still a login.
	TokenGood(name, digest string) bool
}

// Options are what a UI needs. Backend, Sessions and Node are required.
type Options struct {
	Backend  Backend
	Sessions *Sessions
	// Node is the node's name.
	Node, Version string
	// Ending is closed when streams have to end.
	Ending <-chan struct{}
	Logger *slog.Logger
}

// A UI is the dashboard of a node.
type UI struct {
	opts   Options
	assets *assets
	// templates are the pages by name, each with the layout.
	templates map[string]*template.Template
	hub       *hub
}

// New reads templates and assets.
func New(o Options) (*UI, error) {
	if o.Backend == nil || o.Sessions == nil || o.Node == "" {
		return nil, errors.New("ui: Backend, Sessions and Node are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	u := &UI{opts: o}
	var err error
	if u.assets, err = loadAssets(files); err != nil {
		return nil, err
	}
	if u.templates, err = loadTemplates(u.assets); err != nil {
		return nil, err
	}
	u.hub = newHub(u)
	return u, nil
}

// A Door is how people come in.
type Door struct {
	// Identify finds a login without a session: that of a certificate. Nil for none.
	Identify func(*http.Request) (Login, bool)
	// Token takes a token. Nil where there are none: on the unix socket, where a link is the way in.
	Token func(r *http.Request, secret string) (Login, error)
	// Issuer is where people can log in instead; nil for none.
	Issuer *Issuer
	// TLS is set where the browser speaks TLS with the node.
	TLS bool
}

// An Issuer logs people in, at a place of its own. A browser keeps secret while it is there.
type Issuer struct {
	// Name is what people call it.
	Name string
	// Begin is the address to go to; Finish is the login of whoever came back, by the query of the request. Errors are shown.
	Begin  func(r *http.Request, secret string) (string, error)
	Finish func(r *http.Request, secret string) (l Login, lasts time.Duration, err error)
}

// Handler answers what comes in by a door: /ui/ and below, and / which leads there.
func (u *UI) Handler(d Door) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+assetPath, u.assets)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ui/", http.StatusSeeOther) })
	l := &logins{ui: u, door: d}
	mux.HandleFunc("GET /ui/login", l.show)
	mux.HandleFunc("POST /ui/login", l.take)
	mux.HandleFunc("POST /ui/logout", l.leave)
	if d.Issuer != nil {
		mux.HandleFunc("GET "+IssuerPath, l.depart)
		mux.HandleFunc("GET "+ReturnPath, l.comeBack)
	}
	in := func(h func(*visit)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			login, ok := l.of(r)
			if !ok {
				l.refuse(w, r)
				return
			}
			h(&visit{ui: u, w: w, r: r, Login: login, door: l, Now: time.Now()})
		})
	}
	for _, p := range pages() {
		mux.Handle("GET "+p.path, in(func(v *visit) { v.show(p) }))
		if p.live {
			mux.Handle("GET /ui/live"+strings.TrimPrefix(p.path, "/ui"), in(func(v *visit) { v.follow(p) }))
		}
	}
	mux.Handle("GET /ui/ping", in(func(v *visit) { v.w.WriteHeader(http.StatusNoContent) }))
	mux.Handle("GET /ui/incidents/{id}/certificate", in(download(func(id string) string { return api.IncidentPath(id) + api.CertificateSuffix }, "-certificate.json")))
	mux.Handle("GET /ui/incidents/{id}/report.md", in(download(func(id string) string { return api.IncidentPath(id) + api.MarkdownSuffix }, ".md")))
	mux.Handle("GET /ui/runs/{id}/evidence", in(download(func(id string) string { return api.RunPath(id) + evidenceSuffix }, "-evidence.json")))
	mux.Handle("GET /ui/runs/{id}/evidence.md", in(runMarkdown))
	mux.Handle("GET /ui/history.json", in(serveHistory))
	mux.Handle("GET /ui/timeline.md", in(timelineMarkdown))
	for path, act := range actions() {
		mux.Handle("POST "+path, in(act))
	}
	mux.Handle("/ui/", in(func(v *visit) { v.fail(http.StatusNotFound, "There is no such page.") }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'")
		mux.ServeHTTP(w, r)
	})
}

// Owns tells whether a path is the dashboard's.
func Owns(path string) bool { return path == "/" || path == "/ui" || strings.HasPrefix(path, "/ui/") }

// A visit is one request for a page.
type visit struct {
	ui    *UI
	w     http.ResponseWriter
	r     *http.Request
	door  *logins
	Login Login
	Now   time.Time
}

// A problem is why there is no page.
type problem struct {
	status int
	detail string
}

func (p *problem) Error() string { return p.detail }

// call asks the API and decodes the reply into out, unless it is nil. Errors are those of the API, in its words.
func (v *visit) call(method, path string, body, out any) error {
	status, _, reply := v.ui.opts.Backend.Call(v.r, v.Login, method, path, body)
	if method != http.MethodGet {
		v.ui.hub.forget()
	}
	if status >= http.StatusMultipleChoices {
		var p api.Problem
		if json.Unmarshal(reply, &p) != nil || p.Title == "" {
			p.Title = http.StatusText(status)
		}
		return &problem{status, p.Error()}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(reply, out)
}

// get is call with GET.
func (v *visit) get(path string, out any) error { return v.call(http.MethodGet, path, nil, out) }

// A page is what the templates get.
type page struct {
	*visit
	Title, Name string
	Node        string
	Version     string
	// Path is the page's, LivePath where its stream is; empty for a page that does not follow.
	Path, LivePath string
	Live           bool
	// Plans is set where the node has some.
	Plans bool
	// Charts is set where there are some: other pages do not load what draws them.
	Charts bool
	Data   any
	// Status is of the whole node, for the head of the page.
	Cluster *api.Nodes
}

// show answers with a whole page.
func (v *visit) show(p pageDef) {
	data, err := p.load(v)
	if err != nil {
		v.failed(err)
		return
	}
	v.render(http.StatusOK, p.name, v.page(p, data))
}

func (v *visit) page(p pageDef, data any) *page {
	out := &page{visit: v, Title: p.title, Name: p.name, Node: v.ui.opts.Node, Version: v.ui.opts.Version, Path: p.path, Live: v.ui.assets.live(), Charts: p.charts, Data: data}
	// Who is not logged in has the node look at nothing.
	out.Plans = v.Login.Role != "" && v.ui.hub.look().Plans
	if p.live && out.Live {
		out.LivePath = "/ui/live" + strings.TrimPrefix(v.r.URL.RequestURI(), "/ui")
	}
	return out
}

// render renders before anything is written, so that a page is whole or not there.
func (v *visit) render(status int, name string, p *page) {
	var b bytes.Buffer
	if err := v.ui.templates[name].ExecuteTemplate(&b, "layout", p); err != nil {
		v.ui.opts.Logger.Error("page not rendered", "page", name, "err", err)
		http.Error(v.w, "this page could not be made; the log of the node says why", http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	// Who went away has no use for it.
	_, _ = v.w.Write(b.Bytes())
}

// failed answers with an error of the API.
func (v *visit) failed(err error) {
	var p *problem
	if errors.As(err, &p) {
		v.fail(p.status, p.detail)
		return
	}
	v.ui.opts.Logger.Error("page not made", "path", v.r.URL.Path, "err", err)
	v.fail(http.StatusInternalServerError, "This page could not be made; the log of the node says why.")
}

func (v *visit) fail(status int, detail string) {
	p := pageDef{name: "error", title: http.StatusText(status), path: v.r.URL.Path}
	v.render(status, "error", v.page(p, detail))
}
