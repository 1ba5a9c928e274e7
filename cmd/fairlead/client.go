package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"

	adminapi "github.com/fairlead-dns/fairlead/client"
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
		return "", "", &exit.Error{Code: exit.Usage, Err: fmt.Errorf("%s %q: want unix:PATH", source, text),
			Hint: "for example unix:" + systemSocket + "; commands that ask a node take https://HOST:PORT too"}
	}
	return path, source, nil
}

// A client asks one node over its unix socket or over TLS, and says what to do when that fails. It is safe for concurrent use.
type client struct {
	*adminapi.Client
	// socket is the path of the socket, or https://HOST:PORT, and source where that was said.
	socket, source string
	// remote is set for https, token when there is one.
	remote, token bool
	// demo is set for the control socket of the demo, which has other advice when nobody listens.
	demo bool
}

// clientAt is the client for the socket at path; as is the person on whose word orders are given, empty for who fills them in.
func clientAt(path, source, as string) *client {
	c := &client{socket: path, source: source}
	// No path is refused.
	c.Client, _ = adminapi.New(adminapi.Options{Server: "unix:" + path, Actor: as, Timeout: requestTimeout, Explain: c.explained})
	return c
}

// explained is err with what to do about it.
func (c *client) explained(err error, header http.Header) error {
	if p, ok := errors.AsType[*api.Problem](err); ok {
		return c.refused(p, header)
	}
	if gone, ok := errors.AsType[*adminapi.UnreachableError](err); ok {
		return c.unreachable(gone.Err)
	}
	return err
}

// prints makes cmd print what the node answers, as write does it or in another format.
func prints[T any](cmd *cobra.Command, fetch func(*adminapi.Client, context.Context) (*T, error), write func(d drawing, got *T)) {
	v := newViewer(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return v.run(cmd, func(ctx context.Context, c *client) (shown, error) {
			got, err := fetch(c.Client, ctx)
			return shown{doc: got, write: func(d drawing) { write(d, got) }}, err
		})
	}
}

// refused adds what to do about a login that is not taken.
func (c *client) refused(p *api.Problem, header http.Header) error {
	switch {
	case p.Status == http.StatusUnauthorized && !c.token:
		return exit.WithHint(p, "name the token with --token-file FILE or in %s, or a certificate with --cert and --key", tokenEnv)
	case p.Status == http.StatusUnauthorized:
		return exit.WithHint(p, "it may have been revoked: `fairlead token create` makes one, over the unix socket of a node")
	case p.Status == http.StatusTooManyRequests:
		return exit.WithHint(p, "try again in %s s; the unix socket of the node works meanwhile", header.Get("Retry-After"))
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
		return exit.WithHint(fmt.Errorf("%s: no known CA signed its certificate", what), "name the file of the CA that did with --ca FILE")
	case errors.As(err, &name):
		return exit.WithHint(fmt.Errorf("%s: %w", what, name), "use a name or an address that the certificate has")
	case errors.Is(err, syscall.ECONNREFUSED) && c.remote:
		return exit.WithHint(fmt.Errorf("no node listens at %s", what), "the node file must have admin.listen and admin.tls")
	case gone && c.demo:
		return exit.WithHint(fmt.Errorf("no demo runs on %s", what), "start one with `fairlead demo`, or name its socket with --server unix:PATH")
	case errors.Is(err, os.ErrNotExist):
		return exit.WithHint(fmt.Errorf("no node listens at %s: there is no such socket", what),
			"start one with `fairlead serve` or `fairlead demo`, or name its socket with --server unix:PATH or %s", serverEnv)
	case errors.Is(err, syscall.ECONNREFUSED):
		return exit.WithHint(fmt.Errorf("no node listens at %s: the socket was left behind by one that ended", what),
			"start the node again, or name another socket with --server unix:PATH or %s", serverEnv)
	case errors.Is(err, os.ErrPermission):
		return exit.WithHint(fmt.Errorf("no permission to talk to %s", what),
			"use the account that runs the node, or join the group that owns the socket")
	case os.IsTimeout(err):
		return exit.WithHint(fmt.Errorf("the node at %s did not reply within %s", what, requestTimeout), "look at the node's log")
	default:
		return exit.WithHint(fmt.Errorf("the node at %s: %w", what, err), "look at the node's log")
	}
}

// into is what a method returned, in out.
func into[T any](out *T) func(*T, error) error {
	return func(got *T, err error) error {
		if err == nil {
			*out = *got
		}
		return err
	}
}
