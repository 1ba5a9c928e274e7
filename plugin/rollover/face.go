package rollover

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// A Face is how a zone is answered as far as keys matter. It is immutable.
type Face struct {
	// Marks are what its answers have, sorted; see inSet and those below it.
	Marks []string `json:"marks"`
	// KeysTTL is for how long caches may hold an answer about the DNSKEY RRset, be it that there is none, and TTL any answer; in seconds.
	KeysTTL uint32 `json:"keys_ttl"`
	TTL     uint32 `json:"ttl"`
}

// The marks of a key: it is in the DNSKEY RRset, it signs that, it signs all else.
func inSet(id string) string  { return "key " + id }
func entry(id string) string  { return "entry " + id }
func signed(id string) string { return "data " + id }

// whole is the mark of an algorithm in which all of the zone is signed.
func whole(algorithm uint8) string { return fmt.Sprintf("algorithm %d", algorithm) }

// ofKeys tells whether a mark is one of the DNSKEY RRset alone.
func ofKeys(mark string) bool {
	return strings.HasPrefix(mark, "key ") || strings.HasPrefix(mark, "entry ")
}

// idOf names a key on every node: tags are not one to one.
func idOf(k *config.Key) string { return idIn(k.Algorithm, k.Tag, k.Data) }

func idIn(algorithm uint8, tag uint16, data []byte) string {
	sum := sha256.Sum256(data)
	return fmt.Sprintf("%d/%d/%x", algorithm, tag, sum[:6])
}

// faceOf is the face of a zone that is signed so.
func faceOf(z *config.Zone, by answer.Signing) *Face {
	marks := make(map[string]bool)
	for _, k := range by.Published {
		marks[inSet(idOf(k))] = true
	}
	if len(by.Published) > 0 {
		for _, k := range z.OtherKeys() {
			marks[inSet(idIn(k.Algorithm, k.Tag, k.Data))] = true
		}
	}
	for _, k := range by.Entry {
		marks[entry(idOf(k))] = true
	}
	for _, k := range by.Data {
		marks[signed(idOf(k))] = true
		marks[whole(k.Algorithm)] = true
	}
	f := &Face{Marks: slices.Sorted(maps.Keys(marks)), TTL: uint32(z.LongestTTL() / time.Second)}
	if f.KeysTTL = max(z.SOA.TTL, z.SOA.NegativeTTL); len(by.Published) > 0 {
		f.KeysTTL = z.DNSSEC.TTL
	}
	return f
}

// signs tells whether the zone is answered with signatures. A nil Face, of a zone that is not served, is not.
func (f *Face) signs() bool {
	return f != nil && slices.ContainsFunc(f.Marks, func(m string) bool { return strings.HasPrefix(m, "data ") })
}

func (f *Face) has(mark string) bool {
	_, found := slices.BinarySearch(f.Marks, mark)
	return found
}

// ttl is for how long caches may hold what a mark is about.
func (f *Face) ttl(mark string) time.Duration {
	if ofKeys(mark) {
		return time.Duration(f.KeysTTL) * time.Second
	}
	return time.Duration(f.TTL) * time.Second
}

func (f *Face) same(other *Face) bool {
	return other != nil && f.KeysTTL == other.KeysTTL && f.TTL == other.TTL && slices.Equal(f.Marks, other.Marks)
}
