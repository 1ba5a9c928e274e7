package config

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"

	"github.com/miekg/dns"
)

// publicOf is the key of a DNSKEY record.
func publicOf(k *dns.DNSKEY) (crypto.PublicKey, error) {
	raw, err := base64.StdEncoding.DecodeString(k.PublicKey)
	if err != nil {
		return nil, err
	}
	switch k.Algorithm {
	case dns.ECDSAP256SHA256:
		if len(raw) != 64 {
			return nil, fmt.Errorf("%d octets, want 64", len(raw))
		}
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, raw...))
	case dns.ED25519:
		if len(raw) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%d octets, want %d", len(raw), ed25519.PublicKeySize)
		}
		return ed25519.PublicKey(raw), nil
	default:
		return rsaKey(raw)
	}
}

// rsaKey reads RFC 3110 section 2.
func rsaKey(raw []byte) (crypto.PublicKey, error) {
	if len(raw) < 4 {
		return nil, fmt.Errorf("%d octets are no RSA key", len(raw))
	}
	n, rest := int(raw[0]), raw[1:]
	if n == 0 {
		n, rest = int(raw[1])<<8|int(raw[2]), raw[3:]
	}
	// An exponent of more than 31 bits is none that the library takes.
	if n == 0 || n > 4 || n >= len(rest) {
		return nil, fmt.Errorf("an RSA exponent of %d octets", n)
	}
	e := 0
	for _, c := range rest[:n] {
		e = e<<8 | int(c)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(rest[n:]), E: e}, nil
}
