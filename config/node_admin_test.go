package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const adminTLS = "admin:\n  listen: \"192.0.2.1:8443\"\n  tls:\n    cert: c\n    key: k\n"

func TestAdmin(t *testing.T) {
	n, problems := ParseNode("node.yaml", []byte(adminTLS+"    client_ca: ca\n    roles:\n      ada: admin\n      \"spiffe://example.org/ci\": operator\n"))
	require.NotNil(t, n, "%s", problems)
	require.Empty(t, problems)
	require.Equal(t, Admin{Listen: "192.0.2.1:8443", TLS: &AdminTLS{
		Cert: "c", Key: "k", ClientCA: "ca", Roles: map[string]string{"ada": "admin", "spiffe://example.org/ci": "operator"},
	}}, n.Admin)
	require.Equal(t, `cert c, key k, client_ca "ca", roles ["ada: admin" "spiffe://example.org/ci: operator"]`, n.Admin.TLS.String())
	require.Equal(t, "none", (*AdminTLS)(nil).String())
}

func TestAdminRejects(t *testing.T) {
	ca := adminTLS + "    client_ca: ca\n"
	roles := func(count int) string {
		var b strings.Builder
		for i := range count {
			fmt.Fprintf(&b, "      n%d: viewer\n", i)
		}
		return ca + "    roles:\n" + b.String()
	}
	long := strings.Repeat("x", maxCertName)
	for _, tt := range []struct{ name, text, want string }{
		{"in clear", "admin:\n  listen: \"192.0.2.1:8443\"\n", ":2:11: error: admin.listen: nothing is served in clear: the key tls is missing"},
		{"nowhere", "admin:\n  tls: {cert: c, key: k}\n", ":2:8: error: admin.tls: no address to serve at"},
		{"roles of nobody", adminTLS + "    roles: {ada: admin}\n", ":6:12: error: admin.tls.roles: roles of certificates, and none is accepted"},
		{"no key", "admin:\n  listen: \"192.0.2.1:8443\"\n  tls: {cert: c}\n", `error: admin.tls: the key "key" is missing`},
		{"no port", "admin: {listen: 192.0.2.1, tls: {cert: c, key: k}}\n", `:1:17: error: admin.listen: want host:port, as in 192.0.2.1:7946, got "192.0.2.1"`},
		{"port 0", strings.Replace(adminTLS, "8443", "0", 1), `:2:11: error: admin.listen: the port "0": want 1 to 65535`},
		{"port 65536", strings.Replace(adminTLS, "8443", "65536", 1), `:2:11: error: admin.listen: the port "65536": want 1 to 65535`},
		{"a role that does not exist", ca + "    roles: {ada: root}\n", `:7:18: error: admin.tls.roles.ada: `},
		{"no roles", ca + "    roles: {}\n", `error: admin.tls.roles: is empty`},
		{"1,001 roles", roles(MaxAdminRoles + 1), `error: admin.tls.roles: 1001 certificates, want 1 to 1000`},
		{"a long name", ca + "    roles:\n      ? " + long + "x\n      : admin\n", "a name has at most 2048 octets, got 2049"},
		{"a name with an end of line", ca + "    roles:\n      \"a\\nb\": admin\n", "want the common name of a certificate, or a URI of it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, problems := ParseNode("node.yaml", []byte(tt.text))
			require.Nil(t, n)
			require.Contains(t, problems.String(), tt.want)
		})
	}
	for _, good := range []string{
		strings.Replace(adminTLS, "8443", "1", 1), strings.Replace(adminTLS, "8443", "65535", 1), roles(1), roles(MaxAdminRoles),
		ca + "    roles:\n      ? " + long + "\n      : admin\n",
	} {
		n, problems := ParseNode("node.yaml", []byte(good))
		assert.NotNil(t, n, "%s", problems)
	}
}

const adminOIDC = adminTLS + "  oidc:\n    issuer: https://login.example.org/realm\n    audience: fairlead\n    roles:\n      sre: operator\n      platform: admin\n"

