package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/config"
)

// tokenEnv holds the bearer token itself when there is no --token-file.
const tokenEnv = "FAIRLEAD_TOKEN"

// serverHelp ends the help text of every client command.
const serverHelp = `The node is found by --server unix:PATH or https://HOST:PORT; else by --context NAME or the environment variable
` + contextEnv + `; else by ` + serverEnv + `; else by the context in use (` + "`fairlead context`" + `); else at
` + systemSocket + ` if that exists, else at the socket of the demo that this user runs. --node NAME asks another node
of the context, or of the demo.

Over https the login is the token in --token-file, or in the environment variable ` + tokenEnv + `; or a certificate with --cert
and --key. A token is never an argument: everybody on the machine can list those. --ca FILE is for a node whose certificate no
CA of the system signed.`

// An access is how a command reaches a node. The zero access is the default one.
type access struct {
	server string
	// node is another node of the context than its first one, context the name of the context.
	node, context string
	// tokenFile, ca, cert and key are paths, for https alone.
	tokenFile, ca, cert, key string
	// as is the person on whose word an order is given; empty for who runs the command.
	as string
}

// addServerFlag gives cmd the flags that every client command has.
func addServerFlag(cmd *cobra.Command) *access {
	a := new(access)
	a.flags(cmd)
	return a
}

// accessOf is what the flags of cmd say; those that it does not have are empty.
func accessOf(cmd *cobra.Command) (a access) {
	for name, to := range map[string]*string{"server": &a.server, "node": &a.node, "context": &a.context, "token-file": &a.tokenFile, "ca": &a.ca, "cert": &a.cert, "key": &a.key, "as": &a.as} {
		// Some commands have a flag --node of their own.
		if f := cmd.Flags().Lookup(name); f != nil && f.Annotations[accessFlag] != nil {
			*to = f.Value.String()
		}
	}
	return a
}

// accessFlag marks the flags of an access.
const accessFlag = "fairlead_access"

func (a *access) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	own := f.Lookup("node") != nil
	if !own {
		f.StringVar(&a.node, "node", "", "another node of the context, or of the demo, by its name")
	}
	f.StringVar(&a.context, "context", "", "the context whose node is asked (default: $"+contextEnv+", or the one in use)")
	f.StringVar(&a.server, "server", "", "the node, as unix:PATH or https://HOST:PORT (default: $"+serverEnv+", see below)")
	f.StringVar(&a.tokenFile, "token-file", "", "file with the bearer token, for https (default: $"+tokenEnv+")")
	f.StringVar(&a.ca, "ca", "", "file of the CA that signed the node's certificate (default: the system's)")
	f.StringVar(&a.cert, "cert", "", "file of the client certificate, for https")
	f.StringVar(&a.key, "key", "", "file of its key")
	f.StringVar(&a.as, "as", "", "the person who gives an order, for the record (default: who runs this, also behind sudo)")
	for _, name := range []string{"server", "node", "context", "token-file", "ca", "cert", "key", "as"} {
		if name != "node" || !own {
			// It fails for flags that there are not.
			_ = f.SetAnnotation(name, accessFlag, []string{})
		}
	}
}

// newClient makes a client for the server that a names, or for the default one.
func newClient(a access) (*client, error) {
	source, err := a.resolve()
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(a.server, "https:") {
		return a.remote(a.server, source)
	}
	if a.tokenFile+a.ca+a.cert+a.key != "" {
		return nil, &exit.Error{Code: exit.Usage, Err: fmt.Errorf("--token-file, --ca, --cert and --key are for https://HOST:PORT"),
			Hint: "the unix socket needs no login: whoever can open it may do everything"}
	}
	path, found, err := findServer(a.server, source)
	if err != nil {
		return nil, err
	}
	return clientAt(path, found, a.as), nil
}

// remote is the client for a node over TLS.
func (a *access) remote(text, source string) (*client, error) {
	u, err := parseRemote(text, source)
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS13}
	if a.ca != "" {
		b, err := config.ReadCertFile(a.ca)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("--ca %s: the file holds no usable certificate", a.ca)
		}
	}
	if a.cert != "" || a.key != "" {
		if err := a.certificate(cfg); err != nil {
			return nil, err
		}
	}
	token, err := a.token()
	if err != nil {
		return nil, err
	}
	c := &client{socket: "https://" + u.Host, source: source, remote: true, token: token != ""}
	c.Client, err = adminapi.New(adminapi.Options{Server: c.socket, Token: token, TLS: cfg, Actor: a.as, Timeout: requestTimeout, Explain: c.explained})
	return c, err
}

// parseRemote reads https://HOST:PORT; source is where it was said.
func parseRemote(text, source string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Port() == "" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery+u.Fragment != "" {
		return nil, &exit.Error{Code: exit.Usage, Err: fmt.Errorf("%s %q: want https://HOST:PORT", source, text), Hint: "for example https://node1.example.org:8443"}
	}
	return u, nil
}

func (a *access) certificate(cfg *tls.Config) error {
	if a.cert == "" || a.key == "" {
		return &exit.Error{Code: exit.Usage, Err: fmt.Errorf("--cert and --key go together"), Hint: "name the files of the certificate and of its key"}
	}
	cert, err := config.ReadCertFile(a.cert)
	if err != nil {
		return err
	}
	key, err := config.ReadKeyFile(a.key)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("--cert %s, --key %s: %w", a.cert, a.key, err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return nil
}

// token is the bearer token; empty without one.
func (a *access) token() (string, error) {
	if a.tokenFile == "" {
		return strings.TrimSpace(os.Getenv(tokenEnv)), nil
	}
	b, err := config.ReadKeyFile(a.tokenFile)
	if err != nil {
		return "", err
	}
	b = bytes.TrimSpace(b)
	if len(b) == 0 || bytes.ContainsAny(b, " \t\r\n") {
		return "", fmt.Errorf("--token-file %s: want the token and nothing else", a.tokenFile)
	}
	return string(b), nil
}
