package integration

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/docs"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// clientHour is how long orders last.
const clientHour = time.Hour

const clientZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
checks: {ready: {type: tcp, port: CHECK, interval: 1s, timeout: 500ms}, pushed: {type: push}}
pools:
  web: {region: eu, check: ready, endpoints: [{name: one, addresses: [127.0.0.1], az: eu-a}]}
  told: {region: us, check: pushed, endpoints: [{name: one, addresses: [192.0.2.2], az: us-a}]}
  cold: {region: us, gate: manual, endpoints: [{name: one, addresses: [192.0.2.3], az: us-a}]}
  spare: {region: us, endpoints: [{name: one, addresses: [192.0.2.4], az: us-a}]}
services:
  www: {tiers: [{web: 1}, {told: 1, cold: 1}, {spare: 1}]}
`

const clientCorefile = `example.org:PORT {
	bind 127.0.0.1
	fairlead {
		zones DIR/zones
		node DIR/node.yaml
		state DIR/state
	}
}
`

// A recorder notes which requests a client made.
type recorder struct {
	http.RoundTripper
	mu sync.Mutex
	// asked is guarded by mu: method and path of each request.
	asked []string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.asked = append(r.asked, req.Method+" "+req.URL.EscapedPath())
	r.mu.Unlock()
	return r.RoundTripper.RoundTrip(req)
}

// take are the requests since the last call.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.asked
	r.asked = nil
	return out
}

// startClientNode is a node of a cluster of two, of which the other one never runs, before it has joined.
func startClientNode(t *testing.T) (*process, *recorder, *client.Client) {
	t.Helper()
	endpoints := suite.FreePort(t)
	serveNothing(t, endpoints)
	p := &process{bin: binary(t, true), dir: t.TempDir(), dns: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))}
	p.socket = filepath.Join(p.dir, "admin.sock")
	for _, dir := range []string{"zones", "state", "plans.d"} {
		mkdir(t, filepath.Join(p.dir, dir))
	}
	p.replace(filepath.Join(p.dir, "plans.d", "p.yaml"), "plan: p\nsteps:\n- {name: word, approve: {role: admin}}\n- {name: long, wait: {for: 1h}}\n")
	p.writeZone("a.yaml", strings.ReplaceAll(clientZone, "CHECK", fmt.Sprint(endpoints)))
	keyring := filepath.Join(p.dir, "gossip.keys")
	require.NoError(t, config.WriteKeyring(keyring, [][]byte{make([]byte, 32)}))
	gossip, identity := suite.FreePort(t), filepath.Join(p.dir, "identity")
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	require.NoError(t, config.WriteIdentity(identity, private))
	other, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	p.replace(filepath.Join(p.dir, "node.yaml"), fmt.Sprintf(`name: n1
admin: {socket: %q}
plans: {directory: %q}
hooks: [{name: pager, url: "http://127.0.0.1:9/", insecure: true, events: [none.none]}]
cluster:
  name: test
  nodes: [{name: n1, address: "127.0.0.1:%d", public_key: %q}, {name: n2, address: "127.0.0.2:%d", public_key: %q}]
  gossip: {listen: "127.0.0.1:%d", keyring: %q, identity: %q}
