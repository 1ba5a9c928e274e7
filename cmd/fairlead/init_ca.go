package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// initOperator is whose certificate init makes, with the role admin.
	initOperator = "operator"
	// caYears is how long the CA is good, certificateYears what it signs.
	caYears, certificateYears = 20, 5
	// backdated is for machines whose clocks are behind.
	backdated = time.Hour
)

// An initCA signs the certificates of the admin API.
type initCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// makeCertificates makes the CA, the certificates of the nodes and that of the operator.
func (l *initLayout) makeCertificates() error {
	if err := os.MkdirAll(filepath.Join(l.dir, caDir), 0o700); err != nil {
		return err
	}
	ca := new(initCA)
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Fairlead admin CA of " + l.zone}, NotAfter: time.Now().AddDate(caYears, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if err := ca.sign(template, l.caFile("ca")); err != nil {
		return err
	}
	for _, n := range l.nodes {
		if err := ca.signNode(n); err != nil {
			return err
		}
	}
	return ca.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: initOperator}, NotAfter: time.Now().AddDate(certificateYears, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, l.caFile(initOperator))
}

// signNode makes the key and the certificate of a node's admin API, and puts the CA's beside them.
func (ca *initCA) signNode(n *initNode) error {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: n.Name}, NotAfter: time.Now().AddDate(certificateYears, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{n.Name}, IPAddresses: []net.IP{n.Admin.Addr().AsSlice()},
	}
	if err := ca.sign(template, filepath.Join(n.dir, "admin")); err != nil {
		return err
	}
	return writePEM(filepath.Join(n.dir, "ca.crt"), "CERTIFICATE", ca.cert.Raw)
}

// sign makes a key and a certificate for it, in path.key and path.crt; the first one signs itself, and all that follow.
func (ca *initCA) sign(template *x509.Certificate, path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return err
	}
	template.NotBefore = time.Now().Add(-backdated)
	parent, signer := ca.cert, ca.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return err
	}
	if ca.cert == nil {
		if ca.cert, err = x509.ParseCertificate(der); err != nil {
			return err
		}
		ca.key = key
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(path+".key", "PRIVATE KEY", private); err != nil {
		return err
	}
	return writePEM(path+".crt", "CERTIFICATE", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
