package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/oidc/oidctest"
)

// TestOIDC: a node starts and answers while its issuer is away, and says so; once the issuer is there its tokens are logins for the
// commands, by name and role, and others are none.
func TestOIDC(t *testing.T) {
	waits(t)
	issuer := oidctest.New(t)
	issuer.Away(true)
	s := startAdminWith(t, true, fmt.Sprintf("  oidc: {issuer: %q, audience: fairlead, name: email, roles: {sre: operator, all: viewer}}\n", issuer.URL))
	file := func(name string, claims map[string]any) string {
		claims["email"] = name + "@example.org"
		return s.write(t, name+".jwt", []byte(issuer.Sign(claims)+"\n"))
	}
	ada := file("ada", issuer.Claims("fairlead", "1", "all", "sre"))
	as := func(token string, args ...string) (string, int) {
		return run(t, s.bin, append(args, "--server=https://"+s.addr, "--ca="+s.ca, "--token-file="+token)...)
	}
	out, code := as(ada, "status")
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "keys are not known yet")
	out, _ = run(t, s.bin, "status", "--server=unix:"+s.socket)
	require.Contains(t, out, "OIDC issuer not readable")
	require.Contains(t, s.output(), "OIDC issuer not readable issuer="+issuer.URL)

	issuer.Away(false)
	await(t, "the issuer's keys", func() bool {
		_, code := as(ada, "get", "zones")
		return code == 0
	})
	out, code = as(ada, "freeze", "--reason", "a look")
	require.Zero(t, code, out)
	r, body := s.get(t, s.client(t, nil), api.AuditPath, issuer.Sign(issuer.Claims("fairlead", "2", "sre")))
	require.Equal(t, http.StatusUnauthorized, r.StatusCode, "without the claim that names it: %s", body)
	out, code = run(t, s.bin, "audit", "-o", "json", s.stateDir())
	require.Zero(t, code, out)
	var entry api.AuditEntry
	require.NoError(t, json.Unmarshal([]byte(out), &entry), out)
	require.Contains(t, entry.Actor, "ada@example.org")
	require.Contains(t, entry.From, "OIDC ada@example.org")

	out, code = as(file("bob", issuer.Claims("fairlead", "3", "all")), "unfreeze")
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "OIDC bob@example.org is viewer")
	out, code = as(file("eve", issuer.Claims("grafana", "4", "sre")), "status")
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "no OIDC token of the issuer for this service")
}

// stateDir is the state directory of the node.
func (s *adminSite) stateDir() string { return s.process.dir + "/state" }
