package admin

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRouteRoles asks every route as everybody over TCP.
func TestRouteRoles(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca)
	for name, want := range contract {
		method, path := splitName(name)
		if want.path != "" {
			path = want.path
		}
		for _, as := range []role{"none", viewer, operator, administrator} {
			s.node.intents = contractNode(t).intents
			recorded := len(s.journal.entries)
			r, body := s.do(c, method, path, want.body, s.secrets[as])
			switch {
			case as == "none" && want.role != anyone:
				require.Equal(t, http.StatusUnauthorized, r.StatusCode, "%s as %s: %s", name, as, body)
				require.Equal(t, challenge, r.Header.Get("WWW-Authenticate"))
				problemIn(t, r, body)
				require.Len(t, s.journal.entries, recorded, "strangers do not fill the journal")
			case as != "none" && !as.may(want.role):
				require.Equal(t, http.StatusForbidden, r.StatusCode, "%s as %s: %s", name, as, body)
				require.Contains(t, r.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
				require.Contains(t, problemIn(t, r, body).Detail, "token "+string(as)+" is "+string(as))
			default:
				// The first who may has made what the next one asks for.
				allowed := r.StatusCode == want.status || r.StatusCode == http.StatusConflict || r.StatusCode == http.StatusNotFound
				require.True(t, allowed, "%s as %s: %d %s", name, as, r.StatusCode, body)
			}
		}
	}
	r, body := s.do(c, "GET", "/nothing", "", "")
	require.Equal(t, http.StatusUnauthorized, r.StatusCode, "a stranger is not told which paths there are: %s", body)
	r, body = s.do(c, "GET", "/nothing", "", s.secrets[viewer])
	require.Equal(t, http.StatusNotFound, r.StatusCode, body)
	r, body = s.do(c, "DELETE", "/healthz", "", s.secrets[viewer])
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
	require.False(t, s.node.frozen.Frozen)
	require.Len(t, s.journal.entries, 1)
	e := s.journal.entries[0]
	require.Equal(t, []string{"viewer", "freeze", "freeze", "failed: token viewer is viewer: POST /api/v1/freeze is for operator"},
		[]string{e.Actor, e.Action, e.Object, e.Outcome})
	require.Regexp(t, `^127\.0\.0\.1:\d+ token viewer$`, e.From)
	require.EqualValues(t, 1, s.refused(refusedRole))
}
