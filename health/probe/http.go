package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http2"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// maxInterim is how many interim answers (status 1xx) a peer may send before the final one.
const maxInterim = 5

// An httpChecker sends one HTTP/1.1 request and judges the answer. net/http writes the request and parses the answer, but
// over our own connection: http.Transport takes a third more CPU time and five times the memory (BenchmarkTransport), and
// its goroutines let go of a connection when they like. The body is read only where the check expects something in it.
type httpChecker struct {
	dial *dialer
	// tls is nil for type http.
	tls *tlsPart
	// request is shared by all probes and never written. Its Host is empty when the target's address is to be named.
	request *http.Request
	status  []config.StatusRange
	want    []byte
	// http2 speaks HTTP/2 instead.
	http2 bool
	// port is the one that a Host header need not name.
	port uint16
}

func newHTTPChecker(check *config.Check, dial *dialer) (checker, error) {
	h := check.HTTP
	if h == nil {
		return nil, errors.New("check has no HTTP part")
	}
	u, err := url.ParseRequestURI(h.Path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	c := &httpChecker{dial: dial, status: h.Status, want: []byte(h.Body), port: 80}
	c.request = &http.Request{
		Method: h.Method, URL: u, Host: h.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header: http.Header{"User-Agent": {"fairlead"}, "Accept-Encoding": {"identity"}, "Accept": {"*/*"}},
	}
	own := map[string]bool{}
	for _, f := range h.Headers {
		key := http.CanonicalHeaderKey(f.Name)
		if !own[key] {
			c.request.Header.Del(key)
		}
		own[key] = true
		c.request.Header.Add(key, f.Value)
	}
	if check.Type != config.CheckHTTPS {
		return c, nil
	}
	c.port = 443
	name := hostOf(h.Host)
	if check.TLS != nil && check.TLS.ServerName != "" {
		name = check.TLS.ServerName
	}
	protocol := "http/1.1"
	if c.http2 = h.HTTP2; c.http2 {
		protocol = http2.NextProtoTLS
	}
	if c.tls, err = newTLSPart(check.TLS, name, protocol); err == nil && c.http2 {
		c.tls.protocol = protocol
	}
	return c, err
}

// hostOf is the host of a Host header, without port and brackets.
func hostOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

// hostHeader names target where the check names no host.
func (c *httpChecker) hostHeader(target health.Target) string { return hostPort(target, c.port) }

// hostPort is target's host, with its port unless that is the usual one.
func hostPort(target health.Target, usual uint16) string {
	host := strings.TrimSuffix(target.Host, ".")
	if target.Port != 0 && target.Port != usual {
		return net.JoinHostPort(host, strconv.Itoa(int(target.Port)))
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func (c *httpChecker) probe(ctx context.Context, target health.Target, r *Result) {
	conn, end, ok := connect(ctx, c.dial, c.tls, target, r)
	if !ok {
		return
	}
	defer end()
	request := c.request
	if request.Host == "" {
		request = request.WithContext(ctx) // a shallow copy
		request.Host = c.hostHeader(target)
	}
	if c.http2 {
		c.probeHTTP2(ctx, conn, request, target, r)
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	m := newMeter(conn)
	defer func() { r.Phases.FirstByte = m.firstByte() }()
	s.out.Reset()
	if err := request.Write(&s.out); err != nil {
		r.fail(because(Unsupported, "request: %v", err))
		return
	}
	if _, err := conn.Write(s.out.Bytes()); err != nil {
		r.fail(brokenReason(err, stepFirstByte, target))
		return
	}
	s.in.Reset(m)
	defer s.in.Reset(nil)
	// The body is not closed: that would read the rest of it. The connection is ours, and ends with the probe.
	answer, err := readAnswer(m, s, request)
	if err != nil {
		r.fail(headerReason(err, m, target))
		return
	}
	m.left = MaxBody + maxFraming
	c.judge(answer, s, target, r)
}

// readAnswer reads the header of the final answer. All headers together may have MaxHeader octets.
func readAnswer(m *meter, s *scratch, request *http.Request) (*http.Response, error) {
	m.left = MaxHeader
	for range maxInterim {
		answer, err := http.ReadResponse(s.in, request)
		if err != nil {
			return nil, err
		}
		if answer.StatusCode >= 200 || answer.StatusCode == http.StatusSwitchingProtocols {
			return answer, nil
		}
	}
	return nil, fmt.Errorf("more than %d interim answers", maxInterim)
}

// headerReason says why there is no header.
func headerReason(err error, m *meter, target health.Target) Reason {
	if m.err != nil {
		err = m.err
	}
	switch {
	case m.got == 0:
		return brokenReason(err, stepFirstByte, target)
	case errors.Is(err, errTooLong):
		return because(Protocol, "protocol error in header: longer than %d octets", MaxHeader)
	}
	return brokenReason(err, stepHeader, target)
}

// judge compares the answer with what the check expects.
func (c *httpChecker) judge(answer *http.Response, s *scratch, target health.Target, r *Result) {
	if !accepted(c.status, answer.StatusCode) {
		r.fail(statusReason(answer, c.status))
		return
	}
	if len(c.want) == 0 {
		return
	}
	found, n, err := search(io.LimitReader(answer.Body, MaxBody), c.want, s.body[:])
	switch {
	case found:
	case err != nil && !ended(err):
		r.fail(brokenReason(err, stepBody, target))
	default:
		r.fail(mismatch(c.want, s.body[:n]))
	}
}

func accepted(ranges []config.StatusRange, status int) bool {
	for _, want := range ranges {
		if want.First <= status && status <= want.Last {
			return true
		}
	}
	return false
}

// statusReason says which status came and which was wanted.
func statusReason(answer *http.Response, ranges []config.StatusRange) Reason {
	if to := answer.Header.Get("Location"); to != "" && answer.StatusCode/100 == 3 {
		return because(Redirect, "status %d, a redirect to %q, is not followed", answer.StatusCode, clip(to, 100))
	}
	want := make([]string, len(ranges))
	for i, s := range ranges {
		want[i] = strconv.Itoa(s.First)
		if s.Last != s.First {
			want[i] += "-" + strconv.Itoa(s.Last)
		}
	}
	return because(Status, "status %d, want %s", answer.StatusCode, strings.Join(want, " or "))
}
