package config

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

const (
	// defaultOIDCClaim is the claim whose values are given roles, where the node file names none.
	defaultOIDCClaim = "groups"
	// defaultOIDCName is the claim that is the name of the login: the one that every token has.
	defaultOIDCName = "sub"
	// maxOIDCText bounds what is compared with claims, in octets.
	maxOIDCText = 1024
)

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
	return fmt.Sprintf("issuer %s, audience %q, claim %q, name %q, roles %q, ca %q", o.Issuer, o.Audience, o.Claim, o.Name, roles, o.CA)
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
	)
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
