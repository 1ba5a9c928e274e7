package integration

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// eventZone has one endpoint, which the test breaks and heals.
const eventZone = `zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
checks: {web: {type: http, port: %s, path: /, interval: 1s, timeout: 500ms, fall: 2, rise: 1}}
pools: {web: {region: eu, check: web, endpoints: [{name: one, addresses: [127.0.0.1], az: eu-a}]}}
services: {www: {tiers: [{web: 1}], ttl: {max: 5s, min: 1s}}}
`

// A hookReceiver notes what it is told; while it is away it answers 503.
type hookReceiver struct {
	secret string

	mu   sync.Mutex
	away bool     // guarded by mu, as is the rest
	got  []string // types, in order
	bad  []string // what was wrong with a signature or an envelope
	seen int      // attempts
}

func (h *hookReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen++
	if h.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var e struct{ SpecVersion, Type, Subject string }
	if err != nil || json.Unmarshal(body, &e) != nil || e.SpecVersion != "1.0" || r.Header.Get("Content-Type") != "application/cloudevents+json" {
		h.bad = append(h.bad, fmt.Sprintf("%v: %s", r.Header, body))
	}
	// As docs/hooks.md says, and not with the code that signs.
	stamp, sum, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Fairlead-Signature"), "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte(h.secret))
	fmt.Fprintf(mac, "%s.%s", stamp, body)
	unix, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(unix, 0)).Abs() > 5*time.Minute || hex.EncodeToString(mac.Sum(nil)) != sum {
		h.bad = append(h.bad, "signature "+r.Header.Get("Fairlead-Signature"))
	}
	h.got = append(h.got, strings.TrimPrefix(e.Type, "dev.fairlead.")+" "+e.Subject)
}

func (h *hookReceiver) setAway(away bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away, h.seen = away, 0
}

func (h *hookReceiver) state() (got []string, attempts int, bad []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.got...), h.seen, h.bad
}

// A breakable answers 200, or 500 while it is broken.
type breakable struct {
	mu     sync.Mutex
	broken bool
}

func (b *breakable) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (b *breakable) set(broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = broken
}

// A hook is told, signed, that an endpoint broke; what happens while its receiver is away, over a restart of the node, it is told
// in order afterwards.
func TestHook(t *testing.T) {
	waits(t)
	endpoint, to := new(breakable), &hookReceiver{secret: "hush"}
	web, receiver := httptest.NewServer(endpoint), httptest.NewServer(to)
	defer web.Close()
	defer receiver.Close()
	_, port, err := net.SplitHostPort(web.Listener.Addr().String())
	require.NoError(t, err)

	dir := t.TempDir()
	secret, node := filepath.Join(dir, "secret"), filepath.Join(dir, "node.yaml")
	require.NoError(t, os.WriteFile(secret, []byte("hush\n"), 0o600))
	require.NoError(t, os.WriteFile(node, fmt.Appendf(nil, `name: n1
hooks: [{name: pager, url: "%s/x", insecure: true, secret_file: %s, events: [endpoint.down, endpoint.up], timeout: 2s}]
`, receiver.URL, secret), 0o600))
	text := strings.Replace(corefile, "\t\tzones DIR", "\t\tnode "+node+"\n\t\tzones DIR", 1)
	p := startServe(t, true, text, map[string]string{"storm.yaml": fmt.Sprintf(eventZone, port)})
	p.awaitHealthy()
	told := func(want int) []string {
		t.Helper()
		var got []string
		await(t, fmt.Sprintf("%d deliveries", want), func() bool { got, _, _ = to.state(); return len(got) >= want })
		return got
	}
	const up, down = "endpoint.up storm.example.org/web/one", "endpoint.down storm.example.org/web/one"
	require.Equal(t, []string{up}, told(1))
	endpoint.set(true)
	require.Equal(t, []string{up, down}, told(2))

	to.setAway(true)
	endpoint.set(false)
	await(t, "an attempt at the receiver that is away", func() bool { _, n, _ := to.state(); return n > 0 })
	p.awaitHealthy()
	endpoint.set(true)
	await(t, "both events in the queue", func() bool {
		out, code := run(t, p.bin, "hooks", "--server", "unix:"+p.socket, "-o", "json")
		var h api.Hooks
		return code == 0 && json.Unmarshal([]byte(out), &h) == nil && len(h.Hooks) == 1 && h.Hooks[0].Waiting == 2 && h.Hooks[0].LastError != ""
	})
	p.stop()
	again := &process{bin: p.bin, dir: p.dir, socket: p.socket, dns: p.dns}
	start(t, again, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
	await(t, "an attempt of the new process", func() bool { return again.status() != nil })
	to.setAway(false)
	require.Equal(t, []string{up, down, up, down}, told(4)[:4])
	_, _, bad := to.state()
	require.Empty(t, bad)
	require.NotContains(t, p.output()+again.output(), "hush")
}

// streamed reads a stream from after, until it has n events or the node ends; the id of each is to be greater than the one before.
func streamed(t *testing.T, p *process, after uint64, n int) []api.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://fairlead"+api.EventsPath, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Last-Event-ID", strconv.FormatUint(after, 10))
	resp, err := c.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	var got []api.Event
	lines := bufio.NewScanner(resp.Body)
	for len(got) < n && lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var e api.Event
		require.NoError(t, json.Unmarshal(data, &e))
		require.Greater(t, e.Seq, after)
		after, got = e.Seq, append(got, e)
	}
	require.Len(t, got, n, "the stream ended early: %v", lines.Err())
	return got
}

// Who followed up to some event gets everything after it from the process after a restart, each once, and then what is new.
func TestEventStreamOverARestart(t *testing.T) {
	waits(t)
	p := startServe(t, true, corefile, map[string]string{"storm.yaml": orderZone})
	p.awaitHealthy()
	drain := func(p *process, reason string) {
		t.Helper()
		out, code := run(t, p.bin, "drain", "endpoint", "storm.example.org/web/one", "--reason", reason, "--for", "10m", "--override", "keep_azs", "--server", "unix:"+p.socket)
		require.Zero(t, code, out)
	}
	list := func(p *process) (all api.Events) {
		t.Helper()
		out, code := run(t, p.bin, "events", "-n", "1000", "-o", "json", "--server", "unix:"+p.socket)
		require.Zero(t, code, out)
		for dec := json.NewDecoder(strings.NewReader(out)); ; {
			var e api.Event
			if err := dec.Decode(&e); err == io.EOF {
				return all
			} else {
				require.NoError(t, err)
			}
			all.Events = append(all.Events, e)
		}
	}
	drain(p, "CHG-1")
	before := list(p).Events
	first := streamed(t, p, 0, len(before))
	require.Equal(t, before, first)
	cursor := first[len(first)/2].Seq
	p.stop()
	again := &process{bin: p.bin, dir: p.dir, socket: p.socket, dns: p.dns}
	start(t, again, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
	await(t, "the node after the restart", func() bool { return again.status() != nil })
	drain(again, "CHG-2")
	var want []api.Event
	for _, e := range list(again).Events {
		if e.Seq > cursor {
			want = append(want, e)
		}
	}
	require.Equal(t, before[len(first)/2+1:], want[:len(before)-len(first)/2-1], "what the process before told is all there")
	require.Equal(t, want, streamed(t, again, cursor, len(want)))
	require.Contains(t, want[len(want)-1].Text+want[len(want)-2].Text, "CHG-2")
}
