package config

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// defaultOIDCClaim is the claim whose values are given roles, where the node file names none.
	defaultOIDCClaim = "groups"
	// defaultOIDCName is the claim that is the name of the login: the one that every token has.
	defaultOIDCName = "sub"
	// OIDCSession is how long a login of a browser at the issuer lasts at most, and by default: a shift, as other logins to the dashboard.
	OIDCSession = 12 * time.Hour
	// maxOIDCScopes bounds what is asked for.
	maxOIDCScopes = 16
	// maxOIDCText bounds what is compared with claims, in octets.
	maxOIDCText = 1024
)

// defaultOIDCScopes are asked for where the node file names none: every issuer knows them.
var defaultOIDCScopes = []string{"profile", "email"}

// AdminOIDC says whose tokens, besides those of `fairlead token create`, are logins over TCP (OpenID Connect).
type AdminOIDC struct {
	// Issuer is the URL below which the issuer's configuration lies, and what its tokens say that they come from. Audience is whom tokens
	// are for: this service, as the issuer knows it.
	Issuer, Audience string
	// Claim is the claim of a token, a text or a list of texts, whose values Roles gives viewer, operator or admin to; the greatest counts,
	// and without one there is no login. Name is the claim that orders are recorded under.
	Claim, Name string
	Roles       map[string]string
	// CA is the path of the PEM file of the CAs that sign the issuer's certificate; empty means those of the system.
	CA string
	// Login is nil where people do not log in to the dashboard at the issuer.
	Login *OIDCLogin
}

// OIDCLogin says how people log in to the dashboard at the issuer: by the authorization code flow with PKCE.
type OIDCLogin struct {
	// Client is this service's client_id. SecretFile is the path of the client's secret; empty for a public client.
	Client, SecretFile string
	// Scopes are asked for beside openid. Session is for how long a login lasts.
	Scopes  []string
	Session time.Duration
}

// String says all of it.
func (l *OIDCLogin) String() string {
	if l == nil {
		return "none"
	}
	return fmt.Sprintf("client %q, secret_file %q, scopes %q, session %s", l.Client, l.SecretFile, l.Scopes, l.Session)
}

// String says all of it, in one order.
func (o *AdminOIDC) String() string {
	if o == nil {
		return "none"
	}
	roles := make([]string, 0, len(o.Roles))
	for _, value := range slices.Sorted(maps.Keys(o.Roles)) {
		roles = append(roles, fmt.Sprintf("%s: %s", value, o.Roles[value]))
	}
	return fmt.Sprintf("issuer %s, audience %q, claim %q, name %q, roles %q, ca %q, login %s", o.Issuer, o.Audience, o.Claim, o.Name, roles, o.CA, o.Login)
}

func oidcShape() *shape {
	return object(
		required("issuer", text("a URL, as in https://login.example.org/realm", issuerURL)).says("The issuer's URL; its keys are found below it, and read again every hour."),
		required("audience", text("whom the tokens are for", oidcText)).says("This service, as the issuer knows it."),
		optional("claim", text("the name of a claim", oidcText)).value(defaultOIDCClaim).says("The claim, a text or a list, whose values have roles."),
		optional("name", text("the name of a claim", oidcText)).value(defaultOIDCName).says("The claim that orders are recorded under."),
		required("roles", &shape{dict: enum("viewer", "operator", "admin"), noun: "value of the claim", least: 1, most: MaxAdminRoles}).
			says("Roles by value of the claim; the greatest counts, and without one there is no role."),
		optional("ca", text("a path", lineText)).or("those of the system").says("The CAs in PEM that sign the issuer's certificate."),
		optional("login", oidcLoginShape()).or("they do not").says("People log in to the dashboard at the issuer (authorization code flow with PKCE)."),
	)
}

func oidcLoginShape() *shape {
	return object(
		optional("client", text("the client_id of this service", oidcText)).or("audience").
			says("The client_id; its redirect URIs have https://NODE:PORT/ui/login/return of each node, by the names that browsers use."),
		optional("secret_file", text("a path", lineText)).or("none, a public client").says("The file with the client's secret, read for each login."),
		optional("scopes", &shape{list: text("a scope, as in groups", scopeText), least: 1, most: maxOIDCScopes}).
			or("["+strings.Join(defaultOIDCScopes, ", ")+"]").says("Asked for beside openid."),
		optional("session", duration(5*time.Minute, OIDCSession)).or(OIDCSession).says("How long such a login lasts."),
	)
}

// login reads the key admin.oidc.login, which may be missing.
func (o *AdminOIDC) login(at *yamlNode) {
	if at == nil {
		return
	}
	o.Login = &OIDCLogin{
		Client: stringOf(field(at, "client")), SecretFile: stringOf(field(at, "secret_file")), Scopes: slices.Clone(defaultOIDCScopes),
		Session: durationOf(field(at, "session"), OIDCSession),
	}
	if o.Login.Client == "" {
		o.Login.Client = o.Audience
	}
	if scopes := field(at, "scopes"); scopes != nil {
		o.Login.Scopes = o.Login.Scopes[:0]
		for _, s := range items(scopes) {
			o.Login.Scopes = append(o.Login.Scopes, stringOf(s))
		}
	}
}

// scopeText is a scope-token of RFC 6749 section 3.3.
func scopeText(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) || s == "" {
		return errors.New("want one scope, without spaces")
	}
	return oidcText(s)
}

// oidc reads the key admin.oidc, which may be missing.
func (n *Node) oidc(r *report, at *yamlNode) {
	if at == nil {
		return
	}
	if n.Admin.Listen == "" {
		r.node(at, Error, "admin.oidc", "no address to serve at: the unix socket knows no tokens", "set admin.listen, as in 192.0.2.1:8443")
	}
	o := &AdminOIDC{
		Issuer: stringOf(field(at, "issuer")), Audience: stringOf(field(at, "audience")), CA: stringOf(field(at, "ca")), Roles: make(map[string]string),
		Claim: defaultOIDCClaim, Name: defaultOIDCName,
	}
	if claim := field(at, "claim"); claim != nil {
		o.Claim = stringOf(claim)
	}
	if name := field(at, "name"); name != nil {
		o.Name = stringOf(name)
	}
	if roles := field(at, "roles"); roles != nil {
		for value, role := range entries(roles) {
			o.Roles[value.Value] = stringOf(role)
			if err := oidcText(value.Value); err != nil {
				r.node(value, Error, (*yamlPath)(nil).at("admin", "oidc", "roles", value.Value).String(), err.Error(), "")
			}
		}
	}
	o.login(field(at, "login"))
	n.Admin.OIDC = o
}

// issuerURL: keys that came in clear could be anybody's, but for those of this machine itself.
func issuerURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || len(s) > maxOIDCText {
		return errors.New("want a URL without a query, as in https://login.example.org/realm")
	}
	addr, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]"))
	loopback := err == nil && addr.IsLoopback() || u.Hostname() == "localhost"
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return errors.New("want a URL that begins with https://; http:// only to a loopback address")
	}
	return nil
}

func oidcText(s string) error {
	if len(s) > maxOIDCText {
		return fmt.Errorf("at most %d octets, got %d", maxOIDCText, len(s))
	}
	return lineText(s)
}
