package answer

import (
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/big"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
)

// clockError is how far behind the clock of a validator may be: signatures are valid from so long before the period begins in which they
// are made.
const clockError = time.Hour

// An era is a time in which a zone is signed alike, on every node that has the same keys: signatures have the same instants, and
// the same keys make them.
type era struct {
	// period counts quarters of the validity, from an instant that differs by zone, so that not all are signed at once.
	period int64
	// keys has a bit for each key that is in the zone, and one for each that signs, in the order of DNSSEC.Keys.
	keys string
}

// A signer signs the RRsets of one zone in one era. It is immutable but for what it remembers.
type signer struct {
	zone                  []byte
	era                   era
	inception, expiration uint32
	// entry sign the keys, data all else; one of each algorithm at least, or there is no signer.
	entry, data []*config.Key
	// published are in the DNSKEY RRset.
	published []*config.Key
	memory    *signatures
}

// eraOf is the era of a zone at an instant.
func eraOf(z *config.Zone, now time.Time) era {
	h := fnv.New64a()
	h.Write([]byte(z.Name))
	length := int64(z.DNSSEC.Validity / 4 / time.Second)
	e := era{period: (now.Unix() + int64(h.Sum64()%uint64(length))) / length}
	state := make([]byte, len(z.DNSSEC.Keys))
	for i, k := range z.DNSSEC.Keys {
		switch {
		case k.Active(now):
			state[i] = 's'
		case k.Published(now):
			state[i] = 'p'
		default:
			state[i] = '-'
		}
	}
	e.keys = string(state)
	return e
}

// newSigner is the signer for a zone at an instant; nil for a zone that is not signed, or none of whose keys signs now.
func newSigner(z *config.Zone, now time.Time, memory *signatures) *signer {
	if z.DNSSEC == nil {
		return nil
	}
	s := &signer{zone: mustPackName(z.Name), era: eraOf(z, now), memory: memory}
	h := fnv.New64a()
	h.Write([]byte(z.Name))
	length := int64(z.DNSSEC.Validity / 4 / time.Second)
	begin := s.era.period*length - int64(h.Sum64()%uint64(length))
	s.inception = uint32(begin - int64(clockError/time.Second))
	s.expiration = uint32(begin + int64(z.DNSSEC.Validity/time.Second))
	plain := make(map[uint8]bool)
	for _, k := range z.DNSSEC.Keys {
		if k.Published(now) {
			s.published = append(s.published, k)
		}
		plain[k.Algorithm] = plain[k.Algorithm] || k.Active(now) && !k.KSK()
	}
	for _, k := range z.DNSSEC.Keys {
		if !k.Active(now) {
			continue
		}
		if k.KSK() {
			s.entry = append(s.entry, k)
		}
		if !k.KSK() || !plain[k.Algorithm] {
			// A KSK without a ZSK beside it is both.
			s.data = append(s.data, k)
		}
	}
	if len(s.entry) == 0 {
		return nil
	}
	return s
}

// sign is the RRSIG records of an RRset, one for each key, in the form of appendRR. The original TTL is ttl.
func (s *signer) sign(keys []*config.Key, owner []byte, typ uint16, ttl uint32, rdata [][]byte) []byte {
	var out []byte
	for _, k := range keys {
		head := binary.BigEndian.AppendUint16(nil, typ)
		head = append(head, k.Algorithm, labelCount(owner))
		head = binary.BigEndian.AppendUint32(head, ttl)
		head = binary.BigEndian.AppendUint32(head, s.expiration)
		head = binary.BigEndian.AppendUint32(head, s.inception)
		head = binary.BigEndian.AppendUint16(head, k.Tag)
		head = append(head, s.zone...)
		sig := s.memory.of(k, signedData(head, owner, typ, ttl, rdata))
		out = appendRR(out, dns.TypeRRSIG, ttl, append(head, sig...))
	}
	return out
}

// signatures remembers what has been signed: an RRset that comes back, as when an endpoint returns, costs a look. They are the same
// whoever makes them.
type signatures struct {
	mu sync.Mutex
	// young and old are by key and content; old is dropped when young is full.
	young, old map[[sha256.Size]byte][]byte
}

// maxYoung is how many signatures of one generation are remembered: four for each of 60,000 names.
const maxYoung = 1 << 18

// of is the signature of k over data.
func (m *signatures) of(k *config.Key, data []byte) []byte {
	h := sha256.New()
	h.Write(k.Data)
	h.Write(data)
	var id [sha256.Size]byte
	h.Sum(id[:0])
	m.mu.Lock()
	sig, ok := m.young[id]
	if !ok {
		if sig, ok = m.old[id]; ok {
			m.keep(id, sig)
		}
	}
	m.mu.Unlock()
	if ok {
		return sig
	}
	sig = signature(k, data)
	m.mu.Lock()
	m.keep(id, sig)
	m.mu.Unlock()
	return sig
}

// keep needs mu held.
func (m *signatures) keep(id [sha256.Size]byte, sig []byte) {
	if len(m.young) >= maxYoung {
		m.old, m.young = m.young, nil
	}
	if m.young == nil {
		m.young = make(map[[sha256.Size]byte][]byte)
	}
	m.young[id] = sig
}

// signature signs data, without chance: ECDSA by RFC 6979, so that every node makes the same one. A key that fails was broken since it was
// read, which is checked then.
func signature(k *config.Key, data []byte) []byte {
	switch k.Algorithm {
	case dns.ED25519:
		return must(k.Signer.Sign(nil, data, crypto.Hash(0)))
	case dns.ECDSAP256SHA256:
		digest := sha256.Sum256(data)
		return ecdsaPair(must(k.Signer.Sign(nil, digest[:], crypto.SHA256)))
	case dns.RSASHA512:
		digest := sha512.Sum512(data)
		return must(k.Signer.Sign(nil, digest[:], crypto.SHA512))
	default:
		digest := sha256.Sum256(data)
		return must(k.Signer.Sign(nil, digest[:], crypto.SHA256))
	}
}

func must(sig []byte, err error) []byte {
	if err != nil {
		panic(fmt.Sprintf("sign: %v", err))
	}
	return sig
}

// ecdsaPair is r and s, 32 octets each (RFC 6605 section 4).
func ecdsaPair(der []byte) []byte {
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		panic(fmt.Sprintf("sign: %v", err))
	}
	out := make([]byte, 64)
	pair.R.FillBytes(out[:32])
	pair.S.FillBytes(out[32:])
	return out
}
