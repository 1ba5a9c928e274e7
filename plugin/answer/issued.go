package answer

import "github.com/fairlead-dns/fairlead/health/ledger"

// Issued is which holdings a reply carries. Its zero value names none; it is filled by Snapshot.Append, and used once.
type Issued struct {
	n    int
	sets [maxChase]issuedSet
}

// An issuedSet is the records of set from first on, as many as a reply of set holds.
type issuedSet struct {
	set   *rrset
	first int32
	ttl   uint32
}

func (i *Issued) clear() {
	if i != nil {
		i.n = 0
	}
}

// issue notes what a reply carries.
func (r *reply) issue(set *rrset, first int, ttl uint32) {
	if r.q.Issued == nil {
		return
	}
	i := r.q.Issued
	i.sets[i.n] = issuedSet{set: set, first: int32(first), ttl: ttl}
	i.n++
}

// Clear makes i name nothing: the reply is not written.
func (i *Issued) Clear() { i.n = 0 }

// Empty tells whether the reply carries no holding.
func (i *Issued) Empty() bool { return i.n == 0 }

// Stamp notes in w that the reply was written at now.
func (i *Issued) Stamp(w *ledger.Worker, now int64) {
	for k := range i.n {
		i.sets[k].stamp(w, now)
	}
	i.n = 0
}

func (s *issuedSet) stamp(w *ledger.Worker, now int64) {
	stride, at := int(s.set.holds), int(s.first)
	for range s.set.per {
		for _, slot := range s.set.slots[at*stride : (at+1)*stride] {
			w.Stamp(slot, now, s.ttl)
		}
		if at++; at == int(s.set.count) {
			at = 0
		}
	}
}
