package health

import (
	"net/netip"
	"slices"
	"strings"
)

// MaxBound bounds the addresses and targets that one order binds: some 100 kB of gossip. An order for more binds names alone.
const MaxBound = 16384

// A Binding is what stood behind the names of an order when it was accepted, so that the order holds for what it named under any other name:
// addresses, and targets of CNAME answers. Both are sorted and hold nothing twice. A Binding is never written after it was made.
type Binding struct {
	Addrs   []netip.Addr
	Targets []string
}

// NewBinding is the binding of what is given, in any order.
func NewBinding(addrs []netip.Addr, targets []string) Binding {
	slices.SortFunc(addrs, netip.Addr.Compare)
	slices.Sort(targets)
	return Binding{slices.Compact(addrs), slices.Compact(targets)}
}

// Len counts what is bound.
func (b Binding) Len() int { return len(b.Addrs) + len(b.Targets) }

// HasAddr tells whether an address is bound; an invalid one is not.
func (b Binding) HasAddr(a netip.Addr) bool {
	_, ok := slices.BinarySearchFunc(b.Addrs, a, netip.Addr.Compare)
	return ok && a.IsValid()
}

// HasTarget tells whether a target is bound; the empty one is not.
func (b Binding) HasTarget(t string) bool {
	_, ok := slices.BinarySearch(b.Targets, t)
	return ok && t != ""
}

// Union is what either binds.
func (b Binding) Union(o Binding) Binding {
	switch {
	case o.Len() == 0 || b.Equal(o):
		return b
	case b.Len() == 0:
		return o
	}
	return NewBinding(slices.Concat(b.Addrs, o.Addrs), slices.Concat(b.Targets, o.Targets))
}

// Equal tells whether both bind the same.
func (b Binding) Equal(o Binding) bool {
	return slices.Equal(b.Addrs, o.Addrs) && slices.Equal(b.Targets, o.Targets)
}

// Texts are the addresses and targets as text, addresses first; ParseBinding is the inverse.
func (b Binding) Texts() []string {
	texts := make([]string, 0, b.Len())
	for _, a := range b.Addrs {
		texts = append(texts, a.String())
	}
	return append(texts, b.Targets...)
}

// ParseBinding takes texts apart: what is no address is a target, a name with its final dot. It is not ok when one of them is neither.
func ParseBinding(texts []string) (b Binding, ok bool) {
	var addrs []netip.Addr
	var targets []string
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			addrs = append(addrs, a)
			continue
		}
		if len(text) > 255 || !strings.HasSuffix(text, ".") || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return Binding{}, false
		}
		targets = append(targets, text)
	}
	return NewBinding(addrs, targets), true
}
