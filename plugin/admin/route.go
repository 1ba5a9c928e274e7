package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A role is who may use a route. On the unix socket everybody who can open it is an operator; roles begin to count with
// the TCP listener.
type role string

const (
	// anyone may ask whether the node lives.
	anyone role = "anyone"
	viewer role = "viewer"
	// operator may change what is answered.
	operator role = "operator"
)

// A route is one thing that the API does.
type route struct {
	// path is a path, in which {name} stands for one segment: http.Request.PathValue has it.
	method, path string
	role         role
	// action is what the journal calls it; every request for a route that has one is recorded, those that are refused too.
	// The others change nothing that operators decide: a probe moves no verdict, and a report is an observation, which comes
	// from endpoints every few seconds.
	action string
	// handle returns the status and the body, to be encoded as JSON.
	handle func(*http.Request) (int, any)
}

func (s *Server) routes() []route {
	return []route{
		{http.MethodGet, "/healthz", anyone, "", s.healthz},
		{http.MethodGet, "/readyz", anyone, "", s.readyz},
		{http.MethodGet, api.StatusPath, viewer, "", s.status},
		{http.MethodGet, api.ExplainPath, viewer, "", s.explain},
		{http.MethodGet, api.WhatIfPath, viewer, "", s.whatIf},
		{http.MethodPost, api.FreezePath, operator, "freeze", s.freeze},
		{http.MethodPost, api.UnfreezePath, operator, "unfreeze", s.unfreeze},
		{http.MethodPost, api.ProbePath, viewer, "", s.probe},
		{http.MethodPost, api.ReportPath, operator, "", s.report},
		{http.MethodGet, api.AuditPath, viewer, "", s.journal},
		{http.MethodGet, api.NodesPath, viewer, "", s.nodes},
		{http.MethodPost, api.NodesPath + "/{node}/waive", operator, "waive", s.waive},
		{http.MethodPost, api.NodesPath + "/{node}/stopped", operator, "stopped", s.stopped},
		{http.MethodDelete, api.NodesPath + "/{node}/stopped", operator, "not stopped", s.notStopped},
		{http.MethodPost, api.NodesPath + "/{node}/removed", operator, "removed", s.removed},
		{http.MethodDelete, api.NodesPath + "/{node}/removed", operator, "not removed", s.notRemoved},
		{http.MethodPost, api.BootstrapPath, operator, "bootstrap", s.bootstrap},
		{http.MethodPost, api.CutPath, operator, "cut off", s.cut},
		{http.MethodDelete, api.CutPath, operator, "heal", s.cut},
		{http.MethodPost, api.KeyringPath, operator, "keyring", s.keyring},
		{http.MethodGet, api.IntentsPath, viewer, "", s.listIntents},
		{http.MethodPost, api.IntentsPath, operator, "intent", s.createIntent},
		{http.MethodDelete, api.IntentsPath + "/{id}", operator, "undrain", s.endIntent},
		{http.MethodPost, api.Base + "/pools/{zone}/{pool}/ready", operator, "ready", s.ready},
		{http.MethodDelete, api.Base + "/pools/{zone}/{pool}/ready", operator, "unready", s.unready},
		{http.MethodPost, api.Base + "/pools/{zone}/{pool}/failback", operator, "failback", s.failback},
	}
}

func (s *Server) handler() http.Handler {
	byPath := make(map[string][]route)
	var paths []string
	for _, r := range s.routes() {
		byPath[r.path] = append(byPath[r.path], r)
		paths = append(paths, r.path)
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		routes, ok := byPath[match(paths, req)]
		if !ok {
			problem(w, http.StatusNotFound, "no such path: "+req.URL.Path)
			return
		}
		method := req.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		i := slices.IndexFunc(routes, func(r route) bool { return r.method == method })
		if i < 0 {
			allow := methods(routes)
			w.Header().Set("Allow", allow)
			problem(w, http.StatusMethodNotAllowed, req.Method+" on "+req.URL.Path+": want "+allow)
			return
		}
		handle := routes[i].handle
		if routes[i].action != "" {
			handle = func(req *http.Request) (int, any) { return s.recorded(&routes[i], req) }
		}
		status, body := handle(req)
		mediaType := "application/json"
		if _, ok := body.(*api.Problem); ok {
			mediaType = api.ProblemType
		}
		reply(w, status, mediaType, body)
	})
	return http.MaxBytesHandler(h, maxBody)
}

// match is the path of the table that the request asks for, and gives the request its values; empty if there is none.
func match(paths []string, req *http.Request) string {
	// Segments are taken apart before they are unescaped: an escaped slash is part of a name.
	got := strings.Split(req.URL.EscapedPath(), "/")
	for _, path := range paths {
		want := strings.Split(path, "/")
		if len(want) != len(got) {
			continue
		}
		values := make(map[string]string)
		if slices.EqualFunc(want, got, func(w, g string) bool {
			g, err := url.PathUnescape(g)
			if name, ok := strings.CutPrefix(w, "{"); ok && err == nil && g != "" {
				values[strings.TrimSuffix(name, "}")] = g
				return true
			}
			return err == nil && w == g
		}) {
			for name, v := range values {
				req.SetPathValue(name, v)
			}
			return path
		}
	}
	return ""
}

func methods(routes []route) string {
	var names []string
	for _, r := range routes {
		names = append(names, r.method)
		if r.method == http.MethodGet {
			names = append(names, http.MethodHead)
		}
	}
	return strings.Join(names, ", ")
}

// problem answers with an error (RFC 9457). The type is about:blank, which is what an empty one means: the title is the
// status's.
func problem(w http.ResponseWriter, status int, detail string) {
	reply(w, status, api.ProblemType, &api.Problem{Title: http.StatusText(status), Status: status, Detail: detail})
}

// reply encodes before it writes, so that a body is whole or not there.
func reply(w http.ResponseWriter, status int, mediaType string, body any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(body); err != nil {
		problem(w, http.StatusInternalServerError, err.Error())
		return
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The client went away, or it did not: nothing more can be told to it.
	_, _ = w.Write(b.Bytes())
}

// life is the body of healthz and readyz.
type life struct {
	Status string `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// healthz says that the process answers.
func (s *Server) healthz(*http.Request) (int, any) { return http.StatusOK, life{Status: "ok"} }

func (s *Server) readyz(*http.Request) (int, any) {
	if err := s.opts.Node.Ready(); err != nil {
		return http.StatusServiceUnavailable, life{Status: "not ready", Detail: err.Error()}
	}
	return http.StatusOK, life{Status: "ready"}
}
