package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fairlead-dns/fairlead/config"
)

const (
	// requestTimeout bounds every request but a watch.
	requestTimeout = 20 * time.Second
	// pageLimit is how many objects one page of a list has; maxPage bounds its octets.
	pageLimit = 500
	maxPage   = 64 << 20
	// maxReason bounds what is read, and shown, of an error.
	maxReason = 4 << 10
)

// A client asks one API server.
type client struct {
	http *http.Client
	base *url.URL
}

// newClient reads how the cluster is reached. It dials nothing.
func newClient(c *config.KubeCluster, agent string) (*client, error) {
	cfg, err := restConfig(c)
	if err != nil {
		return nil, err
	}
	if e := cfg.ExecProvider; e != nil {
		if _, err := exec.LookPath(e.Command); err != nil {
			return nil, fmt.Errorf("the kubeconfig %s asks the exec plugin %s for credentials, and it is not on this host: name a kubeconfig with a token of a service account", c.Kubeconfig, e.Command)
		}
	}
	cfg.UserAgent = agent
	h, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, err
	}
	host := cfg.Host
	if !strings.Contains(host, "://") {
		scheme := "http://"
		if cfg.CAFile != "" || len(cfg.CAData) > 0 || cfg.Insecure || cfg.CertFile != "" {
			scheme = "https://"
		}
		host = scheme + host
	}
	base, err := url.Parse(host)
	if err != nil {
		return nil, err
	}
	return &client{http: h, base: base}, nil
}

func restConfig(c *config.KubeCluster) (*rest.Config, error) {
	if c.InCluster {
		return rest.InClusterConfig()
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: c.Kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: c.Context}).ClientConfig()
}

// A requestError is an answer of the API that is not a success.
type requestError struct {
	verb, what string
	code       int
	reason     string
}

func (e *requestError) Error() string {
	if missing(e) && e.verb != "get" {
		return fmt.Sprintf("%s %s: the cluster knows no such kind: its CRD is not installed (%d)", e.verb, e.what, e.code)
	}
	return fmt.Sprintf("%s %s: %d %s", e.verb, e.what, e.code, e.reason)
}

// code is that of an answer of the API; 0 where there was none.
func code(err error) int {
	if e, ok := errors.AsType[*requestError](err); ok {
		return e.code
	}
	return 0
}

// open sends a request. The caller closes what it returns.
func (c *client) open(ctx context.Context, verb, what, path string, query url.Values) (io.ReadCloser, error) {
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	return c.send(req, verb, what)
}

// send sends a request. The caller closes what it returns.
func (c *client) send(req *http.Request, verb, what string) (io.ReadCloser, error) {
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		// The URL is in the error; it says nothing that the name of the cluster does not.
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return nil, fmt.Errorf("%s %s: %w", verb, what, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxReason))
	var status struct{ Message string }
	if json.Unmarshal(b, &status) != nil || status.Message == "" {
		status.Message = http.StatusText(resp.StatusCode)
	}
	return nil, &requestError{verb: verb, what: what, code: resp.StatusCode, reason: oneLine(status.Message)}
}

// get reads one document into v.
func (c *client) get(ctx context.Context, verb, what, path string, query url.Values, v any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, err := c.open(ctx, verb, what, path, query)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(io.LimitReader(body, maxPage)).Decode(v); err != nil {
		return fmt.Errorf("%s %s: %w", verb, what, err)
	}
	return nil
}

// identity is the UID of the namespace kube-system.
func (c *client) identity(ctx context.Context) (string, error) {
	var ns struct{ Metadata meta }
	if err := c.get(ctx, "get", "the namespace kube-system", "/api/v1/namespaces/kube-system", nil, &ns); err != nil {
		return "", err
	}
	if ns.Metadata.UID == "" {
		return "", errors.New("the namespace kube-system has no UID")
	}
	return ns.Metadata.UID, nil
}

// oneLine is the first line of text, of bounded length, without what a terminal would obey.
func oneLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}
