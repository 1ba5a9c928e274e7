package discover

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// maxTold bounds what is unpacked of another node's sets, in octets.
const maxTold = 32 << 20

// maxOrders bounds the orders of another node: two for each cluster that it may read, and some.
const maxOrders = 4 * config.MaxKubeClusters

// A told document is what one node tells another of its sets. Durations travel: instants are those of the teller's clock, and At is that
// clock when it told.
type told struct {
	At     time.Time `json:"at"`
	Sets   []*Set    `json:"sets"`
	Orders Orders    `json:"orders,omitempty"`
}

// Encode packs sets and orders for another node.
func Encode(sets map[string]*Set, orders Orders, now time.Time) ([]byte, error) {
	doc := told{At: now, Orders: orders}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		doc.Sets = append(doc.Sets, sets[name])
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if err := json.NewEncoder(z).Encode(&doc); err != nil {
		return nil, err
	}
	err := z.Close()
	return out.Bytes(), err
}

// Decode unpacks what another node told. Instants in the result are of the own clock.
func Decode(b []byte, now time.Time) ([]*Set, Orders, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	limited := &io.LimitedReader{R: z, N: maxTold}
	var doc told
	if err := json.NewDecoder(limited).Decode(&doc); err != nil {
		return nil, nil, err
	}
	shift := now.Sub(doc.At)
	for _, s := range doc.Sets {
		if s == nil {
			return nil, nil, errors.New("a set is missing")
		}
		if err := s.check(); err != nil {
			return nil, nil, err
		}
		s.move(shift)
	}
	if len(doc.Orders) > maxOrders {
		return nil, nil, fmt.Errorf("%d orders", len(doc.Orders))
	}
	var orders Orders
	for _, o := range doc.Orders {
		o.At = o.At.Add(shift)
		orders, _ = orders.With(o)
	}
	return doc.Sets, orders, nil
}

// check refuses what this package never makes: the name of a cluster is that of a file.
func (s *Set) check() error {
	if s.Cluster == "" || len(s.Cluster) > 63 || strings.Trim(strings.ToLower(s.Cluster), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return fmt.Errorf("%.80q is no name of a cluster", s.Cluster)
	}
	for _, p := range s.Parts {
		for _, e := range p.Entries {
			if e.Host == "" && !e.IP.IsValid() {
				return fmt.Errorf("%s: an address of %s is neither an address nor a name", s.Cluster, p.Key)
			}
		}
	}
	return nil
}

// move moves all instants, in place.
func (s *Set) move(by time.Duration) {
	for i := range s.Parts {
		for j := range s.Parts[i].Entries {
			e := &s.Parts[i].Entries[j]
			e.Since, e.Joined = e.Since.Add(by), e.Joined.Add(by)
		}
	}
	for i := range s.Left {
		s.Left[i] = s.Left[i].Add(by)
	}
}

// Newer tells whether s is of a later state than o, which may be nil: by epoch, revision, decision and node, and where a node that lost its
// state decided as often as before, by what they say. It is a total order on sets that differ, so that every node of a cluster ends with the
// same set.
func (s *Set) Newer(o *Set) bool { return o == nil || s.order(o) > 0 }

func (s *Set) order(o *Set) int {
	if c := cmp.Or(cmp.Compare(s.Epoch, o.Epoch), CompareRevisions(s.Revision, o.Revision), cmp.Compare(s.Decision, o.Decision), strings.Compare(s.Node, o.Node)); c != 0 || s == o {
		return c
	}
	a, b := s.fingerprint(), o.fingerprint()
	return bytes.Compare(a[:], b[:])
}

// fingerprint is the same for sets that say the same; instants, which differ from clock to clock, are no part of it.
func (s *Set) fingerprint() [sha256.Size]byte {
	plain := *s
	plain.Version, plain.Left, plain.Parts = 0, nil, slices.Clone(s.Parts)
	for i := range plain.Parts {
		p := &plain.Parts[i]
		p.Entries = slices.Clone(p.Entries)
		for j := range p.Entries {
			p.Entries[j].Since, p.Entries[j].Joined = time.Time{}, time.Time{}
		}
	}
	b, err := json.Marshal(&plain)
	if err != nil {
		panic(err)
	}
	return sha256.Sum256(b)
}

// CompareRevisions orders resourceVersions of one cluster: numbers without a bound; what is no number is the least.
func CompareRevisions(a, b string) int {
	number := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if !number(a) || !number(b) {
		return cmp.Compare(btoi(number(a)), btoi(number(b)))
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Digest is the same for the same sets and orders on every node.
func Digest(sets map[string]*Set, orders Orders) (out [16]byte) {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		fmt.Fprintf(h, "%q %x\n", name, sets[name].fingerprint())
	}
	for _, o := range orders {
		fmt.Fprintf(h, "%q %q %d\n", o.Cluster, o.Kind, o.Number)
	}
	sum := h.Sum(nil)
	copy(out[:], sum)
	return out
}
