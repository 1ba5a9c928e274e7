package admin

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/door"
	"github.com/fairlead-dns/fairlead/plugin/admin/oidc/oidctest"
)

// TestRouteRoles asks every route as everybody over TCP: by tokens of the cluster, and by those of an OIDC issuer.
func TestRouteRoles(t *testing.T) {
	for name, secrets := range map[string]func(*tcpSite, *oidctest.Issuer) map[role]string{
		"token": func(s *tcpSite, _ *oidctest.Issuer) map[role]string { return s.secrets },
		"OIDC": func(_ *tcpSite, i *oidctest.Issuer) map[role]string {
			out := make(map[role]string)
			for _, r := range []role{viewer, operator, administrator} {
				out[r] = i.Sign(i.Claims("fairlead", string(r), "nothing", "team-"+string(r)))
			}
			return out
		},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := oidctest.New(t)
			s := startTCPWith(t, contractNode(t), oidcOf(issuer))
			routeRoles(t, s, name, secrets(s, issuer))
		})
	}
}

// oidcOf gives the groups team-viewer, team-operator and team-admin of an issuer those roles.
func oidcOf(i *oidctest.Issuer) *config.AdminOIDC {
	return &config.AdminOIDC{Issuer: i.URL, Audience: "fairlead", Claim: "groups", Name: "sub", Roles: map[string]string{
		"team-viewer": "viewer", "team-operator": "operator", "team-admin": "admin",
	}}
}

func routeRoles(t *testing.T, s *tcpSite, how string, secrets map[role]string) {
	c := s.client(s.ca)
	for name, want := range contract {
		method, path := splitName(name)
		if want.path != "" {
			path = want.path
		}
		for _, as := range []role{"none", viewer, operator, administrator} {
			s.node.intents = contractNode(t).intents
			recorded := len(s.journal.entries)
			r, body := s.do(c, method, path, want.body, secrets[as])
			switch {
			case as == "none" && want.role != anyone:
				require.Equal(t, http.StatusUnauthorized, r.StatusCode, "%s as %s: %s", name, as, body)
				require.Equal(t, challenge, r.Header.Get("WWW-Authenticate"))
				problemIn(t, r, body)
				require.Len(t, s.journal.entries, recorded, "strangers do not fill the journal")
			case as != "none" && !as.may(want.role):
				require.Equal(t, http.StatusForbidden, r.StatusCode, "%s as %s: %s", name, as, body)
				require.Contains(t, r.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
				require.Contains(t, problemIn(t, r, body).Detail, how+" "+string(as)+" is "+string(as))
			default:
				// The first who may has made what the next one asks for.
				allowed := r.StatusCode == want.status || r.StatusCode == http.StatusConflict || r.StatusCode == http.StatusNotFound
				require.True(t, allowed, "%s as %s: %d %s", name, as, r.StatusCode, body)
			}
		}
	}
	r, body := s.do(c, "GET", "/nothing", "", "")
	require.Equal(t, http.StatusUnauthorized, r.StatusCode, "a stranger is not told which paths there are: %s", body)
	r, body = s.do(c, "GET", "/nothing", "", secrets[viewer])
	require.Equal(t, http.StatusNotFound, r.StatusCode, body)
	r, body = s.do(c, "DELETE", "/healthz", "", secrets[viewer])
	require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode, body)
	require.Equal(t, "GET, HEAD", r.Header.Get("Allow"))
}

func splitName(name string) (method, path string) {
	for i := range name {
		if name[i] == ' ' {
			return name[:i], name[i+1:]
		}
	}
	return "", name
}

// TestForbiddenIsRecorded: what a login may not do is in the journal, under its name.
func TestForbiddenIsRecorded(t *testing.T) {
	s := startTCP(t, contractNode(t))
	r, _ := s.do(s.client(s.ca), "POST", "/api/v1/freeze", because, s.secrets[viewer])
	require.Equal(t, http.StatusForbidden, r.StatusCode)
	require.False(t, s.node.frozen.On)
	require.Len(t, s.journal.entries, 1)
	e := s.journal.entries[0]
	require.Equal(t, []string{"viewer", "freeze", "freeze", "failed: token viewer is viewer: POST /api/v1/freeze is for operator"},
		[]string{e.Actor, e.Action, e.Object, e.Outcome})
	require.Regexp(t, `^127\.0\.0\.1:\d+ token viewer$`, e.From)
	require.EqualValues(t, 1, s.refused(refusedRole))
}

