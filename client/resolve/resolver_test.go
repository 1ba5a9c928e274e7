package resolve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/client/resolve"
	"github.com/fairlead-dns/fairlead/plugin/feed/wire"
)

const service = "www.example.org."

// A node is a feed whose words a test says.
type node struct {
	*httptest.Server
	name string
	mu   sync.Mutex
	// given is what is given, version counts its changes, changed closes with the next one, acks are the versions that were acknowledged, by
	// when; guarded by mu
	given   wire.Given
	version int
	changed chan struct{}
	acks    map[string]time.Time
	streams int
	// mute says nothing more; status is one other than 200.
	mute   bool
	status int
	// maxAge of what is given, lease whether it is renewed.
	lease bool
}

func startNode(t *testing.T, name string, addresses ...string) *node {
	t.Helper()
	n := &node{name: name, changed: make(chan struct{}), acks: make(map[string]time.Time), lease: true}
	n.given = wire.Given{Name: service, MaxAge: 30}
	n.set(addresses...)
	n.Server = httptest.NewServer(n)
	t.Cleanup(func() {
		n.CloseClientConnections()
		n.Server.Close()
	})
	return n
}

// set gives the addresses, each with a weight: ADDRESS or ADDRESS=WEIGHT.
func (n *node) set(addresses ...string) (version string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var set []wire.Member
	for _, a := range addresses {
		m := wire.Member{Data: a, Weight: 1}
		if data, weight, ok := strings.Cut(a, "="); ok {
			m.Data = data
			fmt.Sscan(weight, &m.Weight)
		}
		set = append(set, m)
	}
	n.version++
	n.given.Sets, n.given.ETag = map[string][]wire.Member{"A": set}, strings.Join(addresses, " ")
	close(n.changed)
	n.changed = make(chan struct{})
	return fmt.Sprint(n.name, n.version)
}

func (n *node) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == wire.AckPath {
		var a wire.Ack
		_ = json.NewDecoder(r.Body).Decode(&a)
		n.change(func() { n.acks[a.Version] = time.Now() })
		w.WriteHeader(http.StatusNoContent)
		return
	}
	n.mu.Lock()
	status := n.status
	n.streams++
	n.mu.Unlock()
	if status == 0 && r.URL.Query().Get("name") != service {
		status = http.StatusNotFound
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	send := func(kind string, data any) {
		b, _ := json.Marshal(data)
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, b)
		_ = http.NewResponseController(w).Flush()
	}
	send(wire.EventHello, wire.Hello{Node: n.name, Subscriber: "s"})
	sent := 0
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		n.mu.Lock()
		changed, given, version, mute, lease := n.changed, n.given, n.version, n.mute, n.lease
		n.mu.Unlock()
		switch {
		case mute:
		case version != sent:
			sent = version
			send(wire.EventGiven, wire.Change{Version: fmt.Sprint(n.name, version), Given: []wire.Given{given}})
		case lease:
			send(wire.EventLease, wire.Lease{Names: []wire.Renewal{{Name: service, MaxAge: given.MaxAge}}})
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

func newResolver(t *testing.T, change func(*resolve.Options), nodes ...*node) *resolve.Resolver {
	t.Helper()
	o := resolve.Options{Zones: []string{"example.org"}}
	for _, n := range nodes {
		o.Nodes = append(o.Nodes, n.URL)
	}
	if change != nil {
		change(&o)
	}
	r, err := resolve.New(o)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 30*time.Second, 5*time.Millisecond, what)
}

func first(t *testing.T, r *resolve.Resolver) string {
	t.Helper()
	addrs, err := r.LookupNetIP(t.Context(), "ip4", "www.example.org")
	require.NoError(t, err)
	return addrs[0].String()
}

