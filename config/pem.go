package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// checkPEM looks into a PEM file for the key that names it. The error never quotes the file.
func checkPEM(key string, content []byte) error {
	block, _ := pem.Decode(content)
	switch {
	case block == nil:
		return fmt.Errorf("the file is not PEM")
	case key == "client_key" && !strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return fmt.Errorf("the file holds no private key, but a %s", strings.ToLower(block.Type))
	case key == "client_cert" && block.Type != "CERTIFICATE":
		return fmt.Errorf("the file holds no certificate, but a %s", strings.ToLower(block.Type))
	case key == "ca" && !x509.NewCertPool().AppendCertsFromPEM(content):
		return fmt.Errorf("the file holds no usable certificate")
	}
	return nil
}

// keyPair checks that certificate and key are both there and belong together.
func (b *builder) keyPair(n *yamlNode, t *TLSCheck, at *yamlPath) {
	cert, key := field(n, "client_cert"), field(n, "client_key")
	switch {
	case cert != nil && key == nil:
		b.errorf(cert, at.child("client_cert"), "", "client_cert needs client_key")
	case cert == nil && key != nil:
		b.errorf(key, at.child("client_key"), "", "client_key needs client_cert")
	case t.ClientCert != nil && t.ClientKey != nil && checkPEM("client_cert", t.ClientCert) == nil && checkPEM("client_key", t.ClientKey) == nil:
		if _, err := tls.X509KeyPair(t.ClientCert, t.ClientKey); err != nil {
			b.errorf(cert, at.child("client_cert"), "", "certificate and key do not fit: %s", strings.TrimPrefix(err.Error(), "tls: "))
		}
	}
}
