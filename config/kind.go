package config

// AnswerKind is what the endpoints of a pool or of a service are.
type AnswerKind uint8

// The kinds of answers.
const (
	Addresses AnswerKind = iota
	// Targets are CNAME targets.
	Targets
	// Mixed is of services alone: some of their tiers have addresses, others CNAME targets. No answer has both.
	Mixed
)

// Kind is what all endpoints of p are, or will be once something gives them: Addresses or Targets.
func (p *Pool) Kind() AnswerKind {
	if len(p.Endpoints) > 0 && p.Endpoints[0].Target != "" || len(p.From) > 0 && p.From[0].Target {
		return Targets
	}
	return Addresses
}

// kind sets what the service answers and reports what does not go together.
func (b *builder) kind(s *Service, k *yamlNode, at *yamlPath) {
	var of [2]bool
	for _, i := range s.Pools {
		if p := b.zone.Pools[i]; p.hasMembers() {
			of[p.Kind()] = true
		}
	}
	switch {
	case of[Addresses] && of[Targets]:
		s.Kind = Mixed
	case of[Targets]:
		s.Kind = Targets
	}
	if s.Kind != Addresses && s.Name == b.zone.Name {
		b.errorf(k, at, "use pools with addresses", "a CNAME at the apex: it would hide SOA and NS (RFC 1034 section 3.6.2)")
	}
}

// hasMembers tells whether p has endpoints, now or once something gives them: only then its Kind says something.
func (p *Pool) hasMembers() bool { return len(p.Endpoints) > 0 || p.Given() }

// oneKind reports a tier with addresses and CNAME targets: at any instant a name has addresses or one CNAME, and what caches keep of the one
// and of the other follows no weights.
func (b *builder) oneKind(tier Tier, n *yamlNode, at *yamlPath) {
	var of [2]string
	for _, share := range tier {
		if p := b.zone.Pools[share.Pool]; p.hasMembers() && of[p.Kind()] == "" {
			of[p.Kind()] = p.Name
		}
	}
	if of[Addresses] != "" && of[Targets] != "" {
		b.errorf(n, at, "pools of another kind stand in a tier of their own",
			"mixed answer kinds in one tier: the pool %q has addresses, the pool %q has targets", of[Addresses], of[Targets])
	}
}
