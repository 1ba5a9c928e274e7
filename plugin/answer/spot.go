package answer

// A Spot is where a name leads in one snapshot. Who has many questions at once finds their spots first, and then warms them, before
// it appends answers: what an answer needs lies in some ten places of memory that each name has for itself, one known only from
// the other, and a processor fetches those of many names at the same time where it would wait for those of one name in turn.
//
// The zero Spot is that of names which have to be looked up: those that nobody has written down, cells and wildcards among them.
type Spot struct {
	snapshot *Snapshot
	zone     *zone
	// at is where the zone's name begins.
	at      int
	owner   int32
	service *service
	set     *rrset
}

// Find is the spot of a name in wire format. It may be used for that name, as Question.Spot, for as long as s is.
func (s *Snapshot) Find(name []byte) Spot {
	var buf [maxNameLen]byte
	name = lower(&buf, name)
	z, at := s.zoneOf(name)
	if z == nil {
		return Spot{}
	}
	i, ok := z.index.byName[string(name)]
	if !ok {
		return Spot{}
	}
	return Spot{snapshot: s, zone: z, at: at, owner: i}
}

// Warm fetches what answers to questions for the spots need; types are those of the questions. It returns a number that means
// nothing: without it nothing would be fetched.
func Warm(spots []Spot, types []uint16) (x int) {
	for i := range spots {
		if sp := &spots[i]; sp.snapshot != nil {
			if o := &sp.zone.index.owners[sp.owner]; o.service >= 0 && o.place < 0 {
				sp.service = sp.zone.services[o.service]
			}
		}
	}
	for i := range spots {
		if svc := spots[i].service; svc != nil {
			x += len(svc.plans) + int(svc.cfg.TTL.Max)
		}
	}
	for i := range spots {
		if svc := spots[i].service; svc != nil && len(svc.plans) > 0 {
			spots[i].set = svc.plans[0].set(types[i])
		}
	}
	for i := range spots {
		set := spots[i].set
		if set == nil || set.turn == nil || len(set.rrs) == 0 {
			continue
		}
		x += int(set.turn.next()) + int(set.rrs[0])
	}
	return x
}
