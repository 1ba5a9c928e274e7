package config

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// A DNSSEC is how a zone is signed.
type DNSSEC struct {
	// Keys are sorted by file name.
	Keys []*Key
	// Validity is how long a signature is valid when it is made. It is made anew after a quarter of that.
	Validity time.Duration
	// TTL is that of the DNSKEY, CDS and CDNSKEY RRsets, in seconds.
	TTL uint32
	// CSYNC is set where a CSYNC record is to ask the parent to take over name servers and their addresses.
	CSYNC bool
}

// A Key is one key pair in the form of BIND's files. It is immutable.
type Key struct {
	// File is the name of both files without their endings, below the zone file's directory.
	File      string
	Flags     uint16
	Algorithm uint8
	Tag       uint16
	// Data is the RDATA of the DNSKEY record.
	Data   []byte
	Signer crypto.Signer
	// The instants at which the key comes into the zone, begins to sign, ceases to sign and leaves the zone; zero where the file names none:
	// then it is there, and signs, always.
	Publish, Activate, Inactive, Delete time.Time
}

// KSK tells whether the key is an entry point: the DS in the parent stands for it (RFC 4034 section 2.1.1).
func (k *Key) KSK() bool { return k.Flags&dns.SEP != 0 }

// Published tells whether the key is in the DNSKEY RRset at now, Active whether it signs.
func (k *Key) Published(now time.Time) bool { return during(k.Publish, k.Delete, now) }

// Active tells whether the key signs at now.
func (k *Key) Active(now time.Time) bool {
	return k.Published(now) && during(k.Activate, k.Inactive, now)
}

func during(from, until, now time.Time) bool {
	return !now.Before(from) && (until.IsZero() || now.Before(until))
}

// defaultValidity is two weeks: long enough for a weekend and a holiday with broken clocks or nodes that stand still.
const defaultValidity = 14 * 24 * time.Hour

// minRSABits is what RFC 8624 section 3.1 has as the least that is of use.
const minRSABits = 1024

func (b *builder) buildDNSSEC() {
	n := field(b.root, "dnssec")
	dir := stringOf(field(n, "keys"))
	if dir == "" {
		return
	}
	at := (*yamlPath)(nil).at("dnssec", "keys")
	sec := &DNSSEC{Validity: durationOf(field(n, "validity"), defaultValidity), TTL: ttlOf(field(n, "ttl"), defaultNSTTL), CSYNC: boolOf(field(n, "csync"))}
	names, err := b.files.list(dir)
	if err != nil {
		b.errorf(field(n, "keys"), at, "", "%s", err)
		return
	}
	for _, name := range names {
		base, ok := strings.CutSuffix(name, ".private")
		if !ok || !strings.HasPrefix(name, "K") {
			continue
		}
		key, err := b.readKey(path.Join(dir, base))
		switch {
		case errors.Is(err, errOtherZone):
		case err != nil:
			b.errorf(field(n, "keys"), at, "", "the key %s: %s", base, err)
		default:
			sec.Keys = append(sec.Keys, key)
		}
	}
	if len(sec.Keys) == 0 && !b.hasErrors() {
		b.errorf(field(n, "keys"), at, "fairlead dnssec keygen makes some", "no keys for %s in %s", b.zone.Name, shorten(dir))
		return
	}
	b.checkKeys(sec, field(n, "keys"), at)
	b.zone.DNSSEC = sec
}

// checkKeys looks for algorithms of which only one half is there: a validator needs a chain in each (RFC 6840 section 5.11).
func (b *builder) checkKeys(sec *DNSSEC, n *yamlNode, at *yamlPath) {
	sep := make(map[uint8]bool)
	for _, k := range sec.Keys {
		sep[k.Algorithm] = sep[k.Algorithm] || k.KSK()
	}
	for _, k := range sec.Keys {
		if !sep[k.Algorithm] {
			b.errorf(n, at, "fairlead dnssec keygen --ksk makes one", "no key-signing key of the algorithm %s", dns.AlgorithmToString[k.Algorithm])
			return
		}
	}
}

var errOtherZone = errors.New("of another zone")

// readKey reads the two files of a key.
func (b *builder) readKey(base string) (*Key, error) {
	public, err := b.files.get(base + ".key")
	if err != nil {
		return nil, err
	}
	private, err := b.files.get(base + ".private")
	if err != nil {
		return nil, err
	}
	return readKeyPair(base, b.zone.Name, public, private)
}

