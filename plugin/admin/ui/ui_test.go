package ui

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	causes "github.com/fairlead-dns/fairlead/plugin/admin/headline"
)

// A fakeBackend says what it is told to, and notes what was asked for.
type fakeBackend struct {
	status    api.Status
	staleness api.Staleness
	incidents []*ledger.Incident
	events    []api.Event
	plans     bool
	// replies are by method and path without its query; revoked tokens are no logins.
	replies map[string]any
	status4 map[string]int
	revoked map[string]bool
	calls   []fakeCall
}

type fakeCall struct {
	method, path string
	login        Login
	body         any
}

func (b *fakeBackend) Status() *api.Status {
	s := b.status
	causes.Fill(&s)
	return &s
}

func (b *fakeBackend) Staleness() *api.Staleness     { return &b.staleness }
func (b *fakeBackend) Incidents() []*ledger.Incident { return b.incidents }
func (b *fakeBackend) Events(int) []api.Event        { return b.events }
func (b *fakeBackend) HasPlans() bool                { return b.plans }

func (b *fakeBackend) TokenGood(name, _ string) bool { return !b.revoked[name] }

func (b *fakeBackend) Call(_ *http.Request, l Login, method, path string, body any) (int, string, []byte) {
	b.calls = append(b.calls, fakeCall{method, path, l, body})
	key, _, _ := strings.Cut(method+" "+path, "?")
	reply, ok := b.replies[key]
	if !ok {
		reply = api.Problem{Title: "Not Found", Status: http.StatusNotFound, Detail: "no such thing"}
	}
	text, err := json.Marshal(reply)
	if err != nil {
		panic(err)
	}
	status := b.status4[key]
	if p, isProblem := reply.(api.Problem); isProblem {
		status = p.Status
	}
	return max(status, http.StatusOK), "application/json", text
}

// at is when everything in these tests happens.
var at = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// share is a part of the answers.
func share(az, endpoint, data string, f float64) api.Share {
	return api.Share{Family: "A", Pool: "web", AZ: az, Endpoint: endpoint, Data: data, Fraction: f}
}

// quiet is a node on which all is well: one zone with one pool in two AZs.
func quiet() *fakeBackend {
	return &fakeBackend{
		status: api.Status{
			Node: "n1", At: at, Ready: true,
			Zones: []api.Zone{{
				Name: "example.org.",
				Pools: []api.Pool{{Name: "web", Region: "eu", Endpoints: []api.Endpoint{
					{Name: "one", AZ: "eu-a", Addresses: []string{"192.0.2.1"}, State: "up", Health: "up", Since: at},
					{Name: "two", AZ: "eu-b", Addresses: []string{"192.0.2.2"}, State: "up", Health: "up", Since: at},
				}}},
				Services: []api.Service{{
					Name: "www.example.org.", Source: "tier", Tier: 1, TTLSeconds: 10, BoundSeconds: 12, TargetSeconds: 20,
					Shares: []api.Share{share("eu-a", "one", "192.0.2.1", 0.4), share("eu-b", "two", "192.0.2.2", 0.6)},
				}},
			}},
		},
		staleness: api.Staleness{Node: "n1", At: at, Services: []api.ServiceStaleness{{Service: "www.example.org.", BoundSeconds: 12, TargetSeconds: 20}}},
		revoked:   map[string]bool{},
		replies:   map[string]any{},
		status4:   map[string]int{},
	}
}

// brokenAZ is quiet with eu-a down.
func brokenAZ(f api.Forgetting) *fakeBackend {
	b := quiet()
	z := &b.status.Zones[0]
	z.Pools[0].Endpoints[0].State, z.Pools[0].Endpoints[0].Reason = "down", "n1: connection refused"
	z.Pools[0].Endpoints[0].Vantages = []api.Vantage{{Node: "n1", State: "down"}, {Node: "n2", State: "down"}, {Node: "n3", State: "up"}}
	z.Services[0].Shares = []api.Share{share("eu-b", "two", "192.0.2.2", 1)}
	b.status.Degraded = true
	b.staleness.Services[0].Forgetting = f
	b.staleness.Services[0].Departures = []api.DepartureStaleness{{
		Endpoint: "example.org/web/one", Region: "eu", AZ: "eu-a", State: "down", LeftAt: at, Forgetting: f, Outstanding: 6, Exposure: []uint64{1, 2, 3},
	}}
	return b
}

