package geo

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/fairlead-dns/fairlead/config"
)

const (
	// maxDatabases bounds the files of a Set.
	maxDatabases = config.MaxGeoDatabases
	// places is how many Places are kept ready; a power of two. A node with clients everywhere sees some ten thousand
	// networks; all of them together have 2 or 3 MB.
	places = 1 << 14
	// nothing stands for the offset of a network that a database does not have.
	nothing = 1<<32 - 1
)

// A Set is some databases at one moment. It is immutable but for the Places that it keeps ready.
type Set struct {
	databases []*database
	// ready is a direct-mapped table: each Place has one slot, where the next one with the same hash replaces it. So
	// clients with many addresses cannot make it grow.
	ready []atomic.Pointer[entry]
}

// A key tells Places apart: where each database has its record, and for how long a prefix.
type key struct {
	at   [maxDatabases]uint32
	bits uint8
}

type entry struct {
	key   key
	place Place
}

func newSet(databases []*database) *Set {
	return &Set{databases: databases, ready: make([]atomic.Pointer[entry], places)}
}

// read reads the files at paths; versions that old has already are taken from there. It names every file that it cannot use.
func read(paths []string, old *Set, order *atomic.Uint64) (*Set, error) {
	if len(paths) > maxDatabases {
		return nil, fmt.Errorf("%d files, at most %d can be used", len(paths), maxDatabases)
	}
	var errs []error
	var list []*database
	names := make(map[string]string)
	for _, path := range paths {
		db, err := old.keep(path)
		if db == nil && err == nil {
			db, _, err = readDatabase(path)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
			continue
		}
		if other, taken := names[db.name]; taken {
			errs = append(errs, fmt.Errorf("%s: %s has the same name, by which metrics tell databases apart", path, other))
			continue
		}
		names[db.name] = path
		if db.order == 0 {
			db.order = order.Add(1)
		}
		list = append(list, db)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return newSet(list), nil
}

// keep is the database of s for path if the file has not changed since.
func (s *Set) keep(path string) (*database, error) {
	db := s.of(path)
	if db == nil {
		return nil, nil
	}
	at, err := statFile(path)
	if err != nil || !at.equal(db.stamp) {
		return nil, err
	}
	return db, nil
}

// of is the database that was read from path; nil without one.
func (s *Set) of(path string) *database {
	if s != nil {
		for _, db := range s.databases {
			if db.path == path {
				return db
			}
		}
	}
	return nil
}

// with is s with db in the place of the database from the same file.
func (s *Set) with(db *database) *Set {
	list := make([]*database, len(s.databases))
	for i, old := range s.databases {
		if list[i] = old; old.path == db.path {
			list[i] = db
		}
	}
	return newSet(list)
}

// mappedBits is where the IPv4 address begins in an IPv4-mapped one.
const mappedBits = 96

// locate is what is known of addr. failed is set when a database could not be read.
func (s *Set) locate(addr netip.Addr) (p *Place, failed bool) {
	var k key
	before := uint8(0)
	if addr.Is4In6() {
		addr, before = addr.Unmap(), mappedBits
	}
	for i, db := range s.databases {
		at, bits, err := db.find(addr)
		if err != nil {
			// Nothing is known of the neighbours either.
			at, bits, failed = nothing, addr.BitLen(), true
		}
		k.at[i], k.bits = at, max(k.bits, uint8(bits))
	}
	k.bits += before
	slot := &s.ready[k.hash(len(s.databases))%places]
	if e := slot.Load(); e != nil && e.key == k {
		return &e.place, failed
	}
	e := &entry{key: k, place: Place{Bits: int(k.bits)}}
	for i, db := range s.databases {
		if k.at[i] != nothing && decode(db.reader, uint(k.at[i]), &e.place) != nil {
			failed = true
		}
	}
	if !failed {
		slot.Store(e)
	}
	return &e.place, failed
}

// hash is FNV-1a over 32-bit words, with its high half folded down.
func (k *key) hash(n int) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := (uint64(offset) ^ uint64(k.bits)) * prime
	for _, at := range k.at[:n] {
		h = (h ^ uint64(at)) * prime
	}
	return h ^ h>>32
}

// find is where the record of addr's network begins in the data section, and how long the network's prefix is in addr's
// family. It does not allocate unless the file is corrupt.
func (db *database) find(addr netip.Addr) (at uint32, bits int, err error) {
	if addr.Is6() && db.reader.Metadata.IPVersion == 4 {
		// It knows nothing of the whole family.
		return nothing, 0, nil
	}
	r := db.reader.Lookup(addr)
	if err := r.Err(); err != nil {
		return 0, 0, err
	}
	if p := r.Prefix(); p.Addr().BitLen() == addr.BitLen() {
		bits = p.Bits()
	}
	// Otherwise the network is shorter than ::/96, where trees for both families keep IPv4: all of IPv4 is the same.
	if !r.Found() {
		return nothing, bits, nil
	}
	if r.Offset() >= nothing {
		return 0, 0, maxminddb.InvalidDatabaseError{}
	}
	return uint32(r.Offset()), bits, nil
}