func TestAdminOIDC(t *testing.T) {
	n, problems := ParseNode("node.yaml", []byte(adminOIDC))
	require.NotNil(t, n, "%s", problems)
	require.Empty(t, problems)
	require.Equal(t, &AdminOIDC{
		Issuer: "https://login.example.org/realm", Audience: "fairlead", Claim: "groups", Name: "sub", Roles: map[string]string{"sre": "operator", "platform": "admin"},
	}, n.Admin.OIDC)
	require.Equal(t, `issuer https://login.example.org/realm, audience "fairlead", claim "groups", name "sub", roles ["platform: admin" "sre: operator"], ca "", login none`, n.Admin.OIDC.String())
	require.Equal(t, "none", (*AdminOIDC)(nil).String())
	n, problems = ParseNode("node.yaml", []byte(adminOIDC+"    claim: roles\n    name: email\n    ca: ca.pem\n"))
	require.NotNil(t, n, "%s", problems)
	require.Equal(t, []string{"roles", "email", "ca.pem"}, []string{n.Admin.OIDC.Claim, n.Admin.OIDC.Name, n.Admin.OIDC.CA})
	n, problems = ParseNode("node.yaml", []byte(adminOIDC+"    login: {}\n"))
	require.NotNil(t, n, "%s", problems)
	require.Equal(t, &OIDCLogin{Client: "fairlead", Scopes: []string{"profile", "email"}, Session: 12 * time.Hour}, n.Admin.OIDC.Login)
	n, problems = ParseNode("node.yaml", []byte(adminOIDC+"    login: {client: dash, secret_file: s, scopes: [groups], session: 5m}\n"))
	require.NotNil(t, n, "%s", problems)
	require.Equal(t, `client "dash", secret_file "s", scopes ["groups"], session 5m0s`, n.Admin.OIDC.Login.String())

	for _, tt := range []struct{ name, text, want string }{
		{"no listener", "admin:\n  oidc: {issuer: \"https://i\", audience: a, roles: {a: admin}}\n", "error: admin.oidc: no address to serve at"},
		{"in clear", strings.Replace(adminOIDC, "https:", "http:", 1), "want a URL that begins with https://; http:// only to a loopback address"},
		{"with a query", strings.Replace(adminOIDC, "realm", "realm?a=b", 1), "want a URL without a query"},
		{"no issuer", strings.Replace(adminOIDC, "    issuer: https://login.example.org/realm\n", "", 1), `the key "issuer" is missing`},
		{"no audience", strings.Replace(adminOIDC, "    audience: fairlead\n", "", 1), `the key "audience" is missing`},
		{"a role that does not exist", strings.Replace(adminOIDC, "sre: operator", "sre: root", 1), "error: admin.oidc.roles.sre: "},
		{"a short session", adminOIDC + "    login: {session: 4m59s}\n", "4m59s is out of range, want 5m to 12h"},
		{"a long session", adminOIDC + "    login: {session: 12h1s}\n", "is out of range, want 5m to 12h"},
		{"two scopes in one", adminOIDC + "    login: {scopes: [profile groups]}\n", "want one scope, without spaces"},
		{"too many scopes", adminOIDC + "    login: {scopes: [" + strings.Repeat("x, ", maxOIDCScopes) + "x]}\n", "17 entries, want 1 to 16"},
		{"a long value", strings.Replace(adminOIDC, "sre:", "? "+strings.Repeat("x", maxOIDCText+1)+"\n      :", 1), "at most 1024 octets, got 1025"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, problems := ParseNode("node.yaml", []byte(tt.text))
			require.Nil(t, n)
			require.Contains(t, problems.String(), tt.want)
		})
	}
	for _, loopback := range []string{"http://127.0.0.1:8080", "http://[::1]:1/x", "http://localhost"} {
		n, problems := ParseNode("node.yaml", []byte(strings.Replace(adminOIDC, "https://login.example.org/realm", loopback, 1)))
		require.NotNil(t, n, "%s", problems)
	}
}
