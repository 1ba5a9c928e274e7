package probe

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// saying answers a request with text, and keeps the connection open.
func saying(text string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.WriteString(conn, text)
			hang(conn)
		}
	}
}

// then answers a request with text, and then does more.
func then(text string, more func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.WriteString(conn, text)
			more(conn)
		}
	}
}

// trickling sends text at one octet per 50 ms.
func trickling(text string) func(net.Conn) {
	return func(conn net.Conn) {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for i := range text {
			if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
				return
			}
			<-tick.C
		}
	}
}

// flooding sends text for ever.
func flooding(text string) func(net.Conn) {
	chunk := bytes.Repeat([]byte(text), 64<<10/len(text))
	return func(conn net.Conn) {
		for {
			if _, err := conn.Write(chunk); err != nil {
				return
			}
		}
	}
}

func TestHTTP(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nI am so ok!"
	wantOK := func(c *config.Check) { c.HTTP.Body = "ok" }
	tests := []struct {
		name   string
		serve  func(net.Conn)
		change func(*config.Check)
		// hurry is for what is meant to time out.
		hurry bool
		kind  Kind
		text  string
	}{
		{name: "ok", serve: saying(ok)},
		{name: "body found", serve: saying(ok), change: wantOK},
		{name: "body found in chunks", change: wantOK,
			serve: saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n")},
		{name: "body found before the end of an endless one", change: wantOK,
			serve: then("HTTP/1.1 200 OK\r\n\r\nok", flooding("y"))},
		{name: "interim answers are passed over", serve: saying("HTTP/1.1 103 Early Hints\r\n\r\n" + ok), change: wantOK},
		{name: "HEAD has no body", serve: saying("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
			change: func(c *config.Check) { c.HTTP.Method = "HEAD" }},
		{name: "a body that nobody expects is not read", serve: then("HTTP/1.1 204 No Content\r\n\r\n", flooding("y"))},
		{name: "second range", serve: saying("HTTP/1.1 401 Unauthorized\r\n\r\n"),
			change: func(c *config.Check) {
				c.HTTP.Status = []config.StatusRange{{First: 200, Last: 299}, {First: 401, Last: 401}}
			}},
		{name: "redirect in range", serve: saying("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"),
			change: func(c *config.Check) { c.HTTP.Status = []config.StatusRange{{First: 200, Last: 399}} }},

		{name: "status 503", serve: saying("HTTP/1.1 503 Service Unavailable\r\n\r\n"), kind: Status,
			text: "status 503, want 200-299"},
		{name: "status beside two ranges", serve: saying("HTTP/1.1 404 Not Found\r\n\r\n"),
			change: func(c *config.Check) {
				c.HTTP.Status = []config.StatusRange{{First: 200, Last: 200}, {First: 301, Last: 308}}
			}, kind: Status, text: "status 404, want 200 or 301-308"},
		{name: "redirect to itself", serve: saying("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"), kind: Redirect,
			text: `status 302, a redirect to "/", is not followed`},
		{name: "body mismatch", serve: saying("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"), change: wantOK,
			kind: BodyMismatch, text: `body mismatch: "ok" not in the 3 octets that came: "bad"`},
		{name: "10 MB body", serve: then("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n", flooding("y")), change: wantOK,
			kind: BodyMismatch, text: `body mismatch: "ok" not in the 5120 octets that came: "` + strings.Repeat("y", 32) + `"…`},
		{name: "10 MB header", serve: then("HTTP/1.1 200 OK\r\n", flooding("X-Y: z\r\n")), kind: Protocol,
			text: "protocol error in header: longer than 16384 octets"},
		{name: "endless header line", serve: then("HTTP/1.1 200 OK\r\n", flooding("y")), kind: Protocol,
			text: "protocol error in header: longer than 16384 octets"},
		{name: "endless interim answers", serve: then("", flooding("HTTP/1.1 103 Early Hints\r\n\r\n")), kind: Protocol,
			text: "protocol error in header: more than 5 interim answers"},
		{name: "not HTTP", serve: saying("SSH-2.0-OpenSSH_10.0\r\n"), kind: Protocol,
			text: `protocol error in header: malformed HTTP response "SSH-2.0-OpenSSH_10.0"`},
		{name: "closed without an answer", serve: then("", func(net.Conn) {}), kind: Closed,
			text: "connection closed before the first byte"},
		{name: "closed in header", serve: then("HTTP/1.1 200 OK\r\nServer:", func(net.Conn) {}), kind: Closed,
			text: "connection closed in header"},
		{name: "closed in body", serve: then("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nb", func(net.Conn) {}), change: wantOK,
			kind: Closed, text: "connection closed in body"},
		{name: "reset", serve: then("", func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }), kind: Closed,
			text: "connection reset before the first byte"},

		{name: "accepts and never answers", serve: hang, hurry: true, kind: FirstByteTimeout,
			text: "timeout after 500ms before the first byte"},
		{name: "slow loris", serve: then("", trickling("HTTP/1.1 200 OK\r\nServer: slow\r\n")), hurry: true, kind: HeaderTimeout,
			text: "timeout after 500ms in header"},
		{name: "dribbling body", serve: then("HTTP/1.1 200 OK\r\n\r\n", trickling(strings.Repeat("y", 100))), change: wantOK,
			hurry: true, kind: BodyTimeout, text: "timeout after 500ms in body"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := httpCheck(func(c *config.Check) {
				if test.hurry {
					c.Timeout = 500 * time.Millisecond
				}
				if test.change != nil {
					test.change(c)
				}
			})
			target := targetAt(t, check, listen(t, test.serve))
			if test.kind != None {
				got := wantFailure(t, target, test.kind, test.text)
				assert.Equal(t, test.hurry, got.Phases.Total >= check.Timeout)
				return
			}
			got := probeTimed(t, target)
			require.Equal(t, Reason{}, got.Reason)
			assert.True(t, got.OK)
			assert.Positive(t, got.Phases.Connect)
			assert.Positive(t, got.Phases.FirstByte)
			assert.Zero(t, got.Phases.TLS)
			assert.GreaterOrEqual(t, got.Phases.Total, got.Phases.Connect+got.Phases.FirstByte)
		})
	}
}

func TestHTTPRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	l.Close()
	wantFailure(t, targetAt(t, httpCheck(nil), address), Refused, "connection refused")
}

// TestHTTPRequest compares the whole request, as it is on the wire.
func TestHTTPRequest(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*config.HTTPCheck)
		want   string
	}{
		{"plain", func(*config.HTTPCheck) {}, "GET / HTTP/1.1\r\nHost: ADDRESS\r\nUser-Agent: fairlead\r\n" +
			"Connection: close\r\nAccept: */*\r\nAccept-Encoding: identity\r\n\r\n"},
		{"all", func(h *config.HTTPCheck) {
			h.Method, h.Path, h.Host = "POST", "/ready?deep=1", "www.example.org"
			h.Headers = []config.Header{
				{Name: "x-canary", Value: "dr"}, {Name: "x-canary", Value: "two"}, {Name: "user-agent", Value: "me"},
			}
		}, "POST /ready?deep=1 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: me\r\n" +
			"Connection: close\r\nContent-Length: 0\r\nAccept: */*\r\nAccept-Encoding: identity\r\nX-Canary: dr\r\nX-Canary: two\r\n\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := make(chan string, 1)
			address := listen(t, func(conn net.Conn) {
				b := make([]byte, 4096)
				n, _ := conn.Read(b)
				got <- string(b[:n])
				io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			})
			r := probeTimed(t, targetAt(t, httpCheck(func(c *config.Check) { test.change(c.HTTP) }), address))
			require.Equal(t, Reason{}, r.Reason)
			assert.Equal(t, strings.ReplaceAll(test.want, "ADDRESS", address), <-got)
		})
	}
}

func TestHostHeader(t *testing.T) {
	for _, test := range []struct {
		host string
		port uint16
		want string
	}{
		{"192.0.2.1", 80, "192.0.2.1"},
		{"192.0.2.1", 8080, "192.0.2.1:8080"},
		{"2001:db8::1", 80, "[2001:db8::1]"},
		{"2001:db8::1", 8080, "[2001:db8::1]:8080"},
		{"edge.example.net.", 80, "edge.example.net"},
		{"edge.example.net.", 81, "edge.example.net:81"},
	} {
		c := &httpChecker{port: 80}
		assert.Equal(t, test.want, c.hostHeader(target(httpCheck(nil), test.host, test.port)))
	}
}

// TestHTTPNoDecompression: a body is searched as it comes, and a bomb stays packed.
func TestHTTPNoDecompression(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, strings.Repeat("ok", 1<<20))
	z.Close()
	send := func(c net.Conn) { c.Write(packed.Bytes()) }
	address := listen(t, then("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", send))
	check := httpCheck(func(c *config.Check) { c.HTTP.Body = "ok" })
	wantFailure(t, targetAt(t, check, address), BodyMismatch,
		string(mismatch([]byte("ok"), packed.Bytes()[:min(packed.Len(), MaxBody)]).Text))
}

// TestHTTPNewConnectionPerProbe: keep-alive would hide that nobody accepts any more.
func TestHTTPNewConnectionPerProbe(t *testing.T) {
	var mu sync.Mutex
	peers := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		peers[r.RemoteAddr] = true
	}))
	defer server.Close()
	check := httpCheck(nil)
	target := targetAt(t, check, server.Listener.Addr().String())
	c, err := makeChecker(check, newDialer(Options{}))
	require.NoError(t, err)
	for range 5 {
		r := probeOnce(t.Context(), c, target)
		require.Equal(t, Reason{}, r.Reason)
	}
	mu.Lock()
	defer mu.Unlock()
	assert.Len(t, peers, 5)
}

// TestProbeEndsWithItsContext: nothing of a probe outlives Run, also in the middle of a read.
func TestProbeEndsWithItsContext(t *testing.T) {
	accepted := make(chan struct{}, 1)
	address := listen(t, func(conn net.Conn) { accepted <- struct{}{}; hang(conn) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan Result)
	go func() { done <- Once(ctx, targetAt(t, httpCheck(nil), address), Options{}) }()
	<-accepted
	begin := time.Now()
	cancel()
	assert.False(t, (<-done).OK)
	assert.Less(t, time.Since(begin), time.Second)
}

// TestProberOverSockets is the whole package at work: an endpoint answers, dies and returns.
func TestProberOverSockets(t *testing.T) {
	var mu sync.Mutex
	dead := false
	address := listen(t, func(conn net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		if !dead {
			then("HTTP/1.1 200 OK\r\n\r\n", func(net.Conn) {})(conn)
		}
	})
	check := httpCheck(func(c *config.Check) { c.Interval, c.Timeout, c.Fall = 50*time.Millisecond, 49*time.Millisecond, 2 })
	var seen recorder
	p, err := New(Options{Sink: &seen})
	require.NoError(t, err)
	p.SetTargets([]health.Target{targetAt(t, check, address)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	for _, want := range []health.State{health.Up, health.Down, health.Up} {
		require.Eventually(t, func() bool {
			seen := seen.take()
			return len(seen) > 0 && seen[len(seen)-1].State == want
		}, 10*time.Second, 20*time.Millisecond)
		mu.Lock()
		dead = !dead
		mu.Unlock()
	}
	require.NoError(t, p.Alive())
	cancel()
	require.NoError(t, <-done)
}