// A client is a browser.
type client struct {
	t       *testing.T
	handler http.Handler
	cookie  *http.Cookie
}

func newUI(t *testing.T, b Backend, sessions *Sessions) *UI {
	t.Helper()
	u, err := New(Options{Backend: b, Sessions: sessions, Node: "n1", Version: "test"})
	require.NoError(t, err)
	return u
}

func (c *client) do(method, target string, form url.Values) *httptest.ResponseRecorder {
	c.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.cookie != nil {
		r.AddCookie(&http.Cookie{Name: c.cookie.Name, Value: c.cookie.Value})
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	for _, k := range w.Result().Cookies() {
		c.cookie = k
	}
	return w
}

// page is the text of a page that must be there.
func (c *client) page(target string) string {
	c.t.Helper()
	w := c.do(http.MethodGet, target, nil)
	require.Equal(c.t, http.StatusOK, w.Code, w.Body)
	return w.Body.String()
}

// enter is a browser that is logged in with a role.
func enter(t *testing.T, b Backend, role string) *client {
	t.Helper()
	sessions := OpenSessions("", nil)
	c := &client{t: t, handler: newUI(t, b, sessions).Handler(Door{})}
	secret, _ := sessions.Link(Login{Role: role, Actor: "ada"}, time.Now())
	c.page("/ui/login?link=" + secret)
	return c
}

func TestLinkWorksOnce(t *testing.T) {
	sessions := OpenSessions("", nil)
	c := &client{t: t, handler: newUI(t, quiet(), sessions).Handler(Door{})}
	w := c.do(http.MethodGet, "/ui/", nil)
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/ui/login", w.Header().Get("Location"))

	secret, ends := sessions.Link(Login{Role: "admin", Actor: "ada"}, time.Now())
	require.WithinDuration(t, time.Now().Add(linkLife), ends, time.Second)
	c.page("/ui/login?link=" + secret)
	require.NotNil(t, c.cookie)
	require.True(t, c.cookie.HttpOnly && c.cookie.Secure, "%v", c.cookie)
	require.Equal(t, http.SameSiteStrictMode, c.cookie.SameSite)
	require.Equal(t, "__Host-fairlead-n1", c.cookie.Name)
	require.Contains(t, c.page("/ui/"), "ada · admin")

	other := &client{t: t, handler: c.handler}
	require.Equal(t, http.StatusForbidden, other.do(http.MethodGet, "/ui/login?link="+secret, nil).Code, "a second time")
	secret, _ = sessions.Link(Login{Role: "admin"}, time.Now().Add(-linkLife))
	require.Equal(t, http.StatusForbidden, other.do(http.MethodGet, "/ui/login?link="+secret, nil).Code, "too late")
	require.Nil(t, other.cookie)
}

func TestSessionsEnd(t *testing.T) {
	b := quiet()
	path := filepath.Join(t.TempDir(), "sessions.json")
	sessions := OpenSessions(path, nil)
	token := func(_ *http.Request, secret string) (Login, error) {
		if secret != "flt_good" {
			return Login{}, errors.New("no such token on this node")
		}
		return Login{Name: "ci", Role: "viewer", Token: "digest"}, nil
	}
	c := &client{t: t, handler: newUI(t, b, sessions).Handler(Door{Token: token})}
	w := c.do(http.MethodPost, "/ui/login", url.Values{"token": {"flt_bad"}})
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Contains(t, w.Body.String(), "no such token")
	require.Equal(t, http.StatusOK, c.do(http.MethodPost, "/ui/login", url.Values{"token": {"flt_good"}}).Code)
	c.page("/ui/")

	// Another process with the same file knows the cookie, and none that it has not seen.
	c.handler = newUI(t, b, OpenSessions(path, nil)).Handler(Door{Token: token})
	c.page("/ui/")
	text := readFile(t, path)
	require.NotContains(t, text, c.cookie.Value)

	b.revoked["ci"] = true
	require.Equal(t, http.StatusSeeOther, c.do(http.MethodGet, "/ui/", nil).Code, "the token is revoked")
	require.Equal(t, http.StatusUnauthorized, c.do(http.MethodGet, "/ui/live/", nil).Code, "a stream is no page")
	b.revoked["ci"] = false
	was := *c.cookie
	c.do(http.MethodPost, "/ui/logout", nil)
	c.cookie = &was
	require.Equal(t, http.StatusSeeOther, c.do(http.MethodGet, "/ui/", nil).Code, "the cookie is good for nothing after the logout")
}

func TestPagesAreGuarded(t *testing.T) {
	c := enter(t, quiet(), "viewer")
	w := c.do(http.MethodGet, "/ui/", nil)
	policy := w.Header().Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'self'")
	require.NotContains(t, policy, "unsafe")
	require.Equal(t, http.StatusNotFound, c.do(http.MethodGet, "/ui/nowhere", nil).Code)
	require.NotContains(t, w.Body.String(), "<style")
	require.NotRegexp(t, `\sstyle="|\son[a-z]+="`, w.Body.String(), "the policy would refuse it")
}

func TestAssets(t *testing.T) {
	c := enter(t, quiet(), "viewer")
	for _, name := range []string{"app.css", "app.js", "icon.svg"} {
		u, err := loadAssets(files)
		require.NoError(t, err)
		w := c.do(http.MethodGet, u.address(name), nil)
		require.Equal(t, http.StatusOK, w.Code, name)
		require.Equal(t, assetLife, w.Header().Get("Cache-Control"))
		require.Equal(t, http.StatusNotFound, c.do(http.MethodGet, assetPath+"000000000000/"+name, nil).Code, "another version")
	}
}

// TestSharesOfFamilies: an AZ that alone answers AAAA has half of a service of two record types.
func TestSharesOfFamilies(t *testing.T) {
	got := azShares([]api.Share{
		{Family: "A", AZ: "e2", Fraction: 1}, {Family: "AAAA", AZ: "e1", Fraction: 1},
	}, map[string]int{})
	require.Equal(t, []azShare{{AZ: "e2", Fraction: 0.5, Width: 50}, {AZ: "e1", Fraction: 0.5, From: 50, Width: 50}}, got)
	require.Nil(t, azShares(nil, nil))
}

// What has left the answers is called by why: out where neither a verdict nor an order keeps it out, not unknown.
func TestLeftMark(t *testing.T) {
	for state, want := range map[string]mark{
		"down": {"down", "down"}, "drained": {"drained", "drained"}, "out": {"unknown", "out"}, "removed": {"unknown", "removed"}, "fixed": {"unknown", "fixed"},
	} {
		require.Equal(t, want, leftMark(state))
	}
}

// TestWorries: what-if says which pool would get more than it carries, and which service would be without what it needs.
func TestWorries(t *testing.T) {
	b := quiet()
	b.replies["GET "+api.ExplainPath] = api.Explanation{}
	b.replies["GET "+api.WhatIfPath] = api.WhatIf{
		Overloads: []api.Overload{{Pool: "example.org/us", Requests: 1400, Capacity: 1000, Percent: 140}},
		Cuts: []api.Cut{
			{Service: "www.example.org.", Needs: "db.example.org.", Percent: 70, Regions: []string{"eu"}, NeedsRegions: []string{"us"}},
			{Service: "www.example.org.", Needs: "cache.example.org.", Dark: true, Percent: 100, Regions: []string{"eu"}},
		},
	}
	page := enter(t, b, "viewer").page("/ui/what-if?az.eu-a=down")
	for _, want := range []string{
		"example.org/us would get 140 % of its capacity: 1400 of 1000 requests/s.",
		"www.example.org needs db.example.org: 70 % of its answers would lead to eu, where that has none (it is answered in us).",
		"www.example.org needs cache.example.org, of which nothing would be in service.",
	} {
		require.Contains(t, page, want)
	}
}
