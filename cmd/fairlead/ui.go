package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// uiListen is where a browser of this machine finds the dashboard of a node that has a unix socket alone.
	uiListen = "127.0.0.1:0"
	// uiHeaderTimeout bounds how long a browser may take to ask.
	uiHeaderTimeout = 5 * time.Second
)

func uiCommand() *cobra.Command {
	var listen, role string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "open the dashboard of a node in a browser",
		Long: `Ui prints a link to the dashboard that works once, within a minute, and opens it. Whoever opens it is logged in as you are here: over
the unix socket as an administrator, over https as the token or the certificate says.

No browser opens a unix socket: for one, the command listens on an address of this machine, hands on what comes in for the
dashboard and nothing else, and ends with Ctrl-C. What is asked without a login gets the login page.

` + serverHelp + "\n\n" + exit.LocalHelp,
		Example: `  fairlead ui
  fairlead ui --role viewer
  fairlead ui --listen 127.0.0.1:8053 --no-open
  fairlead ui --server https://node1.example.org:8443 --token-file ada.token`,
		Args: exit.Args(cobra.NoArgs),
	}
	server := addServerFlag(cmd)
	cmd.Flags().StringVar(&listen, "listen", uiListen, "ADDRESS:PORT of this machine, for a node with a unix socket alone; port 0 is any")
	cmd.Flags().StringVar(&role, "role", "", "viewer or operator: a link for less than what you may")
	cmd.Flags().BoolVar(&quiet, "no-open", false, "print the link and open nothing")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if role != "" {
			if err := exit.Choice(cmd, "role", role, "viewer", "operator", "admin"); err != nil {
				return err
			}
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(exit.OrBackground(cmd.Context()), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		var link api.LoginLink
		if err := into(&link)(c.LoginLink(ctx, api.LoginLinkRequest{Actor: actor(), Role: role})); err != nil {
			return err
		}
		if c.remote {
			offer(cmd.OutOrStdout(), c.socket+link.Path, quiet)
			return nil
		}
		l, err := loopback(listen)
		if err != nil {
			return &exit.Error{Code: exit.Usage, Err: fmt.Errorf("--listen %s: %w", listen, err), Hint: "for example 127.0.0.1:8053"}
		}
		offer(cmd.OutOrStdout(), "http://"+l.Addr().String()+link.Path, quiet)
		fmt.Fprintln(cmd.ErrOrStderr(), "It is there until Ctrl-C.")
		return handOn(ctx, l, c)
	}
	return cmd
}

// loopback listens on an address that other machines do not reach: what comes in is in clear.
func loopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, errors.New("want an address of the loopback interface: nothing is served in clear to others")
	}
	return net.Listen("tcp", address)
}

// offer prints a link, and opens it in a browser where somebody sits before one.
func offer(w io.Writer, link string, quiet bool) {
	fmt.Fprintln(w, link)
	if f, ok := w.(*os.File); quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return
	}
	opener := "xdg-open"
	if runtime.GOOS == "darwin" {
		opener = "open"
	}
	if path, err := exec.LookPath(opener); err == nil {
		if cmd := exec.Command(path, link); cmd.Start() == nil {
			go func() { _ = cmd.Wait() }()
		}
	}
}

// handOn hands requests for the dashboard on to the node until ctx ends.
func handOn(ctx context.Context, l net.Listener, c *client) error {
	node := &url.URL{Scheme: "http", Host: "fairlead"}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(node)
			// The node compares it with the origin of the page that asks.
			r.Out.Host = r.In.Host
		},
		Transport: c.Transport(),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "the node does not answer: "+err.Error(), http.StatusBadGateway)
		},
	}
	srv := &http.Server{ReadHeaderTimeout: uiHeaderTimeout, Handler: ownPages(l.Addr().String(), proxy)}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ownPages keeps h to the dashboard, under the names of this machine: a page of somebody else whose name was made to lead here gets
// nothing.
func ownPages(address string, h http.Handler) http.Handler {
	_, port, _ := net.SplitHostPort(address)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Host != address && r.Host != "localhost:"+port:
			http.Error(w, "want http://"+address+"/", http.StatusMisdirectedRequest)
		case r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/ui/"):
			http.NotFound(w, r)
		default:
			h.ServeHTTP(w, r)
		}
	})
}
