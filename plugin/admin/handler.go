package admin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A table finds routes.
type table struct{ mux *http.ServeMux }

func newTable(routes []route) *table {
	byPath := make(map[string][]route)
	for _, r := range routes {
		byPath[r.path] = append(byPath[r.path], r)
	}
	t := &table{mux: http.NewServeMux()}
	for path, routes := range byPath {
		t.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			if m, ok := w.(*matched); ok {
				m.routes = routes
			}
		})
	}
	return t
}

// matched takes the routes of a path instead of a reply. What the mux itself says of paths that are written in other ways goes nowhere.
type matched struct {
	replyRecorder
	routes []route
}

// find is the route that the request asks for, and gives the request the values of its path; without one, the others of that path.
func (t *table) find(req *http.Request) (*route, []route) {
	m := matched{replyRecorder: replyRecorder{header: http.Header{}}}
	t.mux.ServeHTTP(&m, req)
	method := req.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	i := slices.IndexFunc(m.routes, func(r route) bool { return r.method == method })
	if i < 0 {
		return nil, m.routes
	}
	return &m.routes[i], m.routes
}

// handler answers by the table of routes. who finds out who asks, before anything else that could be told to strangers.
func (s *Server) handler(who func(*http.Request) (login, *loginError)) http.Handler {
	t := newTable(s.routes())
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		rt, others := t.find(req)
		if rt == nil || rt.role != anyone {
			l, err := who(req)
			if err != nil {
				deny(w, err)
				return
			}
			req = withLogin(req, l)
		}
		switch {
		case others == nil:
			problem(w, http.StatusNotFound, "no such path: "+req.URL.Path)
		case rt == nil:
			allow := methods(others)
			w.Header().Set("Allow", allow)
			problem(w, http.StatusMethodNotAllowed, req.Method+" on "+req.URL.Path+": want "+allow)
		default:
			s.carryOut(w, req, rt, others)
		}
	})
}

// deny answers a request of somebody who is not known.
func deny(w http.ResponseWriter, err *loginError) {
	if err.challenge != "" {
		w.Header().Set("WWW-Authenticate", err.challenge)
	}
	if err.retry > 0 {
		// Rounded up: who waits so long need not wait again.
		w.Header().Set("Retry-After", strconv.Itoa(int(err.retry.Seconds())+1))
	}
	problem(w, err.status, err.detail)
}

// carryOut does what a route does, if the login may. others are all routes of its path.
func (s *Server) carryOut(w http.ResponseWriter, req *http.Request, rt *route, others []route) {
	handle := rt.handle
	l := loginOf(req.Context())
	may := l.role.may(rt.role)
	if !may {
		s.metrics.refused(refusedRole)
		w.Header().Set("WWW-Authenticate", challenge+`, error="insufficient_scope"`)
		handle = func(req *http.Request) (int, any) { return forbidden(req, rt, &l) }
	} else if rt.raw != nil {
		rt.raw.ServeHTTP(w, req)
		return
	} else if rt.stream != nil && strings.Contains(req.Header.Get("Accept"), eventStream) {
		rt.stream(w, req)
		return
	}
	if rt.action != "" {
		do := handle
		if may && len(req.Header.Values("If-Match")) > 0 {
			do = ifMatch(others, do)
		}
		handle = func(req *http.Request) (int, any) { return s.recorded(rt, do, req) }
	}
	run := func(req *http.Request) encodedReply { return encodeReply(handle(req)) }
	var e encodedReply
	if may && rt.method == http.MethodPost && !rt.secret && req.Header.Get(idempotencyHeader) != "" {
		e = s.idempotent(w, req, run)
	} else {
		e = run(req)
	}
	if rt.tagged && e.status == http.StatusOK {
		tag(w, req, &e)
	}
	e.write(w)
}

// objectOf is what a request is about, as far as its path tells.
func objectOf(req *http.Request) string { return strings.TrimPrefix(req.URL.Path, api.Base+"/") }

// forbidden is the reply to a login of too low a role. It is recorded like every refusal.
func forbidden(req *http.Request, rt *route, l *login) (int, any) {
	if rec, ok := req.Context().Value(recordKey{}).(*record); ok {
		rec.Object = objectOf(req)
	}
	p := &api.Problem{
		Title: http.StatusText(http.StatusForbidden), Status: http.StatusForbidden,
		Detail: l.how + " is " + string(l.role) + ": " + rt.method + " " + rt.path + " is for " + string(rt.role),
	}
	return p.Status, p
}
