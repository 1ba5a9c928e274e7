package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// systemSocket is where a node that the system started listens, as in deploy/systemd.
	systemSocket = "/run/fairlead/admin.sock"
	// systemState is the state directory of such a node.
	systemState = "/var/lib/fairlead"
	// serverEnv names the server when there is no --server.
	serverEnv = "FAIRLEAD_SERVER"
	// requestTimeout bounds a whole request; a node that needs longer is not well, and the operator must know it soon.
	requestTimeout = 10 * time.Second
	// maxReply bounds what is read of a reply: the status of 100,000 endpoints has some 40 MB.
	maxReply = 256 << 20
)

// findServer is the path of the admin socket to talk to, and where that was said: text by source, or the default one without a text.
func findServer(text, source string) (path, found string, err error) {
	if text != "" {
		return parseServer(text, source)
	}
	if _, err := os.Stat(systemSocket); err == nil {
		return systemSocket, "the system's socket", nil
	}
	return demoSocket(), "the demo's socket", nil
}

func parseServer(text, source string) (string, string, error) {
	path, ok := strings.CutPrefix(text, "unix:")
	if !ok || path == "" {
		return "", "", &exitError{Code: exitUsage, Err: fmt.Errorf("%s %q: want unix:PATH", source, text),
			Hint: "for example unix:" + systemSocket + "; commands that ask a node take https://HOST:PORT too"}
	}
	return path, source, nil
}

// A client talks HTTP over one unix socket, or to one node over TLS. It is safe for concurrent use.
type client struct {
	// socket is the path of the socket, or https://HOST:PORT, and source where that was said. base begins the URLs.
	socket, source, base string
	// token is the bearer token, if there is one.
	token string
	// as is the person on whose word orders are given; empty leaves it to who sends them.
	as string
	// demo is set for the control socket of the demo, which has other advice when nobody listens.
	demo bool
	http *http.Client
}

func clientAt(path, source string) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &client{socket: path, source: source, base: "http://fairlead", http: &http.Client{
		Timeout: requestTimeout,
		// One request per connection: --watch lives longer than a node does.
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
	}}
}

// prints makes cmd print what the node answers to a GET of path, as write does it or in another format.
func prints[T any](cmd *cobra.Command, path string, write func(d drawing, got *T)) {
	v := newViewer(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return v.run(cmd, func(ctx context.Context, c *client) (shown, error) {
			got := new(T)
			err := c.call(ctx, http.MethodGet, path, nil, got)
			return shown{doc: got, write: func(d drawing) { write(d, got) }}, err
		})
	}
}

// call sends in as JSON, unless it is nil, and decodes the reply into out. An error reply is an *api.Problem.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		if text, err = c.onWordOf(text); err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = strings.NewReader(string(text))
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c.authorize(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer resp.Body.Close()
	reply := io.LimitReader(resp.Body, maxReply)
	if resp.StatusCode >= 300 {
		return c.refused(problemOf(resp, reply), resp.Header)
	}
	if err := json.NewDecoder(reply).Decode(out); err != nil {
		return fmt.Errorf("%s %s: reply of %s: %w", method, path, c.socket, err)
	}
	return nil
}

// onWordOf is a body with the person in it on whose word an order is given, where bodies name one.
func (c *client) onWordOf(text []byte) ([]byte, error) {
	var doc map[string]any
	if c.as == "" || json.Unmarshal(text, &doc) != nil {
		return text, nil
	}
	if _, ok := doc["actor"]; !ok {
		return text, nil
	}
	doc["actor"] = c.as
	return json.Marshal(doc)
}

// problemOf decodes an error reply; what is no api.Problem becomes one.
func problemOf(resp *http.Response, body io.Reader) *api.Problem {
	p := &api.Problem{Status: resp.StatusCode, Title: strings.ToLower(http.StatusText(resp.StatusCode))}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && media == api.ProblemType {
		var got api.Problem
		if json.NewDecoder(body).Decode(&got) == nil && got.Title != "" {
			p = &got
		}
	}
	return p
}

// authorize logs a request in.
func (c *client) authorize(req *http.Request) {
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
}

// refused adds what to do about a login that is not taken.
func (c *client) refused(p *api.Problem, header http.Header) error {
	switch {
	case p.Status == http.StatusUnauthorized && c.token == "":
		return withHint(p, "name the token with --token-file FILE or in %s, or a certificate with --cert and --key", tokenEnv)
	case p.Status == http.StatusUnauthorized:
		return withHint(p, "it may have been revoked: `fairlead token create` makes one, over the unix socket of a node")
	case p.Status == http.StatusTooManyRequests:
		return withHint(p, "try again in %s s; the unix socket of the node works meanwhile", header.Get("Retry-After"))
	}
	return p
}

// unreachable explains why no reply came, with a hint that fits.
func (c *client) unreachable(err error) error {
	what := fmt.Sprintf("%s (%s)", c.socket, c.source)
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	gone := errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &unknown):
		return withHint(fmt.Errorf("%s: no known CA signed its certificate", what), "name the file of the CA that did with --ca FILE")
	case errors.As(err, &name):
		return withHint(fmt.Errorf("%s: %w", what, name), "use a name or an address that the certificate has")
	case errors.Is(err, syscall.ECONNREFUSED) && c.base == c.socket:
		return withHint(fmt.Errorf("no node listens at %s", what), "the node file must have admin.listen and admin.tls")
	case gone && c.demo:
		return withHint(fmt.Errorf("no demo runs on %s", what), "start one with `fairlead demo`, or name its socket with --server unix:PATH")
	case errors.Is(err, os.ErrNotExist):
		return withHint(fmt.Errorf("no node listens at %s: there is no such socket", what),
			"start one with `fairlead serve` or `fairlead demo`, or name its socket with --server unix:PATH or %s", serverEnv)
	case errors.Is(err, syscall.ECONNREFUSED):
		return withHint(fmt.Errorf("no node listens at %s: the socket was left behind by one that ended", what),
			"start the node again, or name another socket with --server unix:PATH or %s", serverEnv)
	case errors.Is(err, os.ErrPermission):
		return withHint(fmt.Errorf("no permission to talk to %s", what),
			"use the account that runs the node, or join the group that owns the socket")
	case os.IsTimeout(err):
		return withHint(fmt.Errorf("the node at %s did not reply within %s", what, requestTimeout), "look at the node's log")
	default:
		return withHint(fmt.Errorf("the node at %s: %w", what, err), "look at the node's log")
	}
}

// status fetches the node's status.
func (c *client) status(ctx context.Context) (*api.Status, error) {
	s := new(api.Status)
	if err := c.call(ctx, http.MethodGet, api.StatusPath, nil, s); err != nil {
		return nil, err
	}
	return s, nil
}
