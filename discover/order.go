package discover

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// OrderLife is how long an order waits for a node that reads its cluster: later it would let go of what nobody looked at.
const OrderLife = 5 * time.Minute

// An OrderKind is what the nodes that read a cluster are asked for.
type OrderKind string

// The kinds.
const (
	// Accept lets everything go that the cluster does not name.
	Accept OrderKind = "accept"
	// Adopt takes the cluster behind the URL, as it is now, for the one that was read.
	Adopt OrderKind = "adopt"
)

// An Order is what an operator asked for on any node. Of two orders of one kind for one cluster the one with the greater Number counts; two that
// were given on two nodes at once have one number, and are one order. A Set says which it has carried out.
type Order struct {
	Cluster string    `json:"cluster"`
	Kind    OrderKind `json:"kind"`
	Number  uint64    `json:"number"`
	At      time.Time `json:"at"`
}

// Orders are at most one of each kind for each cluster, sorted. They are a value: never changed.
type Orders []Order

func (o Order) same(p Order) bool { return o.Cluster == p.Cluster && o.Kind == p.Kind }

// With is o with another order, where that is new.
func (o Orders) With(n Order) (out Orders, changed bool) {
	i := slices.IndexFunc(o, n.same)
	switch {
	case i < 0:
		out = append(slices.Clone(o), n)
	case o[i].Number >= n.Number:
		return o, false
	default:
		out = slices.Clone(o)
		out[i] = n
	}
	slices.SortFunc(out, func(a, b Order) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(string(a.Kind), string(b.Kind)))
	})
	return out, true
}

// Next is an order that goes before all of its kind that are known of the set's cluster.
func (o Orders) Next(s *Set, kind OrderKind, now time.Time) Order {
	n := Order{Cluster: s.Cluster, Kind: kind, Number: s.carriedOut(kind) + 1, At: now}
	if i := slices.IndexFunc(o, n.same); i >= 0 {
		n.Number = max(n.Number, o[i].Number+1)
	}
	return n
}

// Due is the number of the order of a kind that s has not carried out; 0 for none.
func (o Orders) Due(s *Set, kind OrderKind, now time.Time) uint64 {
	i := slices.IndexFunc(o, Order{Cluster: s.Cluster, Kind: kind}.same)
	if i < 0 || o[i].Number <= s.carriedOut(kind) || now.Sub(o[i].At) >= OrderLife {
		return 0
	}
	return o[i].Number
}

// Live are those that still wait for somebody.
func (o Orders) Live(now time.Time) (out Orders) {
	for _, n := range o {
		if now.Sub(n.At) < OrderLife {
			out = append(out, n)
		}
	}
	return out
}

func (s *Set) carriedOut(kind OrderKind) uint64 {
	if kind == Adopt {
		return s.Adopted
	}
	return s.Accepted
}
