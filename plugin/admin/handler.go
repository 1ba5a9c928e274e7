package admin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A table is the routes by path.
type table struct {
	byPath map[string][]route
	paths  []string
}

func newTable(routes []route) *table {
	t := &table{byPath: make(map[string][]route)}
	for _, r := range routes {
		if t.byPath[r.path] == nil {
			t.paths = append(t.paths, r.path)
		}
		t.byPath[r.path] = append(t.byPath[r.path], r)
	}
	return t
}

// find is the route that the request asks for; without one, the others of that path.
func (t *table) find(req *http.Request) (*route, []route) {
	routes := t.byPath[match(t.paths, req)]
	method := req.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	i := slices.IndexFunc(routes, func(r route) bool { return r.method == method })
	if i < 0 {
		return nil, routes
	}
	return &routes[i], routes
}

// handler answers by the table of routes. who finds out who asks, before anything else that could be told to strangers.
func (s *Server) handler(who func(*http.Request) (login, *loginError)) http.Handler {
	t := newTable(s.routes())
	h := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
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
			s.carryOut(w, req, rt)
		}
	})
	return http.MaxBytesHandler(h, maxBody)
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

// carryOut does what a route does, if the login may.
func (s *Server) carryOut(w http.ResponseWriter, req *http.Request, rt *route) {
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
	}
	if rt.action != "" {
		do := handle
		handle = func(req *http.Request) (int, any) { return s.recorded(rt, do, req) }
	}
	status, body := handle(req)
	mediaType := "application/json"
	if _, ok := body.(*api.Problem); ok {
		mediaType = api.ProblemType
	}
	reply(w, status, mediaType, body)
}

// forbidden is the reply to a login of too low a role. It is recorded like every refusal.
func forbidden(req *http.Request, rt *route, l *login) (int, any) {
	if rec, ok := req.Context().Value(recordKey{}).(*record); ok {
		rec.Object = strings.TrimPrefix(req.URL.Path, api.Base+"/")
	}
	p := &api.Problem{
		Title: http.StatusText(http.StatusForbidden), Status: http.StatusForbidden,
		Detail: l.how + " is " + string(l.role) + ": " + rt.method + " " + rt.path + " is for " + string(rt.role),
	}
	return p.Status, p
}
