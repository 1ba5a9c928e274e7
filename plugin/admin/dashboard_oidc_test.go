package admin

import (
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/door"
	"github.com/fairlead-dns/fairlead/plugin/admin/oidc/oidctest"
	"github.com/fairlead-dns/fairlead/plugin/admin/ui"
)

// TestIssuerLogin: a browser that is sent to the issuer and comes back is logged in by name and role, for as long as the node file says;
// one that did not leave is not, and addresses that come back in vain again and again are locked out.
func TestIssuerLogin(t *testing.T) {
	issuer := oidctest.New(t)
	issuer.Client("dash", "")
	o := oidcOf(issuer)
	o.Login = &config.OIDCLogin{Client: "dash", Session: time.Hour}
	s := startTCPWith(t, contractNode(t), o)
	node := "https://" + s.addr
	browser := func() *http.Client {
		c := s.client(s.ca)
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		c.Jar = jar
		return c
	}
	visit := func(c *http.Client, path string) (*http.Response, string) { return s.do(c, "GET", path, "", "") }

	ada := browser()
	_, body := visit(ada, "/ui/login")
	require.Contains(t, body, `href="/ui/login/issuer"`)
	require.Contains(t, body, "Log in at "+strings.TrimPrefix(issuer.URL, "http://"))
	issuer.Person("ada@example.org", nil, "team-operator")
	r, body := visit(ada, ui.IssuerPath)
	require.Equal(t, http.StatusOK, r.StatusCode, body)
	require.Equal(t, node+ui.ReturnPath, "https://"+r.Request.URL.Host+r.Request.URL.Path, "by way of the issuer")
	require.Contains(t, body, "You are logged in")
	cookies := r.Cookies()
	require.Len(t, cookies, 2)
	for _, c := range cookies {
		require.True(t, c.HttpOnly && c.Secure, "%v", c)
		if strings.HasSuffix(c.Name, "-away") {
			require.Negative(t, c.MaxAge, "what was kept meanwhile is gone")
			continue
		}
		require.Equal(t, http.SameSiteStrictMode, c.SameSite)
		require.InDelta(t, 3600, c.MaxAge, 5)
	}
	_, body = visit(ada, "/ui/")
	require.Contains(t, body, "ada@example.org · operator")
	r, body = visit(ada, r.Request.URL.RequestURI())
	require.Equal(t, http.StatusForbidden, r.StatusCode, "the address in the history of a browser is no login")
	require.Contains(t, body, "another browser")

	issuer.Person("bob@example.org", nil, "sales")
	r, body = visit(browser(), ui.IssuerPath)
	require.Equal(t, http.StatusForbidden, r.StatusCode)
	require.Contains(t, body, "bob@example.org has no role here")
	require.EqualValues(t, 1, s.refused(refusedRole))
	issuer.Refuse("access_denied")
	r, body = visit(browser(), ui.IssuerPath)
	require.Equal(t, http.StatusForbidden, r.StatusCode)
	require.Contains(t, body, "access_denied")

	issuer.Person("ada@example.org", map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}, "team-operator")
	for range door.MaxFailures {
		r, _ = visit(browser(), ui.IssuerPath)
		require.Equal(t, http.StatusForbidden, r.StatusCode)
	}
	before := issuer.Exchanged()
	_, body = visit(browser(), ui.IssuerPath)
	require.Contains(t, body, "too many logins failed")
	require.Equal(t, before, issuer.Exchanged())
	require.Equal(t, http.StatusOK, send(t, s.socket, "GET", api.StatusPath, "", new(api.Status)), "the socket is no address")
}

// TestIssuerLoginIsOptional: tokens of an issuer alone are no way in for browsers.
func TestIssuerLoginIsOptional(t *testing.T) {
	s := startTCPWith(t, contractNode(t), oidcOf(oidctest.New(t)))
	c := s.client(s.ca)
	_, body := s.do(c, "GET", "/ui/login", "", "")
	require.NotContains(t, body, ui.IssuerPath)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, _ := s.do(c, "GET", ui.ReturnPath, "", "")
	require.Equal(t, http.StatusSeeOther, r.StatusCode, "a page that is not there leads to the login, as others do")
}
