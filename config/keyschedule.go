package config

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// keyTransit is how late a resolver may still accept an answer: X of the bound (docs/design.md section 6).
const keyTransit = 5 * time.Second

// LongestTTL is the greatest TTL of an RRset of the zone: so long caches may hold what an old key signed.
func (z *Zone) LongestTTL() time.Duration {
	longest := max(z.NSTTL, z.SOA.TTL, z.SOA.NegativeTTL)
	if z.DNSSEC != nil {
		longest = max(longest, z.DNSSEC.TTL)
	}
	for i := range z.Records {
		longest = max(longest, z.Records[i].TTL)
	}
	for _, s := range z.Services {
		longest = max(longest, s.TTL.Max)
	}
	return time.Duration(longest) * time.Second
}

// KnownAt is the first instant at which every honest cache that holds the zone's keys holds k among them; zero where it has been there always.
func (z *Zone) KnownAt(k *Key) time.Time {
	if k.Publish.IsZero() {
		return time.Time{}
	}
	return k.Publish.Add(time.Duration(z.DNSSEC.TTL)*time.Second + keyTransit)
}

// ForgottenAt is the first instant at which no honest cache holds what k has signed; zero while it does not cease.
func (z *Zone) ForgottenAt(k *Key) time.Time {
	end := k.Inactive
	if end.IsZero() {
		end = k.Delete
	}
	if end.IsZero() {
		return time.Time{}
	}
	return end.Add(z.LongestTTL() + keyTransit)
}

// KeyTrouble says what of a key's times breaks the zone for somebody; empty for nothing.
func (z *Zone) KeyTrouble(k *Key) (trouble []string) {
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	if known := z.KnownAt(k); !known.IsZero() && k.Activate.Before(known) && z.hasOther(k) {
		trouble = append(trouble, fmt.Sprintf("signs before every cache knows it: Activate is to be %s or later", at(known)))
	}
	if forgotten := z.ForgottenAt(k); !forgotten.IsZero() && !k.Delete.IsZero() && k.Delete.Before(forgotten) {
		trouble = append(trouble, fmt.Sprintf("leaves while caches hold what it signed: Delete is to be %s or later", at(forgotten)))
	}
	return trouble
}

// hasOther tells whether another key of the same role was there before k: without one nothing was signed.
func (z *Zone) hasOther(k *Key) bool {
	for _, o := range z.DNSSEC.Keys {
		if o != k && o.KSK() == k.KSK() && o.Publish.Before(k.Publish) {
			return true
		}
	}
	return false
}

// An OtherKey is a DNSKEY record of another signer of the zone (RFC 8901).
type OtherKey struct {
	Flags     uint16
	Algorithm uint8
	Tag       uint16
	// Data is the RDATA.
	Data []byte
}

// OtherKeys are those that stand under records.
func (z *Zone) OtherKeys() (keys []OtherKey) {
	for i := range z.Records {
		r := &z.Records[i]
		if r.Name != z.Name || r.Type != dns.TypeDNSKEY {
			continue
		}
		for _, data := range r.RData {
			if len(data) > 4 {
				keys = append(keys, OtherKey{binary.BigEndian.Uint16(data), data[3], keyTag(data), data})
			}
		}
	}
	return keys
}

// keyTag is that of RFC 4034 appendix B.
func keyTag(data []byte) uint16 {
	var sum uint32
	for i, b := range data {
		sum += uint32(b) << (8 * ((i + 1) % 2))
	}
	return uint16(sum + sum>>16)
}

// Signed tells whether z is answered with signatures at now. A nil zone is not.
func (z *Zone) Signed(now time.Time) bool {
	return z != nil && z.DNSSEC != nil && slices.ContainsFunc(z.DNSSEC.Keys, func(k *Key) bool { return k.KSK() && k.Active(now) })
}

// SigningChange says what has to be true in the parent when is takes the place of was; empty where neither begins or ceases to be signed.
func SigningChange(was, is *Zone, now time.Time) string {
	switch {
	case was == nil || is == nil:
	case was.Signed(now) && !is.Signed(now):
		return "it would be answered without signatures, which validators refuse for as long as the parent, or a cache, has its DS: that has to go first, for at least its TTL in the parent"
	case !was.Signed(now) && is.Signed(now):
		return "it would be signed for the first time: the parent may have its DS when caches have forgotten what is not signed, as `fairlead dnssec status " + strings.TrimSuffix(is.Name, ".") + "` says then"
	}
	return ""
}

// warnKeys says of the times of keys what breaks the zone for somebody.
func (b *builder) warnKeys() {
	if b.zone.DNSSEC == nil {
		return
	}
	n := field(field(b.root, "dnssec"), "keys")
	for _, k := range b.zone.DNSSEC.Keys {
		for _, what := range b.zone.KeyTrouble(k) {
			b.node(n, Warning, "dnssec.keys", fmt.Sprintf("the key %d (%s) %s", k.Tag, k.Role(), what), "")
		}
	}
}

// Role is what the key is for, in a word.
func (k *Key) Role() string {
	if k.KSK() {
		return "KSK"
	}
	return "ZSK"
}

// AlgorithmName is the mnemonic of the key's algorithm.
func (k *Key) AlgorithmName() string { return algorithmName(k.Algorithm) }

// AlgorithmName is the mnemonic of the key's algorithm.
func (k *OtherKey) AlgorithmName() string { return algorithmName(k.Algorithm) }

func algorithmName(algorithm uint8) string {
	if name, ok := dns.AlgorithmToString[algorithm]; ok {
		return name
	}
	return fmt.Sprint(algorithm)
}

// KSK tells whether the key is an entry point.
func (k *OtherKey) KSK() bool { return k.Flags&dns.SEP != 0 }

// State is what the key is doing at now, in a word: waiting, published, active, retired, removed.
func (k *Key) State(now time.Time) string {
	switch {
	case now.Before(k.Publish):
		return "waiting"
	case k.Active(now):
		return "active"
	case !k.Delete.IsZero() && !now.Before(k.Delete):
		return "removed"
	case !k.Inactive.IsZero() && !now.Before(k.Inactive):
		return "retired"
	}
	return "published"
}

// NextChange is when the state changes next; zero for never.
func (k *Key) NextChange(now time.Time) (next time.Time) {
	for _, t := range []time.Time{k.Publish, k.Activate, k.Inactive, k.Delete} {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

// KeyFileName is the name of a key's files without their endings, as BIND has it. zone is in lower case with the final dot.
func KeyFileName(zone string, algorithm uint8, tag uint16) string {
	return fmt.Sprintf("K%s+%03d+%05d", strings.ReplaceAll(zone, "/", "%2F"), algorithm, tag)
}
