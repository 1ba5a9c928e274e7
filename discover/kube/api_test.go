package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// An api is an API server with the few manners that a Reader needs: lists in pages, watches, 403, 404, 410, and another identity.
type api struct {
	t *testing.T
	*httptest.Server

	mu sync.Mutex // guards the rest
	// uid is kube-system's; refuse has the status for some resources, by their plural.
	uid    string
	refuse map[string]int
	// objects are by plural and key; log holds every change.
	objects  map[string]map[string]string
	revision int
	log      []change
	more     chan struct{}
	// expired is the revision up to which watches are too late. broken ends all watches when it is closed.
	expired int
	broken  chan struct{}
	lists   int
}

type change struct {
	revision int
	plural   string
	event    string
}

func newAPI(t *testing.T) *api {
	a := &api{t: t, uid: "one", refuse: make(map[string]int), objects: make(map[string]map[string]string), more: make(chan struct{}), broken: make(chan struct{})}
	// Over plain HTTP client-go sends no token.
	a.Server = httptest.NewTLSServer(a)
	t.Cleanup(func() {
		a.cut()
		a.Close()
	})
	return a
}

// cluster is what a node file says of it.
func (a *api) cluster() *config.KubeCluster {
	path := filepath.Join(a.t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"x","contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],
"clusters":[{"name":"x","cluster":{"server":%q,"insecure-skip-tls-verify":true}}],"users":[{"name":"x","user":{"token":"secret"}}]}`, a.URL)
	require.NoError(a.t, os.WriteFile(path, []byte(text), 0o600))
	return &config.KubeCluster{Name: "eu-1", Kubeconfig: path}
}

// put stores an object, whose JSON lacks metadata.
func (a *api) put(plural, key, metadata, rest string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revision++
	kind := "MODIFIED"
	if a.objects[plural] == nil {
		a.objects[plural] = make(map[string]string)
	}
	if a.objects[plural][key] == "" {
		kind = "ADDED"
	}
	namespace, name, _ := strings.Cut(key, "/")
	if metadata != "" {
		metadata = "," + metadata
	}
	o := fmt.Sprintf(`{"metadata":{"name":%q,"namespace":%q,"resourceVersion":"%d"%s}%s}`, name, namespace, a.revision, metadata, rest)
	a.objects[plural][key] = o
	a.tellLocked(plural, kind, o)
}

func (a *api) remove(plural, key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revision++
	a.tellLocked(plural, "DELETED", a.objects[plural][key])
	delete(a.objects[plural], key)
}

func (a *api) tellLocked(plural, kind, o string) {
	a.log = append(a.log, change{a.revision, plural, fmt.Sprintf(`{"type":%q,"object":%s}`, kind, o)})
	close(a.more)
	a.more = make(chan struct{})
}

// set changes something while no request is at it.
func (a *api) set(do func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	do()
}

// cut ends all watches.
func (a *api) cut() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.broken)
	a.broken = make(chan struct{})
}

func (a *api) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Header.Get("Authorization") != "Bearer secret" {
		a.fail(w, http.StatusUnauthorized)
		return
	}
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	plural, namespace := parts[len(parts)-1], ""
	if len(parts) > 3 && parts[len(parts)-3] == "namespaces" {
		namespace = parts[len(parts)-2]
	}
	a.mu.Lock()
	uid, code := a.uid, a.refuse[plural]
	a.mu.Unlock()
	switch {
	case code != 0:
		a.fail(w, code)
	case plural == "kube-system":
		fmt.Fprintf(w, `{"metadata":{"name":"kube-system","uid":%q}}`, uid)
	case req.URL.Query().Get("watch") != "":
		a.watch(w, req, plural, namespace)
	default:
		a.list(w, req, plural, namespace)
	}
}

func (a *api) fail(w http.ResponseWriter, code int) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","message":"as the test says","code":%d}`, code)
}

// list gives one object a page.
func (a *api) list(w http.ResponseWriter, req *http.Request, plural, namespace string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lists++
	var items []json.RawMessage
	for key, o := range a.objects[plural] {
		if namespace == "" || strings.HasPrefix(key, namespace+"/") {
			items = append(items, json.RawMessage(o))
		}
	}
	// The order is the map's: only whoever asks once sees everything.
	at, _ := strconv.Atoi(req.URL.Query().Get("continue"))
	page := map[string]any{"metadata": map[string]any{"resourceVersion": strconv.Itoa(a.revision)}, "items": items}
	if at == 0 && len(items) > 0 {
		page = map[string]any{"metadata": map[string]any{"resourceVersion": strconv.Itoa(a.revision), "continue": "1"}, "items": []json.RawMessage{}}
	}
	_ = json.NewEncoder(w).Encode(page)
}

func (a *api) watch(w http.ResponseWriter, req *http.Request, plural, namespace string) {
	since, _ := strconv.Atoi(req.URL.Query().Get("resourceVersion"))
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for {
		a.mu.Lock()
		log, more, broken, expired := a.log, a.more, a.broken, a.expired
		a.mu.Unlock()
		if since < expired {
			fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}`)
			return
		}
		for _, c := range log {
			if c.revision > since && c.plural == plural && (namespace == "" || strings.Contains(c.event, fmt.Sprintf(`"namespace":%q`, namespace))) {
				fmt.Fprintln(w, c.event)
			}
			since = max(since, c.revision)
		}
		w.(http.Flusher).Flush()
		select {
		case <-more:
		case <-broken:
			return
		case <-req.Context().Done():
			return
		}
	}
}
