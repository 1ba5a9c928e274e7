package steer

import "net/netip"

// A prefixTree maps prefixes of one address family to rules, bit by bit. The zero prefixTree is empty.
type prefixTree struct{ nodes []prefixNode }

// A prefixNode is one bit further down.
type prefixNode struct {
	// child index prefixTree.nodes; 0 means none, for the root is nobody's child.
	child [2]int32
	// rule is one more than the rule that ends here; 0 means none.
	rule int32
}

func (t *prefixTree) add(p netip.Prefix, rule int) {
	if t.nodes == nil {
		t.nodes = make([]prefixNode, 1)
	}
	at, raw := int32(0), p.Masked().Addr().AsSlice()
	for i := range p.Bits() {
		b := bitOf(raw, i)
		if t.nodes[at].child[b] == 0 {
			t.nodes[at].child[b] = int32(len(t.nodes))
			t.nodes = append(t.nodes, prefixNode{})
		}
		at = t.nodes[at].child[b]
	}
	if t.nodes[at].rule == 0 {
		t.nodes[at].rule = int32(rule) + 1
	}
}

// find is the rule of the longest prefix around addr, -1 for none, and how many bits of addr decided that.
func (t *prefixTree) find(addr netip.Addr) (rule, bits int) {
	rule = -1
	if t.nodes == nil {
		return rule, 0
	}
	raw, offset := addr.As16(), 0
	if addr.Is4() {
		offset = 96
	}
	for n := &t.nodes[0]; ; bits++ {
		if n.rule > 0 {
			rule = int(n.rule) - 1
		}
		if n.child == [2]int32{} {
			return rule, bits
		}
		next := n.child[bitOf(raw[:], offset+bits)]
		if next == 0 {
			return rule, bits + 1
		}
		n = &t.nodes[next]
	}
}

func bitOf(raw []byte, i int) int { return int(raw[i/8]>>(7-i%8)) & 1 }
