package config

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/fairlead-dns/fairlead/config/durable"
)

const (
	// maxKeyFile bounds what is read of a file with keys.
	maxKeyFile = 64 << 10
	// maxKeys is how many keys a keyring has: two while one is being replaced, and some to spare.
	maxKeys = 16
	// pemPrivateKey is the label of PKCS #8 (RFC 7468 section 10).
	pemPrivateKey = "PRIVATE KEY"
)

// ErrKeyFile says that a file holds no keys or certificates, or shows keys to everybody. The text names the file, never what is in it.
var ErrKeyFile = errors.New("unfit file of keys")

// ReadKeyFile reads a file that nobody but its owner and group can read, of at most 64 KiB.
func ReadKeyFile(path string) ([]byte, error) { return readSmall(path, true) }

// ReadCertFile reads a file that anybody may read, of at most 64 KiB.
func ReadCertFile(path string) ([]byte, error) { return readSmall(path, false) }

func readSmall(path string, secret bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s: not a regular file", ErrKeyFile, path)
	}
	if mode := info.Mode().Perm(); secret && mode&0o007 != 0 {
		return nil, fmt.Errorf("%w: %s: mode %04o lets everybody at it: chmod 600", ErrKeyFile, path, mode)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(b) > maxKeyFile {
		err = fmt.Errorf("%w: %s: more than %d octets", ErrKeyFile, path, maxKeyFile)
	}
	return b, err
}

// ReadIdentity reads a node's private key: Ed25519, PKCS #8, PEM.
func ReadIdentity(path string) (ed25519.PrivateKey, error) {
	b, err := ReadKeyFile(path)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(b)
	if block == nil || block.Type != pemPrivateKey || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%w: %s: want one PEM block %q", ErrKeyFile, path, pemPrivateKey)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: not a private key in PKCS #8", ErrKeyFile, path)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: %s: not an Ed25519 key", ErrKeyFile, path)
	}
	return private, nil
}

// WriteIdentity writes what ReadIdentity reads. A file that exists is an error: whoever replaces an identity removes it first.
func WriteIdentity(path string, key ed25519.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writeNew(path, pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der}))
}

func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// ReadKeyring reads the keys that encrypt gossip: one in base64 on each line, of 16, 24 or 32 octets. The first one encrypts,
// all of them decrypt. Empty lines and those that begin with # do not count.
func ReadKeyring(path string) ([][]byte, error) {
	b, err := ReadKeyFile(path)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	lines := 0
	for line := range strings.Lines(string(b)) {
		lines++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, err := ParseKey(line)
		if err != nil {
			return nil, fmt.Errorf("%w: %s:%d: %w", ErrKeyFile, path, lines, err)
		}
		for _, other := range keys {
			if bytes.Equal(key, other) {
				return nil, fmt.Errorf("%w: %s:%d: this key stands there already", ErrKeyFile, path, lines)
			}
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fmt.Errorf("%w: %s: %d keys, want 1 to %d", ErrKeyFile, path, len(keys), maxKeys)
	}
	return keys, nil
}

// ParseKey is a key of a keyring from base64. Errors do not repeat it.
func ParseKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("not base64")
	}
	if n := len(key); n != 16 && n != 24 && n != 32 {
		return nil, fmt.Errorf("a key of %d octets, want 16, 24 or 32", n)
	}
	return key, nil
}

// WriteKeyring replaces the file by the keys, the first of which encrypts.
func WriteKeyring(path string, keys [][]byte) error {
	var b strings.Builder
	b.WriteString("# Keys of gossip: the first one encrypts, all of them decrypt.\n")
	for _, key := range keys {
		b.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	}
	return durable.WriteFile(path, []byte(b.String()))
}