// readKeyPair reads a key pair in the form of BIND's files.
func readKeyPair(base, zone string, public, private []byte) (*Key, error) {
	record, err := dns.NewRR(string(public))
	if err != nil {
		return nil, fmt.Errorf("%s.key: %w", path.Base(base), err)
	}
	dnskey, ok := record.(*dns.DNSKEY)
	if !ok {
		return nil, fmt.Errorf("%s.key has no DNSKEY record", path.Base(base))
	}
	if owner, err := canonicalName(dnskey.Hdr.Name); err != nil || owner != zone {
		return nil, fmt.Errorf("%w: %s", errOtherZone, dnskey.Hdr.Name)
	}
	k := &Key{File: base, Flags: dnskey.Flags, Algorithm: dnskey.Algorithm, Tag: dnskey.KeyTag()}
	if dnskey.Flags&dns.ZONE == 0 || dnskey.Flags&dns.REVOKE != 0 || dnskey.Protocol != 3 {
		return nil, fmt.Errorf("flags %d and protocol %d: want 256 or 257, and 3", dnskey.Flags, dnskey.Protocol)
	}
	if k.Data, err = packData(dnskey); err != nil {
		return nil, err
	}
	secret, err := dnskey.ReadPrivateKey(strings.NewReader(string(private)), path.Base(base)+".private")
	if err != nil {
		return nil, fmt.Errorf("%s.private: %w", path.Base(base), err)
	}
	if k.Signer, err = signerOf(dnskey, secret); err != nil {
		return nil, err
	}
	return k, k.readTimes(string(private))
}

// signerOf checks that the private key is that of the public one, of an algorithm that signs alike everywhere.
func signerOf(public *dns.DNSKEY, secret crypto.PrivateKey) (crypto.Signer, error) {
	var signer crypto.Signer
	switch s := secret.(type) {
	case *ecdsa.PrivateKey:
		if s.Curve != elliptic.P256() {
			return nil, fmt.Errorf("the algorithm %s is not supported: want ECDSAP256SHA256, ED25519, RSASHA256 or RSASHA512", dns.AlgorithmToString[public.Algorithm])
		}
		signer = s
	case ed25519.PrivateKey:
		signer = s
	case *rsa.PrivateKey:
		if public.Algorithm != dns.RSASHA256 && public.Algorithm != dns.RSASHA512 || s.N.BitLen() < minRSABits {
			return nil, fmt.Errorf("%s with %d bits is not supported: want RSASHA256 or RSASHA512 with at least %d", dns.AlgorithmToString[public.Algorithm], s.N.BitLen(), minRSABits)
		}
		signer = s
	default:
		return nil, fmt.Errorf("the algorithm %s is not supported", dns.AlgorithmToString[public.Algorithm])
	}
	if !samePublic(public, signer) {
		return nil, fmt.Errorf("the private key is not that of the public one")
	}
	return signer, nil
}

// samePublic tells whether signer makes signatures that the key of the record takes.
func samePublic(record *dns.DNSKEY, signer crypto.Signer) bool {
	public, err := publicOf(record)
	if err != nil {
		return false
	}
	text := sha256.Sum256([]byte(record.Hdr.Name))
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		sig, err := signer.Sign(rand.Reader, text[:], crypto.SHA256)
		return err == nil && ecdsa.VerifyASN1(public, text[:], sig)
	case ed25519.PublicKey:
		sig, err := signer.Sign(rand.Reader, text[:], crypto.Hash(0))
		return err == nil && ed25519.Verify(public, text[:], sig)
	case *rsa.PublicKey:
		sig, err := signer.Sign(rand.Reader, text[:], crypto.SHA256)
		return err == nil && rsa.VerifyPKCS1v15(public, crypto.SHA256, text[:], sig) == nil
	}
	return false
}

// keyTimes are the lines of BIND's private files that say when.
var keyTimes = []string{"Publish", "Activate", "Inactive", "Delete"}

func (k *Key) readTimes(private string) error {
	at := []*time.Time{&k.Publish, &k.Activate, &k.Inactive, &k.Delete}
	for line := range strings.Lines(private) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		i := slices.Index(keyTimes, name)
		if !ok || i < 0 {
			continue
		}
		t, err := time.Parse("20060102150405", strings.TrimSpace(value))
		if err != nil {
			return fmt.Errorf("%s of %s: %q is not a time as 20060102150405", name, path.Base(k.File), shorten(strings.TrimSpace(value)))
		}
		*at[i] = t
	}
	return nil
}

// list are the names in a directory below the zone file's.
func (f *files) list(dir string) ([]string, error) {
	clean := path.Clean(dir)
	if path.IsAbs(clean) || strings.Contains(clean, `\`) || !fs.ValidPath(clean) || clean == "." {
		return nil, fmt.Errorf("the directory %q is not below the zone file's", shorten(dir))
	}
	name := clean + "/"
	content, ok := f.content[name]
	if !ok {
		var err error
		if content, err = f.readChecked(name); err != nil {
			return nil, err
		}
		f.content[name] = content
	}
	return strings.FieldsFunc(string(content), func(r rune) bool { return r == '\n' }), nil
}
