package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A tlsPart adds TLS to a checker: one configuration for the check, whatever the number of targets.
type tlsPart struct {
	config     *tls.Config
	warnBefore time.Duration
	// protocol must come out of ALPN, unless it is empty.
	protocol string
}

// newTLSPart builds the TLS side of check. name is the name to ask for and to verify; empty means each target's own
// host.
func newTLSPart(check *config.TLSCheck, name string, protocols ...string) (*tlsPart, error) {
	p := &tlsPart{config: &tls.Config{
		MinVersion:             tls.VersionTLS12,
		NextProtos:             protocols,
		ServerName:             name,
		SessionTicketsDisabled: true,
	}}
	if check == nil {
		return p, nil
	}
	p.warnBefore = check.WarnBefore
	if len(check.CA) > 0 {
		p.config.RootCAs = x509.NewCertPool()
		if !p.config.RootCAs.AppendCertsFromPEM(check.CA) {
			return nil, errors.New("tls.ca: no certificate in PEM")
		}
	}
	if len(check.ClientCert) > 0 {
		pair, err := tls.X509KeyPair(check.ClientCert, check.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("tls.client_cert: %w", err)
		}
		p.config.Certificates = []tls.Certificate{pair}
	}
	return p, nil
}

// handshake puts TLS over l, and records the phase, the failure and what is to be said about the certificate in r.
func (p *tlsPart) handshake(l *link, target health.Target, r *Result) (*tls.Conn, bool) {
	cfg := p.config
	if cfg.ServerName == "" {
		// A copy for the time of the probe only: SNI and verification need the name of this target.
		cfg = cfg.Clone()
		cfg.ServerName = strings.TrimSuffix(target.Host, ".")
	}
	start := time.Now()
	conn := tls.Client(l, cfg)
	// The link's deadline bounds the handshake; a context would cost a goroutine.
	err := conn.Handshake()
	now := time.Now()
	r.Phases.TLS = now.Sub(start)
	if err != nil {
		r.fail(handshakeReason(err, now, target))
		return nil, false
	}
	state := conn.ConnectionState()
	if p.protocol != "" && state.NegotiatedProtocol != p.protocol {
		r.fail(because(TLSError, "the peer does not offer %s", p.protocol))
		return nil, false
	}
	p.ends(state.VerifiedChains, now, r)
	return conn, true
}

// ends records when a certificate does, and warns if that is soon.
func (p *tlsPart) ends(chains [][]*x509.Certificate, now time.Time, r *Result) {
	r.CertificateExpiry = expiry(chains)
	if p.warnBefore > 0 && r.CertificateExpiry.Sub(now) < p.warnBefore {
		r.Warning = "certificate expires on " + day(r.CertificateExpiry)
	}
}

// expiry is when the last of chains ends: a chain ends with the first of its certificates.
func expiry(chains [][]*x509.Certificate) time.Time {
	var last time.Time
	for _, chain := range chains {
		end := chain[0].NotAfter
		for _, c := range chain[1:] {
			if c.NotAfter.Before(end) {
				end = c.NotAfter
			}
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}

// handshakeReason says why TLS failed.
func handshakeReason(err error, now time.Time, target health.Target) Reason {
	var (
		invalid   x509.CertificateInvalidError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		record    tls.RecordHeaderError
		verify    *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.Before(invalid.Cert.NotBefore):
		return because(CertificateNotYetValid, "%s not valid before %s", whose(invalid.Cert), day(invalid.Cert.NotBefore))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return because(CertificateExpired, "%s expired on %s", whose(invalid.Cert), day(invalid.Cert.NotAfter))
	case errors.As(err, &authority):
		issuer := ""
		if authority.Cert != nil {
			issuer = clip(authority.Cert.Issuer.CommonName, 80)
		}
		return because(UnknownAuthority, "certificate signed by unknown authority %q", issuer)
	case errors.As(err, &name):
		return because(WrongName, "certificate is for %s, not for %s", names(name.Certificate), name.Host)
	case errors.As(err, &verify):
		return because(TLSError, "certificate not accepted: %s", strings.TrimPrefix(verify.Err.Error(), "x509: "))
	case errors.As(err, &record):
		return because(TLSError, "the peer does not speak TLS")
	}
	reason := brokenReason(err, stepTLS, target)
	if reason.Kind == Protocol {
		return because(TLSError, "TLS handshake: %s", strings.TrimPrefix(root(err).Error(), "tls: "))
	}
	return reason
}

// whose names a certificate in a chain: the peer's own, or that of an authority.
func whose(c *x509.Certificate) string {
	if c.IsCA {
		return fmt.Sprintf("certificate of the authority %q", clip(c.Subject.CommonName, 80))
	}
	return "certificate"
}

// names lists what a certificate is for: the first three names, and how many more there are.
func names(c *x509.Certificate) string {
	const most = 3
	var list []string
	for _, n := range c.DNSNames {
		list = append(list, clip(n, 60))
	}
	for _, ip := range c.IPAddresses {
		list = append(list, net.IP(ip).String())
	}
	switch {
	case len(list) == 0:
		return "no name"
	case len(list) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

// day is a date as it is written in reasons, in UTC.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
