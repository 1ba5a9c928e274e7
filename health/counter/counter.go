// Package counter reads how many requests an endpoint has got, as the endpoint's own document or a Prometheus server says: what late
// hits are counted from.
//
// Whom it asks is written in zone files, by people who may be strangers to the node. So it dials as probes do, past the same fence; it
// follows no redirect, keeps no cookie, reads no more than a mebibyte, and tells nobody what it read but for one number.
package counter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/theory/jsonpath"

	"github.com/fairlead-dns/fairlead/config"
)

const (
	// timeout is how long a reading may take.
	timeout = 2 * time.Second
	// maxDocument bounds what is read of a reply, in octets.
	maxDocument = 1 << 20
	// maxHeader bounds the header of a reply, in octets.
	maxHeader = 64 << 10
	// maxCount bounds a count: a float64 has each whole number up to it.
	maxCount = 1 << 53
	// maxText bounds what is repeated of an error of a server's, in octets.
	maxText = 200
)

// A DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// A Reader reads counters. It is safe for concurrent use.
type Reader struct{ client *http.Client }

// New makes a Reader that reaches the network through dial.
func New(dial DialFunc) *Reader {
	return &Reader{client: &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dial, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: true,
		},
	}}
}

// Read is the number that c leads to: zero to maxCount.
func (r *Reader) Read(ctx context.Context, c *config.HitCounter) (float64, error) {
	target := c.URL
	if c.Query != "" {
		u, err := url.Parse(c.URL)
		if err != nil {
			return 0, errors.New("no URL")
		}
		u = u.JoinPath("api", "v1", "query")
		u.RawQuery = url.Values{"query": {c.Query}}.Encode()
		target = u.String()
	}
	doc, err := r.get(ctx, target, c.Query != "")
	if err != nil {
		return 0, err
	}
	var n float64
	if c.Query != "" {
		n, err = sampleOf(doc)
	} else {
		n, err = numberAt(doc, c.Path)
	}
	if err == nil && (math.IsNaN(n) || n < 0 || n > maxCount) {
		err = fmt.Errorf("%v is no count", n)
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// get fetches a document. A Prometheus server explains its errors in one.
func (r *Reader) get(ctx context.Context, target string, explained bool) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, errors.New("no URL")
	}
	req.Header.Set("User-Agent", "fairlead")
	req.Header.Set("Accept", "application/json")
	reply, err := r.client.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		// Without the URL, which may hold a secret.
		err = failed.Err
		if failed.Timeout() {
			err = fmt.Errorf("no answer within %s", timeout)
		}
	}
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK && (!explained || reply.StatusCode < http.StatusBadRequest) {
		return nil, fmt.Errorf("status %d", reply.StatusCode)
	}
	doc, err := io.ReadAll(io.LimitReader(reply.Body, maxDocument+1))
	switch {
	case err != nil && ctx.Err() == nil:
		return nil, fmt.Errorf("the answer does not end: no more within %s", timeout)
	case err != nil:
		return nil, err
	case len(doc) > maxDocument:
		return nil, fmt.Errorf("more than %d octets", maxDocument)
	}
	return doc, nil
}

// sampleOf is the one sample of an instant query (Prometheus HTTP API, "Instant queries").
func sampleOf(doc []byte) (float64, error) {
	var reply struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   struct {
			Type   string          `json:"resultType"`
			Result json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(doc, &reply); err != nil {
		return 0, errors.New("no answer of a Prometheus server")
	}
	if reply.Status != "success" {
		return 0, fmt.Errorf("the Prometheus server says: %s", cut(reply.Error))
	}
	var pair [2]any
	switch reply.Data.Type {
	case "scalar":
		if err := json.Unmarshal(reply.Data.Result, &pair); err != nil {
			return 0, errors.New("no scalar in the answer")
		}
	case "vector":
		var samples []struct {
			Value [2]any `json:"value"`
		}
		if err := json.Unmarshal(reply.Data.Result, &samples); err != nil {
			return 0, errors.New("no vector in the answer")
		}
		if len(samples) != 1 {
			return 0, fmt.Errorf("the query gives %d samples, want one", len(samples))
		}
		pair = samples[0].Value
	default:
		return 0, fmt.Errorf("the query gives a %s, want one sample", cut(reply.Data.Type))
	}
	text, _ := pair[1].(string)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, errors.New("no number in the answer")
	}
	return n, nil
}

// numberAt is the one number at a JSONPath, also one in quotes.
func numberAt(doc []byte, path string) (float64, error) {
	p, err := jsonpath.Parse(path)
	if err != nil {
		return 0, err
	}
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		return 0, errors.New("no JSON document")
	}
	found := p.Select(v)
	if len(found) != 1 {
		return 0, fmt.Errorf("%s leads to %d values, want one", cut(path), len(found))
	}
	switch n := found[0].(type) {
	case float64:
		return n, nil
	case string:
		if f, err := strconv.ParseFloat(n, 64); err == nil {
			return f, nil
		}
	}
	return 0, fmt.Errorf("%s leads to no number", cut(path))
}

// cut is a text that others write, short and on one line.
func cut(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s), "?")
}
