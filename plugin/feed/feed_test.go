package feed

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/token"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/feed/wire"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

const zoneText = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [a, b]}, us: {azs: [c]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: a, weight: 3}, {name: two, addresses: [192.0.2.2, "2001:db8::2"], az: b}]}
  far: {region: us, endpoints: [{name: three, addresses: [192.0.2.3], az: c}]}
services:
  www: {tiers: [{web: 1}, {far: 1}], ttl: {max: 30s, min: 2s}}
  srv: {tiers: [{web: 1}], ttl: {max: 30s, min: 2s}, srv: {port: 443}}
  local:
    tiers: [{web: 1}]
    ttl: {max: 30s, min: 2s}
    clients: [{match: {cidr: [198.51.100.0/24]}, tiers: [{far: 1}]}]
records: [{name: txt, type: TXT, data: hello, ttl: 5m}]
`

// A site is a node as a feed sees it. Drained endpoints are by name.
type site struct {
	t        testing.TB
	current  *answer.Current
	compiler *answer.Compiler
	zone     *config.Zone
	hub      *Hub
	drained  map[string]bool
	isShut   atomic.Bool
	server   *Server
	http     *httptest.Server
}

func newSite(t testing.TB) *site { return newSiteOf(t, zoneText, false) }

func newSiteOf(t testing.TB, text string, next bool) *site {
	z, problems := config.Parse("example.yaml", []byte(text), config.ParseOptions{})
	require.NoError(t, problems.Err())
	s := &site{t: t, current: new(answer.Current), compiler: answer.NewCompiler("n1", time.Now()), zone: z, hub: NewHub(), drained: make(map[string]bool)}
	if next {
		s.compiler.TellNext()
	}
	s.swap()
	tokens, err := token.Open(t.TempDir() + "/tokens.json")
	require.NoError(t, err)
	s.server, err = New(Options{Config: &config.Feed{Connections: 100, PerClient: 100, Rate: 1000}, Source: s, Tokens: tokens, Hub: s.hub})
	require.NoError(t, err)
	s.http = httptest.NewServer(s.server.handler())
	t.Cleanup(s.http.Close)
	return s
}

func (s *site) Enter(stripe uint32) answer.Lease { return s.current.Enter(stripe) }
func (s *site) Terms() (steer.Locator, bool)     { return nil, s.isShut.Load() }
func (s *site) Name() string                     { return "n1" }
func (s *site) Allowances() steer.Allowances     { return steer.DefaultAllowances() }

func (s *site) until(h ledger.Holding) time.Time { return s.compiler.Ledger().Until(s.slot(h)) }

// stamped waits until a holding may be kept for about so long: a reply is stamped after it was written.
func (s *site) stamped(h ledger.Holding, about time.Duration) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		return time.Until(s.until(h)) > about-2*time.Second && time.Until(s.until(h)) < about+2*time.Second
	}, time.Minute, time.Millisecond)
}

// slot is that of a holding that a snapshot has.
func (s *site) slot(h ledger.Holding) ledger.Slot {
	l := s.compiler.Ledger()
	slot := l.Acquire(h.Key())
	l.Release([]ledger.Slot{slot})
	return slot
}

// swap serves what is not drained.
func (s *site) swap(drain ...string) {
	for _, name := range drain {
		s.drained[name] = true
	}
	zv := &health.ZoneView{Zone: s.zone}
	for _, p := range s.zone.Pools {
		pv := &health.PoolView{At: time.Now(), Calm: true}
		for _, e := range p.Endpoints {
			pv.Endpoints = append(pv.Endpoints, health.EndpointView{Verdict: health.Verdict{State: health.Up, Unmonitored: true, Since: time.Now()}, Drained: s.drained[e.Name]})
		}
		zv.Pools = append(zv.Pools, pv)
	}
	publisher := &answer.Publisher{Compiler: s.compiler, Current: s.current, Swapped: func(left []ledger.Departed) { s.hub.Swapped(left, time.Now()) }}
	publisher.Publish(&health.View{Generation: 1, At: time.Now(), Model: config.NewModel([]*config.Zone{s.zone}), Zones: []*health.ZoneView{zv}}, nil)
}

// get is a reply and its body.
func (s *site) get(path string, header ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.http.URL+path, nil)
	require.NoError(s.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	require.NoError(s.t, err)
	return r, string(body)
}

func TestResolve(t *testing.T) {
	s := newSite(t)
	count := make(map[string]int)
	for range 8 {
		r, body := s.get("/resolve?name=www.example.org")
		require.Equal(t, 200, r.StatusCode, body)
		var out wire.Resolution
		require.NoError(t, json.Unmarshal([]byte(body), &out))
		require.Len(t, out.Answer, 1)
		require.Equal(t, wire.RR{Name: "www.example.org.", Type: 1, TypeName: "A", Class: 1, TTL: 30, Wire: out.Answer[0].Wire, Data: out.Answer[0].Data}, out.Answer[0])
		require.EqualValues(t, 30, out.Given.MaxAge)
		require.Equal(t, "tier", out.Given.Source)
		require.Empty(t, out.Given.Sets, "this client was given one record")
		require.Equal(t, `"`+out.Given.ETag+`"`, r.Header.Get("ETag"))
		require.Equal(t, "private, max-age=30", r.Header.Get("Cache-Control"))
		count[out.Answer[0].Data]++
	}
	require.Equal(t, map[string]int{"192.0.2.1": 6, "192.0.2.2": 2}, count, "the shares are those of DNS, exactly")
	s.stamped(ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.1"}, 30*time.Second)
	require.Zero(t, s.until(ledger.Holding{Owner: "www.example.org.", RData: "2001:db8::2"}), "nobody was given that")

	_, body := s.get("/resolve?name=WWW.example.org.&type=AAAA&set=all")
	var out wire.Resolution
	require.NoError(t, json.Unmarshal([]byte(body), &out))
	require.Equal(t, map[string][]wire.Member{
		"A":    {{Data: "192.0.2.1", Weight: 3, Endpoint: "example.org/web/one", Region: "eu", AZ: "a"}, {Data: "192.0.2.2", Weight: 1, Endpoint: "example.org/web/two", Region: "eu", AZ: "b"}},
		"AAAA": {{Data: "2001:db8::2", Weight: 1, Endpoint: "example.org/web/two", Region: "eu", AZ: "b"}},
	}, out.Given.Sets)
	require.Equal(t, "2001:db8::2", out.Answer[0].Data)

	_, body = s.get("/resolve?name=srv.example.org&type=SRV&set=all")
	require.NoError(t, json.Unmarshal([]byte(body), &out))
	require.Contains(t, out.Given.Sets["SRV"][0].Data, " 443 one.web.example.org.")
	_, body = s.get("/resolve?name=local.example.org&client=198.51.100.7")
	require.Contains(t, body, `"rdataA":"192.0.2.3"`)
	require.Contains(t, body, `"class":"rule 1"`)
	_, body = s.get("/resolve?name=txt.example.org&type=txt")
	require.Contains(t, body, `"rdataTXT":"\"hello\""`)
	require.NotContains(t, body, "fairlead")
	_, body = s.get("/resolve?name=none.example.org")
	require.Contains(t, body, `"RCODE":3`)
}

// TestRevalidation: who has the sets already is told that they hold for longer, and all of them are stamped.
func TestRevalidation(t *testing.T) {
	s := newSite(t)
	r, _ := s.get("/resolve?name=www.example.org")
	two := ledger.Holding{Owner: "www.example.org.", RData: "2001:db8::2"}
	require.Zero(t, s.until(two))
	r, body := s.get("/resolve?name=www.example.org", "If-None-Match", r.Header.Get("ETag"))
	require.Equal(t, http.StatusNotModified, r.StatusCode)
	require.Empty(t, body)
	require.Equal(t, "private, max-age=30", r.Header.Get("Cache-Control"))
	s.stamped(two, 30*time.Second)
	s.swap("one")
	r, _ = s.get("/resolve?name=www.example.org", "If-None-Match", r.Header.Get("ETag"))
	require.Equal(t, http.StatusOK, r.StatusCode)
}

func TestResolveRefuses(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]int{
		"/resolve": 400, "/resolve?name=" + strings.Repeat("x", 64): 400, "/resolve?name=www.example.org&type=nope": 400, "/resolve?name=www.example.org&client=me": 400,
		"/resolve?name=www.example.org&set=some": 400, "/resolve?name=www.example.net": 404, "/nothing": 404,
		"/resolve/watch": 400, "/resolve/watch?name=txt.example.org": 404, "/resolve/watch?name=www.example.org&name=none.example.org": 404,
		"/resolve/watch?" + strings.Repeat("name=www.example.org&", wire.MaxNames+1): 400,
		"/dns-query": 400, "/dns-query?dns=AAAA": 400,
	} {
		r, body := s.get(path)
		require.Equal(t, want, r.StatusCode, path)
		require.Less(t, len(body), 300)
	}
	s.isShut.Store(true)
	for _, path := range []string{"/resolve?name=www.example.org", "/resolve/watch?name=www.example.org"} {
		r, _ := s.get(path)
		require.Equal(t, 503, r.StatusCode, path)
		require.Empty(t, r.Header.Get("ETag"))
	}
	require.Zero(t, s.until(ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.1"}), "nothing was given")
}

func TestQuery(t *testing.T) {
	s := newSite(t)
	m := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
	m.Id = 0
	packed, err := m.Pack()
	require.NoError(t, err)
	r, body := s.get("/dns-query?dns=" + base64.RawURLEncoding.EncodeToString(packed))
	require.Equal(t, 200, r.StatusCode)
	require.Equal(t, "application/dns-message", r.Header.Get("Content-Type"))
	require.Equal(t, "private, max-age=30", r.Header.Get("Cache-Control"))
	require.NoError(t, m.Unpack([]byte(body)))
	require.Len(t, m.Answer, 1)
	s.stamped(ledger.Holding{Owner: "www.example.org.", RData: m.Answer[0].(*dns.A).A.String()}, 30*time.Second)

	m = new(dns.Msg).SetQuestion("none.example.org.", dns.TypeA)
	m.SetEdns0(1232, true)
	packed, err = m.Pack()
	require.NoError(t, err)
	r, err = http.Post(s.http.URL+"/dns-query", "application/dns-message", strings.NewReader(string(packed)))
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, m.Unpack(b))
	require.Equal(t, dns.RcodeNameError, m.Rcode)
	require.Equal(t, "private, max-age=10", r.Header.Get("Cache-Control"))
}

// A stream is a subscriber.
type stream struct {
	t      testing.TB
	body   *bufio.Scanner
	cancel context.CancelFunc
	hello  wire.Hello
}

func (s *site) subscribe(path string) *stream {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.http.URL+path, nil)
	require.NoError(s.t, err)
	r, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	require.Equal(s.t, 200, r.StatusCode)
	st := &stream{t: s.t, body: bufio.NewScanner(r.Body), cancel: cancel}
	s.t.Cleanup(func() { cancel(); r.Body.Close() })
	require.Equal(s.t, wire.EventHello, st.next(&st.hello))
	return st
}

// next is the next event, with its data.
func (st *stream) next(data any) (kind string) {
	st.t.Helper()
	for st.body.Scan() {
		line := st.body.Text()
		switch {
		case strings.HasPrefix(line, "event: "):
			kind = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			require.NoError(st.t, json.Unmarshal([]byte(line[len("data: "):]), data))
		case line == "" && kind != "":
			return kind
		}
	}
	return ""
}

// given is the next change; leases are passed over.
func (st *stream) given() (c wire.Change) {
	st.t.Helper()
	for {
		var raw json.RawMessage
		switch kind := st.next(&raw); kind {
		case wire.EventLease:
		case wire.EventGiven:
			require.NoError(st.t, json.Unmarshal(raw, &c))
			return c
		default:
			st.t.Fatalf("event %q: %s", kind, raw)
		}
	}
}

func (s *site) post(a wire.Ack) int {
	b, err := json.Marshal(a)
	require.NoError(s.t, err)
	r, err := http.Post(s.http.URL+"/resolve/ack", "application/json", strings.NewReader(string(b)))
	require.NoError(s.t, err)
	r.Body.Close()
	return r.StatusCode
}

func TestWatch(t *testing.T) {
	s := newSite(t)
	st := s.subscribe("/resolve/watch?name=www.example.org&name=srv.example.org")
	first := st.given()
	require.Len(t, first.Given, 2)
	require.Len(t, first.Given[0].Sets["A"], 2)
	one := ledger.Holding{Owner: "www.example.org.", RData: "192.0.2.1"}
	s.stamped(one, 30*time.Second)
	require.Equal(t, http.StatusNoContent, s.post(wire.Ack{Subscriber: st.hello.Subscriber, Version: first.Version}))

	s.swap("one")
	second := st.given()
	require.Len(t, second.Given, 2)
	require.Equal(t, "192.0.2.2", second.Given[0].Sets["A"][0].Data)
	require.Len(t, second.Given[0].Sets["A"], 1)
	require.NotEqual(t, first.Given[0].ETag, second.Given[0].ETag)
	require.Equal(t, 1, s.hub.unconfirmed())
	require.Equal(t, http.StatusNoContent, s.post(wire.Ack{Subscriber: st.hello.Subscriber, Version: second.Version}))
	require.Zero(t, s.hub.unconfirmed())

	// What changes for others is nothing to tell.
	s.swap("three")
	var lease wire.Lease
	require.Equal(t, wire.EventLease, st.next(&lease))
	require.Len(t, lease.Names, 2)

	// A liar is no more believed, whatever it says.
	var n uint64
	_, err := fmt.Sscanf(second.Version, s.hub.life+"-%d", &n)
	require.NoError(t, err)
	require.Equal(t, http.StatusConflict, s.post(wire.Ack{Subscriber: st.hello.Subscriber, Version: versionText(s.hub.life, n+5)}))
	require.Equal(t, http.StatusNoContent, s.post(wire.Ack{Subscriber: st.hello.Subscriber, Version: second.Version}))
	require.Equal(t, 1, s.hub.unconfirmed())
	require.EqualValues(t, 1, testutil.ToFloat64(s.server.metrics.lies))
	require.Equal(t, http.StatusNotFound, s.post(wire.Ack{Subscriber: "x", Version: second.Version}))
	require.Equal(t, http.StatusNotFound, s.post(wire.Ack{Subscriber: st.hello.Subscriber, Version: "other-1"}))

	s.isShut.Store(true)
	s.swap()
	var end wire.End
	for kind := ""; kind != wire.EventEnd; {
		var raw json.RawMessage
		kind = st.next(&raw)
		require.NotEmpty(t, kind)
		_ = json.Unmarshal(raw, &end)
	}
	require.Equal(t, errShut.Error(), end.Reason)
}
