package config

// Watched are the checks that decide over the pool's endpoints: its check and all that it needs. Empty means unmonitored.
func (p *Pool) Watched() []int {
	if p.Check < 0 {
		return p.Needs
	}
	return append([]int{p.Check}, p.Needs...)
}

// Leaves are the checks that really dial something when composites among checks are followed, each once, in the order of
// the file. Arguments and results index z.Checks.
func (z *Zone) Leaves(checks ...int) []int {
	seen := make([]bool, len(z.Checks))
	var visit func(check int)
	visit = func(check int) {
		c := z.Checks[check].Composite
		if c == nil {
			seen[check] = true
			return
		}
		for _, of := range c.Of {
			visit(of)
		}
	}
	for _, c := range checks {
		visit(c)
	}
	var leaves []int
	for check, s := range seen {
		if s {
			leaves = append(leaves, check)
		}
	}
	return leaves
}