// TestOIDCLogin: tokens of the issuer are logins under the name that they prove, beside those of the cluster; others are refused with
// their reason, and while the issuer has never been heard its tokens are told to come back, which locks nobody out.
func TestOIDCLogin(t *testing.T) {
	issuer := oidctest.New(t)
	issuer.Away(true)
	s := startTCPWith(t, contractNode(t), oidcOf(issuer))
	c := s.client(s.ca)
	good := issuer.Sign(issuer.Claims("fairlead", "ada@example.org", "team-operator"))
	for range door.MaxFailures + 1 {
		r, body := s.do(c, "GET", api.StatusPath, "", good)
		require.Equal(t, http.StatusServiceUnavailable, r.StatusCode, body)
		require.Contains(t, problemIn(t, r, body).Detail, "keys are not known yet")
	}
	require.EqualValues(t, door.MaxFailures+1, s.refused(refusedIssuer))
	var status api.Status
	require.Equal(t, http.StatusOK, send(t, s.socket, "GET", api.StatusPath, "", &status), "the node has started all the same")
	require.False(t, status.OIDC.Known)
	require.NotNil(t, status.OIDC.FailedSince)
	require.Contains(t, status.OIDC.Failure, "503")
	require.Contains(t, s.log.String(), "OIDC issuer not readable")
	r, body := s.do(c, "GET", api.StatusPath, "", s.secrets[viewer])
	require.Equal(t, http.StatusOK, r.StatusCode, body)

	issuer.Away(false)
	require.Eventually(t, func() bool {
		r, _ := s.do(c, "GET", api.StatusPath, "", good)
		return r.StatusCode == http.StatusOK
	}, time.Minute, 200*time.Millisecond)
	status = api.Status{}
	require.Equal(t, http.StatusOK, send(t, s.socket, "GET", api.StatusPath, "", &status))
	require.Equal(t, &api.OIDC{Issuer: issuer.URL, Known: true}, status.OIDC)
	r, body = s.do(c, "POST", api.FreezePath, `{"actor":"somebody","reason":"x"}`, good)
	require.Equal(t, http.StatusOK, r.StatusCode, body)
	e := s.journal.entries[len(s.journal.entries)-1]
	require.Equal(t, "ada@example.org (as somebody)", e.Actor)
	require.Regexp(t, `^127\.0\.0\.1:\d+ OIDC ada@example.org$`, e.From)

	r, body = s.do(c, "GET", api.StatusPath, "", issuer.Sign(issuer.Claims("fairlead", "bob", "sales")))
	require.Equal(t, http.StatusForbidden, r.StatusCode, body)
	require.Contains(t, problemIn(t, r, body).Detail, "OIDC bob is of no role")
	expired := issuer.Claims("fairlead", "ada", "team-admin")
	expired["exp"] = time.Now().Add(-time.Minute).Unix()
	for token, reason := range map[string]string{
		issuer.Sign(expired): refusedExpired,
		issuer.Sign(issuer.Claims("grafana", "ada", "team-admin")):                    refusedUnknown,
		oidctest.Unsigned(t, issuer.Claims("fairlead", "ada", "team-admin")):          refusedUnknown,
		oidctest.New(t).Sign(issuer.Claims("fairlead", "ada", "team-admin")):          refusedUnknown,
		issuer.Sign(map[string]any{"iss": issuer.URL, "aud": "fairlead", "sub": "a"}): refusedExpired,
	} {
		before := s.refused(reason)
		r, body := s.do(c, "GET", api.StatusPath, "", token)
		require.Equal(t, http.StatusUnauthorized, r.StatusCode, body)
		require.Contains(t, r.Header.Get("WWW-Authenticate"), "invalid_token")
		require.Equal(t, before+1, s.refused(reason))
	}
	// A login to the dashboard ends with the token.
	now := time.Now()
	require.True(t, s.server.tokenGood("ada", oidcPrefix+strconv.FormatInt(now.Add(time.Minute).Unix(), 10), now))
	require.False(t, s.server.tokenGood("ada", oidcPrefix+strconv.FormatInt(now.Add(-time.Minute).Unix(), 10), now))
	require.False(t, s.server.tokenGood("ada", oidcPrefix+"x", now))
}