// TestPush: what changes is used at once and acknowledged; weights are kept.
func TestPush(t *testing.T) {
	n := startNode(t, "n1", "192.0.2.1=3", "192.0.2.2")
	r := newResolver(t, nil, n)
	count := map[string]int{}
	for range 4000 {
		count[first(t, r)]++
	}
	require.InDelta(t, 3000, count["192.0.2.1"], 200)
	version := n.set("192.0.2.2")
	eventually(t, "the change", func() bool { return first(t, r) == "192.0.2.2" })
	eventually(t, "its acknowledgement", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return !n.acks[version].IsZero() })
	hosts, err := r.LookupHost(t.Context(), "www.example.org")
	require.NoError(t, err)
	require.Equal(t, []string{"192.0.2.2"}, hosts)
	_, err = r.LookupNetIP(t.Context(), "ip6", "www.example.org")
	require.ErrorIs(t, err, resolve.ErrNoEndpoint)
}

// TestNextNode: who loses its node asks the next one, and has its last word meanwhile.
func TestNextNode(t *testing.T) {
	one, two := startNode(t, "n1", "192.0.2.1"), startNode(t, "n2", "192.0.2.2")
	r := newResolver(t, nil, one, two)
	require.Equal(t, "192.0.2.1", first(t, r))
	one.change(func() { one.status = http.StatusServiceUnavailable })
	one.CloseClientConnections()
	eventually(t, "the next node", func() bool { return first(t, r) == "192.0.2.2" })
	one.change(func() { one.status = 0 })
	two.Server.CloseClientConnections()
	two.change(func() { two.status = http.StatusServiceUnavailable })
	eventually(t, "the first one again", func() bool { return first(t, r) == "192.0.2.1" })
}

// TestSilentNode: a stream on which nothing comes is dead.
func TestSilentNode(t *testing.T) {
	if testing.Short() {
		t.Skip("waits ten seconds")
	}
	one, two := startNode(t, "n1", "192.0.2.1"), startNode(t, "n2", "192.0.2.2")
	r := newResolver(t, nil, one, two)
	require.Equal(t, "192.0.2.1", first(t, r))
	one.change(func() { one.mute = true })
	eventually(t, "the next node", func() bool { return first(t, r) == "192.0.2.2" })
}

// TestLastWord: it stands after its expiry, or for as long as the options say.
func TestLastWord(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		err   error
	}{{"for ever", 0, nil}, {"not at all", -1, resolve.ErrExpired}, {"for an hour", time.Hour, nil}, {"for a moment", time.Millisecond, resolve.ErrExpired}} {
		t.Run(tt.name, func(t *testing.T) {
			n := startNode(t, "n1")
			n.change(func() { n.given.MaxAge = 1 })
			n.set("192.0.2.1")
			r := newResolver(t, func(o *resolve.Options) { o.AfterExpiry = tt.after }, n)
			require.Equal(t, "192.0.2.1", first(t, r))
			n.change(func() { n.status = http.StatusServiceUnavailable })
			n.CloseClientConnections()
			s, err := r.Lookup(t.Context(), "www.example.org")
			require.NoError(t, err)
			eventually(t, "its expiry", func() bool { return s.Expired(time.Now().Add(-10 * time.Millisecond)) })
			_, err = r.LookupNetIP(t.Context(), "ip", "www.example.org")
			require.ErrorIs(t, err, tt.err)
		})
	}
}

// TestLease: what is renewed does not expire.
func TestLease(t *testing.T) {
	n := startNode(t, "n1")
	n.change(func() { n.given.MaxAge = 1 })
	n.set("192.0.2.1")
	r := newResolver(t, func(o *resolve.Options) { o.AfterExpiry = -1 }, n)
	// The real clock has to pass what was given first, twice over: a lease is renewed each 100 ms.
	for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		require.Equal(t, "192.0.2.1", first(t, r))
	}
}

