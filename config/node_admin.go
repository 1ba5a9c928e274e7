package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

const (
	// MaxAdminRoles is how many certificates can be given roles of their own, maxCertName the length of a name among them: an
	// ID of SPIFFE has at most 2,048 octets.
	MaxAdminRoles = 1000
	maxCertName   = 2048
)

// Admin is how operators reach the node.
type Admin struct {
	// Socket is the path of the unix socket; empty means the program's default.
	Socket string
	// Listen is host:port where the API is served over TLS as well; empty means nowhere.
	Listen string
	// TLS is set if and only if Listen is.
	TLS *AdminTLS
	// OIDC is nil where no tokens but those of the cluster are logins.
	OIDC *AdminOIDC
}

// AdminTLS says how the API proves who it is, and who proves what to it.
type AdminTLS struct {
	// Cert, Key and ClientCA are paths of PEM files. A certificate that ClientCA signed is a login; empty means that none is.
	Cert, Key, ClientCA string
	// Roles are viewer, operator or admin by the common name, or a URI among the alternative names, of a client's certificate;
	// one that is not named is a viewer.
	Roles map[string]string
}

// String says all of it, in one order.
func (a *AdminTLS) String() string {
	if a == nil {
		return "none"
	}
	roles := make([]string, 0, len(a.Roles))
	for _, name := range slices.Sorted(maps.Keys(a.Roles)) {
		roles = append(roles, fmt.Sprintf("%s: %s", name, a.Roles[name]))
	}
	return fmt.Sprintf("cert %s, key %s, client_ca %q, roles %q", a.Cert, a.Key, a.ClientCA, roles)
}

func adminShape() *shape {
	return object(
		optional("socket", text("a path", socketPath)).or("admin.sock in the state directory").says("The unix socket: whoever can open it may do everything."),
		optional("listen", text("host:port, as in 192.0.2.1:8443", hostPort)).or("nowhere").says("Where the API is served over TLS 1.3 too; needs `tls`."),
		optional("tls", object(
			required("cert", text("a path", lineText)).says("The certificate in PEM. It is read again when it changes."),
			required("key", text("a path", lineText)).says("Its key, which others must not be able to read."),
			optional("client_ca", text("a path", lineText)).or("none is a login").says("A certificate that this CA signed is a login."),
			optional("roles", &shape{dict: enum("viewer", "operator", "admin"), noun: "certificate", least: 1, most: MaxAdminRoles}).or("viewer").
				says("Roles by common name, or a URI among the alternative names, of a client's certificate."),
		)).says("How the API proves who it is, and who proves what to it."),
		optional("oidc", oidcShape()).or("none").says("Bearer tokens of an OpenID Connect issuer are logins too."),
	)
}

// admin reads the key admin, which may be missing.
func (n *Node) admin(r *report, at *yamlNode) {
	listen, tls := field(at, "listen"), field(at, "tls")
	n.Admin = Admin{Socket: stringOf(field(at, "socket")), Listen: stringOf(listen)}
	switch {
	case listen != nil && tls == nil:
		r.node(listen, Error, "admin.listen", "nothing is served in clear: the key tls is missing", "tls: {cert: FILE, key: FILE}")
	case listen == nil && tls != nil:
		r.node(tls, Error, "admin.tls", "no address to serve at", "set admin.listen, as in 192.0.2.1:8443")
	}
	n.oidc(r, field(at, "oidc"))
	if tls == nil {
		return
	}
	roles := field(tls, "roles")
	n.Admin.TLS = &AdminTLS{
		Cert: stringOf(field(tls, "cert")), Key: stringOf(field(tls, "key")), ClientCA: stringOf(field(tls, "client_ca")), Roles: make(map[string]string),
	}
	if roles == nil {
		return
	}
	if n.Admin.TLS.ClientCA == "" {
		r.node(roles, Error, "admin.tls.roles", "roles of certificates, and none is accepted", "set client_ca to the file of the CA that signs them")
	}
	for name, role := range entries(roles) {
		n.Admin.TLS.Roles[name.Value] = stringOf(role)
		if err := certName(name.Value); err != nil {
			r.node(name, Error, (*yamlPath)(nil).at("admin", "tls", "roles", name.Value).String(), err.Error(), "")
		}
	}
}

func certName(s string) error {
	if len(s) > maxCertName {
		return fmt.Errorf("a name has at most %d octets, got %d", maxCertName, len(s))
	}
	if lineText(s) != nil {
		return errors.New("want the common name of a certificate, or a URI of it")
	}
	return nil
}