`, p.socket, filepath.Join(p.dir, "plans.d"), gossip, base64.StdEncoding.EncodeToString(public), gossip, base64.StdEncoding.EncodeToString(other), gossip, keyring, identity))
	p.writeCorefile(clientCorefile)
	start(t, p, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
	c, err := client.New(client.Options{Server: "unix:" + p.socket, Timeout: patience})
	require.NoError(t, err)
	record := new(recorder)
	c.Wrap(func(inner http.RoundTripper) http.RoundTripper {
		record.RoundTripper = inner
		return record
	})
	await(t, "the node answers and waits for the other one", func() bool {
		select {
		case <-p.exited:
			t.Fatalf("ended early:\n%s", p.output())
		default:
		}
		s, err := c.Status(t.Context())
		return err == nil && s.Cluster != nil && slices.Equal(s.Cluster.WaitsFor, []string{"n2"})
	})
	record.take()
	return p, record, c
}

// An operation is a method of the client, by the id of its operation in the document.
type operation struct {
	id string
	do func(context.Context, *client.Client) error
	// refused are statuses with which the node may say no: what is asked for does not fit what is.
	refused []int
}

// does is a call whose result is of no interest beyond that there is one.
func does[T any](call func(context.Context, *client.Client) (*T, error)) func(context.Context, *client.Client) error {
	return func(ctx context.Context, c *client.Client) error {
		got, err := call(ctx, c)
		if err == nil && got == nil {
			return errors.New("no result")
		}
		return err
	}
}

// TestClientDoesEverything: the client does each operation of the document that the real binary serves, each by its method and path; an
// operation that it lacks fails the test.
func TestClientDoesEverything(t *testing.T) {
	waits(t)
	p, record, c := startClientNode(t)
	ctx := t.Context()
	doc, err := c.OpenAPI(ctx)
	require.NoError(t, err)
	record.take()
	var published map[string]any
	require.NoError(t, json.Unmarshal(docs.OpenAPI, &published))
	require.Equal(t, published, doc, "what is served is docs/openapi.json")
	paths := make(map[string]string)
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			paths[op.(map[string]any)["operationId"].(string)] = strings.ToUpper(method) + " " + path
		}
	}
	require.Greater(t, len(paths), 60)
	done := make(map[string]bool)
	for _, op := range operations(p) {
		want, ok := paths[op.id]
		require.True(t, ok, "%s is no operation of the document", op.id)
		err := op.do(ctx, c)
		if refused, ok := errors.AsType[*api.Problem](err); ok && slices.Contains(op.refused, refused.Status) {
			err = nil
		}
		require.NoError(t, err, op.id)
		asked := record.take()
		require.NotEmpty(t, asked, op.id)
		require.Condition(t, func() bool { return fits(want, asked[len(asked)-1]) }, "%s asked for %v, want %s", op.id, asked, want)
		done[op.id] = true
	}
	for id := range paths {
		require.True(t, done[id], "the client lacks %s, %s", id, paths[id])
	}
}

// fits tells whether a request is one for a method and path of the document.
func fits(want, asked string) bool {
	a, b := strings.Split(want, "/"), strings.Split(asked, "/")
	return slices.EqualFunc(a, b, func(w, g string) bool { return w == g || strings.HasPrefix(w, "{") && g != "" })
}

// TestClientErrors: a refusal is the node's problem, and no reply is another kind of error.
func TestClientErrors(t *testing.T) {
	waits(t)
	_, _, c := startClientNode(t)
	_, err := c.Intend(t.Context(), api.IntentRequest{Kind: "drain", Scope: api.Scope{Kind: "az", Name: "mars"}, Actor: "ada", Reason: "x"})
	p, ok := errors.AsType[*api.Problem](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, http.StatusNotFound, p.Status)
	_, err = c.Intents(client.WithHeader(t.Context(), "If-None-Match", "*"))
	p, ok = errors.AsType[*api.Problem](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, http.StatusNotModified, p.Status)
	nobody, err := client.New(client.Options{Server: "unix:" + filepath.Join(t.TempDir(), "none")})
	require.NoError(t, err)
	_, err = nobody.Status(t.Context())
	_, ok = errors.AsType[*client.UnreachableError](err)
	require.True(t, ok, "%v", err)
	for _, bad := range []string{"", "unix:", "http://127.0.0.1:1", "https://127.0.0.1", "https://u@h:1", "https://h:1/x"} {
		_, err := client.New(client.Options{Server: bad})
		require.Error(t, err, bad)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = c.Waive(ctx, "n2", api.NodeRequest{Actor: "ada", Reason: "x"})
	require.NoError(t, err)
	first := uint64(0)
	err = c.Follow(ctx, client.EventQuery{After: &first}, func(e *api.Event) error {
		require.NotZero(t, e.Seq)
		return errEnough
	})
	require.ErrorIs(t, err, errEnough)
}

var errEnough = errors.New("enough")