// TestOtherNames: what is in no zone of the options, or what the nodes do not know, is looked up as ever.
func TestOtherNames(t *testing.T) {
	n := startNode(t, "n1", "192.0.2.1")
	r := newResolver(t, func(o *resolve.Options) { o.Zones = nil }, n)
	addrs, err := r.LookupNetIP(t.Context(), "ip4", "localhost")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", addrs[0].Unmap().String())
	_, err = r.Lookup(t.Context(), "localhost")
	require.ErrorIs(t, err, resolve.ErrNoService)
	r = newResolver(t, nil, n)
	streams := func() int { n.mu.Lock(); defer n.mu.Unlock(); return n.streams }
	was := streams()
	_, err = r.LookupNetIP(t.Context(), "ip4", "localhost")
	require.NoError(t, err)
	require.Equal(t, was, streams())
	n.change(func() { n.status = http.StatusUnauthorized })
	r = newResolver(t, func(o *resolve.Options) { o.FirstWait = 50 * time.Millisecond }, n)
	_, err = r.Lookup(t.Context(), "www.example.org")
	require.ErrorIs(t, err, resolve.ErrNoWord)
}

// TestOptions: what would send a token in clear is refused.
func TestOptions(t *testing.T) {
	for _, nodes := range [][]string{nil, {"n1"}, {"https://u:p@n1:1"}, {"https://n1:1/path"}, {"ftp://n1:1"}, {"http://192.0.2.1:1"}} {
		_, err := resolve.New(resolve.Options{Nodes: nodes, Token: "secret"})
		require.Error(t, err, "%v", nodes)
	}
}

// backend answers with its address; block holds requests to /slow until it is closed.
func backend(t *testing.T, address string, block chan struct{}, state func(net.Conn, http.ConnState)) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp4", address)
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-block
		}
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", l.Addr().(*net.TCPAddr).IP, b)
	}))
	s.Listener.Close()
	s.Listener, s.Config.ConnState = l, state
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// pair is two backends at one port.
func pair(t *testing.T, block chan struct{}, state func(net.Conn, http.ConnState)) (one, two *httptest.Server, port string) {
	t.Helper()
	one = backend(t, "127.0.9.1:0", block, state)
	_, port, _ = net.SplitHostPort(one.Listener.Addr().String())
	return one, backend(t, "127.0.9.2:"+port, block, nil), port
}

// TestTransport: requests go to who is in service when they are sent, by weight; what has left keeps no idle connection; the
// acknowledgement waits for who chose before.
func TestTransport(t *testing.T) {
	block := make(chan struct{})
	var mu sync.Mutex
	conns := map[net.Conn]http.ConnState{}
	_, _, port := pair(t, block, func(c net.Conn, s http.ConnState) { mu.Lock(); defer mu.Unlock(); conns[c] = s })
	n := startNode(t, "n1", "127.0.9.1=3", "127.0.9.2")
	r := newResolver(t, nil, n)
	transport := r.NewTransport(nil)
	defer transport.Close()
	c := &http.Client{Transport: transport}
	get := func(path, body string) string {
		resp, err := c.Post("http://www.example.org:"+port+path, "text/plain", strings.NewReader(body))
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(b)
	}
	count := map[string]int{}
	for range 400 {
		count[get("/", "x")]++
	}
	require.InDelta(t, 300, count["127.0.9.1 x"], 50)
	require.Equal(t, 400, count["127.0.9.1 x"]+count["127.0.9.2 x"])

	// One request stays under way there while it leaves.
	slow := make(chan string, 1)
	n.set("127.0.9.1")
	eventually(t, "the first one alone", func() bool { return get("/", "") == "127.0.9.1 " && first(t, r) == "127.0.9.1" })
	go func() { slow <- get("/slow", "y") }()
	eventually(t, "it is under way", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range conns {
			if s == http.StateActive {
				return true
			}
		}
		return false
	})
	version := n.set("127.0.9.2")
	eventually(t, "the change", func() bool { return first(t, r) == "127.0.9.2" })
	for range 50 {
		require.Equal(t, "127.0.9.2 z", get("/", "z"))
	}
	eventually(t, "the acknowledgement: what is under way has been sent", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return !n.acks[version].IsZero() })
	close(block)
	require.Equal(t, "127.0.9.1 y", <-slow)
	eventually(t, "no connection is left", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range conns {
			if s == http.StateIdle || s == http.StateActive {
				return false
			}
		}
		return true
	})
}

