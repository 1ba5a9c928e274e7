package door

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
)

// rereadAfter is how old what was read of the files may be when somebody connects.
const rereadAfter = time.Second

// A Certificate is how a TCP listener proves who it is, and what it takes for proof. The files are read again when somebody
// connects, so that a new certificate counts from then on, and connections that exist go on. Files that do not fit, as in the
// middle of a rotation, change nothing.
type Certificate struct {
	// of is what listens, in words.
	of       string
	files    *config.AdminTLS
	logger   *slog.Logger
	failures prometheus.Counter
	expires  prometheus.Gauge

	mu sync.Mutex
	// The rest is guarded by mu. content is what config was made of, in the order of the files; lastErr is the error that was
	// logged last.
	readAt  time.Time
	content [3][]byte
	config  *tls.Config
	lastErr string
}

// NewCertificate reads the files of a listener, which of names in words: "the admin API". failures counts what could not be read again, expires
// is when the certificate ends, in seconds since 1970.
func NewCertificate(of string, files *config.AdminTLS, logger *slog.Logger, failures prometheus.Counter, expires prometheus.Gauge) (*Certificate, error) {
	c := &Certificate{of: of, files: files, logger: logger, failures: failures, expires: expires}
	if err := c.readLocked(); err != nil {
		return nil, err
	}
	c.readAt = time.Now()
	return c, nil
}

// ForClient is tls.Config.GetConfigForClient.
func (c *Certificate) ForClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.readAt) >= rereadAfter {
		c.readAt = now
		err := c.readLocked()
		switch {
		case err == nil:
			c.lastErr = ""
		case err.Error() != c.lastErr:
			c.failures.Inc()
			c.logger.Error("certificate not read again: the old one goes on", "of", c.of, "err", err)
			c.lastErr = err.Error()
		}
	}
	return c.config, nil
}

// Forget has the files read at the next connection.
func (c *Certificate) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readAt = time.Time{}
}

// readLocked makes config of the files, if they are others.
func (c *Certificate) readLocked() error {
	var content [3][]byte
	for i, path := range []string{c.files.Cert, c.files.Key, c.files.ClientCA} {
		if path == "" {
			continue
		}
		read := config.ReadCertFile
		if i == 1 {
			read = config.ReadKeyFile
		}
		b, err := read(path)
		if err != nil {
			return err
		}
		content[i] = b
	}
	if c.config != nil && bytes.Equal(content[0], c.content[0]) && bytes.Equal(content[1], c.content[1]) && bytes.Equal(content[2], c.content[2]) {
		return nil
	}
	next, err := tlsConfig(content[0], content[1], content[2])
	if err != nil {
		return fmt.Errorf("%s, %s: %w", c.files.Cert, c.files.Key, err)
	}
	if c.config != nil {
		c.logger.Info("certificate changed", "of", c.of, "expires", next.Certificates[0].Leaf.NotAfter)
	}
	c.content, c.config = content, next
	c.expires.Set(float64(next.Certificates[0].Leaf.NotAfter.Unix()))
	return nil
}

// tlsConfig is TLS 1.3 alone: every client that speaks this API does. Sessions are not resumed, so that a login by a certificate is
// verified against the CA of the moment.
func tlsConfig(cert, key, ca []byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	out := &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}, SessionTicketsDisabled: true,
	}
	if ca == nil {
		return out, nil
	}
	out.ClientCAs = x509.NewCertPool()
	if !out.ClientCAs.AppendCertsFromPEM(ca) {
		return nil, errors.New("client_ca: the file holds no usable certificate")
	}
	// A token will do as well.
	out.ClientAuth = tls.VerifyClientCertIfGiven
	return out, nil
}
