package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// site is a client of a server over TLS that answers by h.
func site(t *testing.T, h http.HandlerFunc, change func(*client.Options)) *client.Client {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	opts := client.Options{Server: s.URL, Token: "secret", TLS: &tls.Config{RootCAs: pool}}
	if change != nil {
		change(&opts)
	}
	c, err := client.New(opts)
	require.NoError(t, err)
	return c
}

// TestRequest: what goes out is a body with the actor of the options, the token, and the headers of the context.
func TestRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	c := site(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(api.Intent{ID: "n1-1-1"})
	}, func(o *client.Options) { o.Actor = "ada" })
	i, err := c.Intend(client.WithHeader(t.Context(), "Idempotency-Key", "k"), api.IntentRequest{Kind: "drain", Actor: "root", Reason: "x", DryRun: true})
	require.NoError(t, err)
	require.Equal(t, "n1-1-1", i.ID)
	require.Equal(t, []string{"Bearer secret", "k", "application/json"}, []string{got.Header.Get("Authorization"), got.Header.Get("Idempotency-Key"), got.Header.Get("Content-Type")})
	require.JSONEq(t, `{"kind":"drain","scope":{"kind":"","name":""},"actor":"ada","reason":"x"}`, string(body), "a preview has a method of its own")
	_, err = c.Pool(t.Context(), "example.org", "a/b")
	require.NoError(t, err)
	require.Equal(t, "/api/v1/pools/example.org/a%2Fb", got.URL.EscapedPath())
}

// TestRefusals: a problem is one, what is none becomes one, a redirect is not followed, and Explain has the last word.
func TestRefusals(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.invalid/", http.StatusFound)
	}
	var told error
	c := site(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r) }, func(o *client.Options) {
		o.Explain = func(err error, h http.Header) error {
			told = fmt.Errorf("%w, retry %s", err, h.Get("Retry-After"))
			return told
		}
	})
	_, err := c.Status(t.Context())
	p, ok := errors.AsType[*api.Problem](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, http.StatusFound, p.Status)
	answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", api.ProblemType)
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(api.Problem{Title: "Conflict", Status: 409, Rule: "never_empty"})
	}
	_, err = c.Freeze(t.Context(), api.FreezeRequest{})
	p, ok = errors.AsType[*api.Problem](err)
	require.True(t, ok)
	require.Equal(t, "never_empty", p.Rule)
	require.Equal(t, told, err)
	require.ErrorContains(t, err, "retry 7")
	answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "no JSON") }
	_, err = c.Nodes(t.Context())
	require.ErrorContains(t, err, "reply of https://")
}

func TestFollow(t *testing.T) {
	c := site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "after=3&type=endpoint.%2A" {
			http.Error(w, r.URL.RawQuery, http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, ": alive\n\nid: 4\ndata: {\"seq\":4}\n\nid: 5\ndata: {\"seq\":5}\n\n")
	}, nil)
	var seen []uint64
	after := uint64(3)
	err := c.Follow(context.Background(), client.EventQuery{Types: []string{"endpoint.*"}, After: &after}, func(e *api.Event) error {
		seen = append(seen, e.Seq)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []uint64{4, 5}, seen)
}

func Example() {
	c, err := client.New(client.Options{Server: "unix:/run/fairlead/admin.sock"})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Is it safe to power the AZ off?
	safe, err := c.Safe(context.Background(), api.Scope{Kind: "az", Name: "eu-west-1a"})
	if refused, ok := errors.AsType[*api.Problem](err); ok {
		fmt.Println(refused.Status, refused.Detail)
		return
	}
	if err == nil {
		fmt.Println(safe.Answer, safe.Text)
	}
}
