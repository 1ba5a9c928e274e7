package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// controlSuffix makes the path of the demo's control socket from that of the admin socket.
	controlSuffix = ".demo"
	controlPath   = "/demo"
	// maxControlBody is far more than any control request has.
	maxControlBody = 4096
)

// A controlRequest breaks or heals endpoints.
type controlRequest struct {
	// Want is serving, closed or hanging.
	Want demoState `json:"want"`
	// Kind is az or endpoint.
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// A controlReply says what was done, in words.
type controlReply struct {
	Done []string `json:"done"`
	// Watch says what to expect next.
	Watch string `json:"watch"`
	DNS   string `json:"dns"`
}

// A control serves the demo's own requests on a unix socket, beside the node's admin socket: the demo owns the endpoints,
// the node must not know that they are not real.
type control struct {
	site   *site
	dns    string
	server *http.Server
	path   string
}

// listenControl opens the control socket; the caller holds the demo's lock, so what lies at path is left over.
func listenControl(path, dns string, s *site) (*control, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
	}
	c := &control{site: s, dns: dns, path: path}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+controlPath, c.handle)
	c.server = &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = c.server.Serve(l) }()
	return c, nil
}

func (c *control) close() { _ = c.server.Close() }

func (c *control) handle(w http.ResponseWriter, r *http.Request) {
	var req controlRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBody)).Decode(&req); err != nil {
		problem(w, http.StatusBadRequest, "unreadable request", err)
		return
	}
	if req.Want != serving && req.Want != closed && req.Want != hanging {
		problem(w, http.StatusBadRequest, "unreadable request", fmt.Errorf("want %q", req.Want))
		return
	}
	endpoints, err := c.site.find(req.Kind, req.Name)
	if err != nil {
		problem(w, http.StatusNotFound, err.Error(), nil)
		return
	}
	done, err := change(endpoints, req.Want)
	if err != nil {
		problem(w, http.StatusInternalServerError, "not everything was done", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(controlReply{Done: done, Watch: expectation(req), DNS: c.dns})
}

// expectation is what to watch for, with times that follow from the demo's check and hold.
func expectation(r controlRequest) string {
	what := kindWord(r.Kind) + " " + r.Name
	if r.Want == serving {
		return fmt.Sprintf("%s is back in the answers after %d good probes and, if it had been out, the failback hold of %s: within %s",
			what, demoRise, demoHold, upTo(returnsWithin()))
	}
	return fmt.Sprintf("the last answer that names %s is given within %s: %d failed probes, %s apart, each of at most %s",
		what, upTo(flipWithin()), demoFall, demoInterval, demoTimeout)
}

func problem(w http.ResponseWriter, status int, title string, err error) {
	p := api.Problem{Title: title, Status: status}
	if err != nil {
		p.Detail = err.Error()
	}
	w.Header().Set("Content-Type", api.ProblemType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p)
}
