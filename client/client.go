package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// DefaultTimeout bounds a whole request: a node that needs longer is not well, and who asks must know it soon.
	DefaultTimeout = 10 * time.Second
	// maxReply bounds what is read of a reply, in octets: the status of 100,000 endpoints has some 40 MB.
	maxReply = 256 << 20
)

// Options say which node, and how. Server is required.
type Options struct {
	// Server is unix:PATH of an admin socket, or https://HOST:PORT.
	Server string
	// Token is a bearer token, for https: of the cluster, or of its OIDC issuer. TLS is the configuration for https, with a client
	// certificate if that is the login; nil for one that trusts the system's CAs.
	Token string
	TLS   *tls.Config
	// Actor is the person on whose word orders are given: it takes the place of the actor in each body that has one. Empty leaves it to who
	// fills the body.
	Actor string
	// Timeout bounds a request; zero means DefaultTimeout, negative no bound.
	Timeout time.Duration
	// Explain may put another error in the place of one that a method would return: with advice, for example. header is that of a reply
	// that says no; nil if there was none. Nil leaves errors as they are.
	Explain func(err error, header http.Header) error
}

// A Client asks one node.
type Client struct {
	opts Options
	// base begins the URLs.
	base string
	http *http.Client
}

// An UnreachableError says that no reply came.
type UnreachableError struct {
	// Server is the one of Options.
	Server string
	Err    error
}

func (e *UnreachableError) Error() string { return e.Server + ": " + e.Err.Error() }

func (e *UnreachableError) Unwrap() error { return e.Err }

// New makes a client; it asks nobody yet.
func New(opts Options) (*Client, error) {
	c := &Client{opts: opts}
	transport := &http.Transport{TLSClientConfig: opts.TLS, DisableKeepAlives: true}
	if path, ok := strings.CutPrefix(opts.Server, "unix:"); ok && path != "" {
		if opts.Token != "" || opts.TLS != nil {
			return nil, errors.New("the unix socket needs no login: Token and TLS are for https://HOST:PORT")
		}
		c.base = "http://fairlead"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}
	} else {
		u, err := url.Parse(opts.Server)
		if err != nil || u.Scheme != "https" || u.Port() == "" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery+u.Fragment != "" {
			return nil, fmt.Errorf("server %q: want unix:PATH or https://HOST:PORT", opts.Server)
		}
		c.base = "https://" + u.Host
	}
	timeout := max(opts.Timeout, 0)
	if opts.Timeout == 0 {
		timeout = DefaultTimeout
	}
	c.http = &http.Client{
		Timeout: timeout,
		// One request per connection: a program that watches lives longer than a node does.
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Transport is what carries the requests, for whoever hands others on.
func (c *Client) Transport() http.RoundTripper { return c.http.Transport }

// Wrap has every request go through what wrap makes of the transport: for traces and tests.
func (c *Client) Wrap(wrap func(http.RoundTripper) http.RoundTripper) {
	c.http.Transport = wrap(c.http.Transport)
}

type headerKey struct{}

// WithHeader is ctx for one request that has a header more: Idempotency-Key for a POST, If-Match, If-None-Match.
func WithHeader(ctx context.Context, name, value string) context.Context {
	h, _ := ctx.Value(headerKey{}).(http.Header)
	if h = h.Clone(); h == nil {
		h = make(http.Header)
	}
	h.Set(name, value)
	return context.WithValue(ctx, headerKey{}, h)
}

// Do sends in as JSON to a path of the API, unless in is nil, and decodes the reply into out, unless that is nil.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	return c.explain(c.do(ctx, method, path, in, out))
}

// explain is err as methods return it.
func (c *Client) explain(err error) error {
	var header http.Header
	if r, ok := errors.AsType[*refusal](err); ok {
		err, header = r.Problem, r.header
	}
	if err == nil || c.opts.Explain == nil {
		return err
	}
	return c.opts.Explain(err, header)
}

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, c.http, method, path, "application/json", in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxReply)).Decode(out); err != nil {
		return fmt.Errorf("%s %s: reply of %s: %w", method, path, c.opts.Server, err)
	}
	return nil
}

// text is the reply where it is no JSON.
func (c *Client) text(ctx context.Context, path string) (string, error) {
	resp, err := c.send(ctx, c.http, http.MethodGet, path, "*/*", nil)
	if err != nil {
		return "", c.explain(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return "", c.explain(&UnreachableError{c.opts.Server, err})
	}
	return string(b), nil
}

// A refusal is a reply that says no, with its header.
type refusal struct {
	*api.Problem
	header http.Header
}

// send sends a request; the reply says yes. Its body is for the caller to close.
func (c *Client) send(ctx context.Context, by *http.Client, method, path, accept string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := c.encode(in)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if h, ok := ctx.Value(headerKey{}).(http.Header); ok {
		req.Header = h.Clone()
	}
	req.Header.Set("Accept", accept)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.opts.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.opts.Token)
	}
	resp, err := by.Do(req)
	if err != nil {
		return nil, &UnreachableError{c.opts.Server, err}
	}
	if resp.StatusCode < http.StatusMultipleChoices {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, &refusal{problemOf(resp), resp.Header}
}

// encode is a body, with the person in it on whose word an order is given, where bodies name one.
func (c *Client) encode(in any) ([]byte, error) {
	text, err := json.Marshal(in)
	var doc map[string]any
	if err != nil || c.opts.Actor == "" || json.Unmarshal(text, &doc) != nil {
		return text, err
	}
	if _, ok := doc["actor"]; !ok {
		return text, nil
	}
	doc["actor"] = c.opts.Actor
	return json.Marshal(doc)
}

// problemOf decodes an error reply; what is no api.Problem becomes one.
func problemOf(resp *http.Response) *api.Problem {
	p := &api.Problem{Status: resp.StatusCode, Title: strings.ToLower(http.StatusText(resp.StatusCode))}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && media == api.ProblemType {
		var got api.Problem
		if json.NewDecoder(io.LimitReader(resp.Body, maxReply)).Decode(&got) == nil && got.Title != "" {
			p = &got
		}
	}
	return p
}