// TestNextEndpoint: a request whose connection is refused goes to the next endpoint, its body too.
func TestNextEndpoint(t *testing.T) {
	one, _, port := pair(t, nil, nil)
	one.Close()
	n := startNode(t, "n1", "127.0.9.1", "127.0.9.2")
	r := newResolver(t, nil, n)
	transport := r.NewTransport(nil)
	defer transport.Close()
	for range 20 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://www.example.org:"+port+"/", io.NopCloser(bytes.NewBufferString("body")))
		require.NoError(t, err)
		resp, err := (&http.Client{Transport: transport}).Do(req)
		require.NoError(t, err)
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.Equal(t, "127.0.9.2 body", string(b))
		c, err := r.DialContext(t.Context(), "tcp", "www.example.org:"+port)
		require.NoError(t, err)
		require.Equal(t, "127.0.9.2:"+port, c.RemoteAddr().String())
		c.Close()
	}
}

// TestSticky: a client stays with one endpoint for as long as it is there.
func TestSticky(t *testing.T) {
	n := startNode(t, "n1")
	n.change(func() { n.given.Sticky = true })
	n.set("192.0.2.1", "192.0.2.2", "192.0.2.3")
	r := newResolver(t, nil, n)
	mine := first(t, r)
	for range 50 {
		require.Equal(t, mine, first(t, r))
	}
	var others []string
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
		if a != mine {
			others = append(others, a)
		}
	}
	n.set(others...)
	eventually(t, "another one", func() bool { return first(t, r) != mine })
	mine = first(t, r)
	for range 50 {
		require.Equal(t, mine, first(t, r))
	}
}

// TestWatch: who watches is told of each change once, and a change is acknowledged after that.
func TestWatch(t *testing.T) {
	n := startNode(t, "n1", "192.0.2.1")
	r := newResolver(t, nil, n)
	hold := make(chan struct{})
	told := make(chan string, 10)
	stop := r.Watch("www.example.org", func(s *resolve.State) {
		told <- s.Given.ETag
		if s.Given.ETag == "192.0.2.2" {
			<-hold
		}
	})
	require.Equal(t, "192.0.2.1", <-told)
	version := n.set("192.0.2.2")
	require.Equal(t, "192.0.2.2", <-told)
	// That nothing comes cannot be awaited: over loopback an acknowledgement takes a millisecond.
	time.Sleep(200 * time.Millisecond)
	n.change(func() { require.NotContains(t, n.acks, version, "it is not in use yet") })
	close(hold)
	eventually(t, "the acknowledgement", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return !n.acks[version].IsZero() })
	stop()
	n.set("192.0.2.3")
	eventually(t, "the change", func() bool { return first(t, r) == "192.0.2.3" })
	require.Empty(t, told)
}

func ExampleResolver_NewTransport() {
	r, err := resolve.New(resolve.Options{
		Nodes: []string{"https://n1.example.org:8444", "https://n2.example.org:8444"},
		Token: "secret", Zones: []string{"gslb.example.org"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	transport := r.NewTransport(nil)
	defer transport.Close()
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	// Each request goes to an endpoint that is in service now.
	resp, err := client.Get("https://www.gslb.example.org/")
	if err == nil {
		resp.Body.Close()
	}
}

func ExampleResolver_LookupNetIP() {
	r, err := resolve.New(resolve.Options{Nodes: []string{"https://n1.example.org:8444"}, Token: "secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	addrs, err := r.LookupNetIP(context.Background(), "ip4", "www.gslb.example.org")
	fmt.Println(addrs, err)
}
