package table

import (
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// readdressed is view, which was of endpoint old, as that of e: each address that both have keeps its verdict, and one that only e has
// begins without any.
func readdressed(old, e *config.Endpoint, view health.EndpointView) health.EndpointView {
	switch {
	case !e.Dual() && view.Each == nil:
		return view
	case !e.Dual():
		if !old.ProbeGiven && !e.ProbeGiven {
			view.Verdict = view.Each[familyOf(e)]
		}
		view.Each = nil
		return view
	}
	var each health.Each
	for _, f := range config.Families() {
		switch {
		case old.Addr(f) != e.Addr(f):
		case view.Each != nil:
			each[f] = view.Each[f]
		default:
			each[f] = view.Verdict
		}
	}
	if view.Each == nil || *view.Each != each {
		view.Each = &each
	}
	return view
}

// familyOf is the family of the one address that e has.
func familyOf(e *config.Endpoint) config.Family {
	if e.V4.IsValid() {
		return config.IPv4
	}
	return config.IPv6
}

// at is where the verdict on the address of endpoint i in a family comes from.
func (t *Table) at(i int, f config.Family) point {
	if t.e.without.Without(health.GuardEach) {
		f = config.IPv4
	}
	return point{i, f}
}

// dialled is what the leaves dial for endpoint i, for one address after the other.
func (pt *poolTable) dialled(i int) []health.TargetID {
	n, from, to := len(pt.leaves), i, i+1
	if pt.begins != nil {
		from, to = int(pt.begins[i]), int(pt.begins[i+1])
	}
	return pt.targets[from*n : to*n]
}

// dialledOn is what the leaves dial for the address of endpoint i in a family.
func (pt *poolTable) dialledOn(i int, f config.Family) []health.TargetID {
	all, n := pt.dialled(i), len(pt.leaves)
	if len(all) == n {
		return all
	}
	return all[int(f)*n : (int(f)+1)*n]
}
