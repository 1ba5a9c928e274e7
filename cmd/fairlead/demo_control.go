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
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
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
	// Want is serving, closed or hanging; for a node serving or cut.
	Want demoState `json:"want"`
	// Kind is az, endpoint or node.
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
	nodes  []*node
	server *http.Server
	path   string
}

// listenControl opens the control socket; the caller holds the demo's lock, so what lies at path is left over.
func listenControl(path string, s *site, nodes []*node) (*control, error) {
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
	c := &control{site: s, nodes: nodes, path: path}
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
	if req.Kind == kindNode {
		c.cut(w, r, req)
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
	_ = json.NewEncoder(w).Encode(controlReply{Done: done, Watch: expectation(req), DNS: c.nodes[0].dns.String()})
}

// kindNode is the kind of a request about a node; cutOff is what is wanted of it.
const (
	kindNode           = "node"
	cutOff   demoState = "cut"
	// demoCut is how long a node is cut off that nobody heals.
	demoCut = time.Hour
)

// cut cuts a node off from the others, or ends that.
func (c *control) cut(w http.ResponseWriter, r *http.Request, req controlRequest) {
	i := slices.IndexFunc(c.nodes, func(n *node) bool { return n.name == req.Name })
	if i < 0 {
		problem(w, http.StatusNotFound, fmt.Sprintf("no node %q in the demo: want n1, n2 or n3", req.Name), nil)
		return
	}
	n := c.nodes[i]
	node := clientAt(n.socket, "node "+n.name, "")
	order := func() (*api.Nodes, error) {
		return node.Cut(r.Context(), api.CutRequest{Actor: "demo", Reason: "fairlead demo cut", ForSeconds: demoCut.Seconds()})
	}
	done, watch := n.name+": cut off from the other nodes; it goes on answering",
		fmt.Sprintf("in some 10s the others call %s stale, and it calls itself isolated: health moves nothing there, and its TTLs are at their floor", n.name)
	switch req.Want {
	case cutOff:
		other := c.nodes[(i+1)%len(c.nodes)]
		watch += fmt.Sprintf("\n       ask it with `fairlead nodes %s`, and %s with `%s`", n.reached(), other.name, other.reached())
	case serving:
		order = func() (*api.Nodes, error) { return node.Heal(r.Context(), api.EndRequest{Actor: "demo"}) }
		done, watch = n.name+": no longer cut off", "within some seconds it hears the others and agrees with them"
	default:
		problem(w, http.StatusBadRequest, "a node can be cut off or healed", nil)
		return
	}
	if _, err := order(); err != nil {
		problem(w, http.StatusConflict, err.Error(), nil)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(controlReply{Done: []string{done}, Watch: watch, DNS: n.dns.String()})
}

// expectation is what to watch for, with times that follow from the demo's check and hold.
func expectation(r controlRequest) string {
	what := kindWord(r.Kind) + " " + r.Name
	if r.Want == serving {
		return fmt.Sprintf("%s is back in the answers after %d good probes and, if it had been out, the failback hold of %s: within %s",
			what, demoRise, demoHold, terminal.UpTo(returnsWithin()))
	}
	return fmt.Sprintf("the last answer that names %s is given within %s: %d failed probes, %s apart, each of at most %s",
		what, terminal.UpTo(flipWithin()), demoFall, demoInterval, demoTimeout)
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
