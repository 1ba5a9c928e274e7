package probe

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/fleet"
)

// A fleetChecker asks the nodes of another cluster how it is with the service to which an endpoint's target leads, one after the other from a
// random one on, until one of them has signed an answer to this very question. A node that is isolated from its own cluster is believed only where
// none that is not answers.
type fleetChecker struct {
	check  *config.FleetCheck
	tls    *tlsPart
	client *http.Client
}

func newFleetChecker(check *config.Check, dial *dialer) (checker, error) {
	if check.Fleet == nil || len(check.Fleet.URLs) == 0 {
		return nil, errors.New("check has no fleet part")
	}
	part, err := newTLSPart(check.TLS, "")
	if err != nil {
		return nil, err
	}
	return &fleetChecker{check: check.Fleet, tls: part, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dial.context, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: MaxHeader, TLSClientConfig: part.config,
		},
	}}, nil
}

func (c *fleetChecker) probe(ctx context.Context, target health.Target, r *Result) {
	service := strings.ToLower(strings.TrimSuffix(target.Host, ".")) + "."
	n := len(c.check.URLs)
	first := mathrand.IntN(n)
	var said *fleet.Summary
	var why []string
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		at := c.check.URLs[(first+i)%n]
		s, err := c.ask(ctx, at, service, n-i, r)
		if err != nil {
			why = append(why, fmt.Sprintf("%s: %v", hostOfURL(at), err))
			continue
		}
		if said = s; !s.Isolated {
			break
		}
	}
	if said == nil {
		r.fail(because(Fleet, "no word of the other fleet: %s", clip(strings.Join(why, "; "), 200)))
		return
	}
	c.judge(said, r)
}

// judge takes what a fleet says for a result.
func (c *fleetChecker) judge(s *fleet.Summary, r *Result) {
	warn := func(text string) {
		if r.Warning != "" {
			text += "; " + r.Warning
		}
		r.Warning = text
	}
	bound := time.Duration(s.BoundSeconds * float64(time.Second))
	switch {
	case s.State == fleet.Dark:
		r.fail(because(Fleet, "%s says that %s is dark", clip(s.Node, 60), strings.TrimSuffix(s.Service, ".")))
	case bound <= 0:
		r.fail(because(Fleet, "%s names no bound of %s, want at most %s", clip(s.Node, 60), strings.TrimSuffix(s.Service, "."), c.check.Bound))
	case bound > c.check.Bound:
		r.fail(because(Fleet, "%s names a bound of %s for %s, want at most %s", clip(s.Node, 60), bound, strings.TrimSuffix(s.Service, "."), c.check.Bound))
	case s.Isolated:
		warn(clip(s.Node, 60) + " is isolated from its fleet: what it says may be old")
	case s.State == fleet.Degraded:
		warn(clip(s.Node, 60) + " says that it is degraded")
	}
}

// ask asks one node, which may take its part of the time that is left for so many. What is to be said of its certificate goes to r.
func (c *fleetChecker) ask(ctx context.Context, base, service string, left int, r *Result) (*fleet.Summary, error) {
	if end, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(left))
		defer cancel()
	}
	var raw [fleet.NonceSize]byte
	// It does not fail.
	_, _ = rand.Read(raw[:])
	nonce := hex.EncodeToString(raw[:])
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		strings.TrimSuffix(base, "/")+fleet.Path+"?"+url.Values{"service": {service}, "nonce": {nonce}}.Encode(), nil)
	if err != nil {
		return nil, errors.New("no URL")
	}
	req.Header.Set("User-Agent", "fairlead")
	for _, h := range c.check.Headers {
		req.Header.Set(h.Name, h.Value)
	}
	reply, err := c.client.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		// Without the URL: the reason is told to all who may read.
		if err = failed.Err; failed.Timeout() {
			err = errors.New("no answer in time")
		}
	}
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	if reply.TLS != nil {
		c.tls.ends(reply.TLS.VerifiedChains, time.Now(), r)
	}
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", reply.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, fleet.MaxSigned+1))
	if err != nil {
		return nil, errors.New("the answer does not end in time")
	}
	return fleet.Open(body, c.check.Keys, nonce, service)
}

func hostOfURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "?"
	}
	return u.Hostname()
}
