package config

import (
	"crypto/sha256"
	"encoding/json"
)

func (b *builder) composite(n *yamlNode, at *yamlPath) *Composite {
	c := new(Composite)
	for op, key := range compositeKeys {
		v := field(n, key)
		if v == nil {
			continue
		}
		c.Op = CompositeOp(op)
		at := at.child(key)
		if c.Op == OpAtLeast {
			c.N = intOf(field(v, "n"), 0)
			v, at = field(v, "of"), at.child("of")
		}
		seen := make(map[int]bool)
		for i, ref := range items(v) {
			where := at.item(i)
			if c.Op == OpNot {
				where = at
			}
			index := b.refer(ref, where, "check", b.checks)
			if index >= 0 && seen[index] {
				b.errorf(ref, where, "", "duplicate check %q", ref.Value)
			}
			if index >= 0 {
				seen[index] = true
				c.Of = append(c.Of, index)
			}
		}
		if count := len(items(v)); c.Op == OpAtLeast && c.N > count && count > 0 {
			b.errorf(field(field(n, key), "n"), at.up.child("n"), "", "at least %d of %d checks can never be", c.N, count)
		}
	}
	return c
}

// checkCycles reports each composite that leads back to itself, once per cycle.
func (b *builder) checkCycles(keys []*yamlNode, root *yamlPath) {
	const visiting, done = 1, 2
	marks := make([]int, len(b.zone.Checks))
	var visit func(i int)
	visit = func(i int) {
		marks[i] = visiting
		if c := b.zone.Checks[i].Composite; c != nil {
			for _, j := range c.Of {
				switch marks[j] {
				case visiting:
					b.errorf(keys[i], root.child(keys[i].Value), "", "the check leads back to itself through %q", b.zone.Checks[j].Name)
				case 0:
					visit(j)
				}
			}
		}
		marks[i] = done
	}
	for i := range marks {
		if marks[i] == 0 {
			visit(i)
		}
	}
}

// digestChecks sets the digests. A composite's covers those of its parts, which come first.
func (b *builder) digestChecks() {
	if b.hasErrors() {
		// The zone is lost, and with a cycle there would be no end.
		return
	}
	var digest func(c *Check)
	digest = func(c *Check) {
		if c.Digest != (Hash{}) {
			return
		}
		copied := *c
		copied.Name, copied.Quorum, copied.Vantages, copied.Composite = "", Quorum{}, Vantages{}, nil
		if c.Push != nil {
			// What follows from silence is judged, not dialled.
			copied.Push = &PushCheck{Lease: c.Push.Lease}
		}
		h := sha256.New()
		text, err := json.Marshal(copied)
		if err != nil {
			panic("config: a check that is no JSON: " + err.Error())
		}
		h.Write(text)
		if c.Composite != nil {
			h.Write([]byte{byte(c.Composite.Op), byte(c.Composite.N >> 8), byte(c.Composite.N)})
			for _, i := range c.Composite.Of {
				digest(b.zone.Checks[i])
				h.Write(b.zone.Checks[i].Digest[:])
			}
		}
		h.Sum(c.Digest[:0])
	}
	for _, c := range b.zone.Checks {
		digest(c)
	}
}
