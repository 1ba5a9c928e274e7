package discover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

const (
	// guardWindow is how far the shrink guard looks back.
	guardWindow = 10 * time.Minute
	// weighEvery is the time between two changes of an address's Ready: each is a new model, and pods come and go.
	weighEvery = 15 * time.Second
)

// A Note is something that happened to a set.
type Note struct {
	// Kind is an event's: discovery.joined, left, kept, replaced or held.
	Kind, Cluster, Text string
}

// A Ground is what Decide needs to know besides what the cluster says.
type Ground struct {
	Now time.Time
	// Up tells whether an endpoint of a pool is up by quorum.
	Up func(k Key, endpoint string) bool
	// Judged tells whether probes have said anything of it; AnyUp whether something of a pool is up.
	Judged func(k Key, endpoint string) bool
	AnyUp  func(zone, pool string) bool
	// Others is how many endpoints the pool has that are not of this cluster.
	Others func(zone, pool string) int
	// Accept lets everything go that the cluster does not name, as an operator ordered. Unguarded lets any number go at once, in their turn.
	Accept, Unguarded bool
}

// Decide folds what the cluster says into s. Without a change next is s itself. Parts of which not everything is known stay as they are.
func (s *Set) Decide(g Ground, wants []Want, seen []Seen) (next *Set, notes []Note) {
	d := decision{Ground: g, was: s, gone: make(map[*Entry]bool), said: make(map[string][]string)}
	for _, w := range wants {
		i := slices.IndexFunc(seen, func(o Seen) bool { return o.Key == w.Key && o.Known })
		old := s.Part(w.Key)
		switch {
		case i >= 0:
			d.parts = append(d.parts, d.part(w, old, seen[i].Objects))
		case old != nil:
			d.parts = append(d.parts, &deciding{Part: Part{Key: old.Key, Entries: slices.Clone(old.Entries)}, want: w})
		}
	}
	d.unwanted(wants)
	d.probed()
	d.leave()
	out := *s
	out.Parts, out.Left = nil, d.left
	for _, p := range d.parts {
		out.Parts = append(out.Parts, p.Part)
	}
	slices.SortFunc(out.Parts, func(a, b Part) int { return a.compare(b.Key) })
	if samePart := func(a, b Part) bool { return a.Key == b.Key && slices.Equal(a.Entries, b.Entries) }; slices.EqualFunc(out.Parts, s.Parts, samePart) {
		return s, nil
	}
	out.Decision++
	return &out, d.notes()
}

// First is what s, an empty set, is once all of seen has been taken and probed.
func (s *Set) First(now time.Time, wants []Want, seen []Seen) *Set {
	none := func(Key, string) bool { return false }
	next, _ := s.Decide(Ground{Now: now, Up: none, Judged: none, AnyUp: func(string, string) bool { return false }, Others: func(string, string) int { return 0 }}, wants, seen)
	return next
}

// A decision is one call of Decide.
type decision struct {
	Ground
	was   *Set
	parts []*deciding
	left  []time.Time
	gone  map[*Entry]bool
	// said are the addresses of each kind of note and part.
	said map[string][]string
}

// deciding is a part on its way.
type deciding struct {
	Part
	want Want
	// objects are those that are there; nil while not everything is known.
	objects map[string][]Address
}

// part is what becomes of a part before anything leaves it.
func (d *decision) part(w Want, old *Part, objects []Object) *deciding {
	p := &deciding{Part: Part{Key: w.Key}, want: w, objects: make(map[string][]Address, len(objects))}
	named := make(map[string]Entry)
	var order []string
	for _, o := range objects {
		p.objects[o.Name] = o.Addresses
		for _, a := range o.Addresses {
			if _, twice := named[a.RData()]; !twice {
				named[a.RData()] = Entry{Address: a, Object: o.Name, Since: d.Now, Joined: d.Now}
				order = append(order, a.RData())
			}
		}
	}
	if old != nil {
		for _, e := range old.Entries {
			now, is := named[e.RData()]
			delete(named, e.RData())
			p.Entries = append(p.Entries, d.entry(p, e, now, is))
		}
	}
	for _, data := range order {
		if e, is := named[data]; is {
			p.Entries = append(p.Entries, e)
			d.say("discovery.joined", p.Key, &e)
		}
	}
	return p
}

// entry is what becomes of e, which the cluster names as now if is is set.
func (d *decision) entry(p *deciding, e, now Entry, is bool) Entry {
	if is {
		now.Joined, now.Since, now.Probed = e.Joined, e.Since, e.Probed
		if e.State != Named {
			now.Since = d.Now
		} else if now.Ready != e.Ready && d.Now.Sub(e.Since) < weighEvery {
			now.Ready = e.Ready
		} else if now.Ready != e.Ready {
			now.Since = d.Now
		}
		return now
	}
	state := Gone
	if addresses, there := p.objects[e.Object]; there {
		state = Replaced
		if len(addresses) == 0 {
			state = Kept
		}
	}
	if e.State != state {
		e.State, e.Since, e.Held = state, d.Now, false
		switch state {
		case Replaced:
			d.say("discovery.replaced", p.Key, &e)
		case Kept:
			d.say("discovery.kept", p.Key, &e)
		}
	}
	return e
}

// unwanted drops the parts that no pool asks for. While the selectors that a pool has now give nothing, because nothing has been read for
// them yet or because they name nothing, what the earlier ones gave stays: a slip of the pen empties no pool.
func (d *decision) unwanted(wants []Want) {
	given := len(d.parts)
	for _, old := range d.was.Parts {
		samePool := func(k Key) bool { return k.Zone == old.Zone && k.Pool == old.Pool }
		wanted := slices.ContainsFunc(wants, func(w Want) bool { return w.Key == old.Key })
		asks := slices.ContainsFunc(wants, func(w Want) bool { return samePool(w.Key) })
		gives := slices.ContainsFunc(d.parts[:given], func(p *deciding) bool { return samePool(p.Key) && len(p.Entries) > 0 })
		if !wanted && asks && !gives && !d.Accept {
			d.parts = append(d.parts, &deciding{Part: Part{Key: old.Key, Entries: slices.Clone(old.Entries)}, want: Want{Key: old.Key}})
		}
	}
}

// probed lets those be answered of which probes have said something. Where nothing else is up there is nothing to wait for.
func (d *decision) probed() {
	for _, p := range d.parts {
		for i := range p.Entries {
			e := &p.Entries[i]
			e.Probed = e.Probed || e.State != Named || d.Now.Sub(e.Joined) >= p.want.Settle ||
				d.Judged(p.Key, e.EndpointName(d.was.Cluster)) || !d.AnyUp(p.Zone, p.Pool)
		}
	}
}

// settled tells whether an entry that the cluster names can be counted on: it is up, or has been there for so long that its being down is
// no reason to keep another.
func (d *decision) settled(p *deciding, e *Entry) bool {
	return e.State == Named && (d.Now.Sub(e.Joined) >= p.want.Settle || d.Up(p.Key, e.EndpointName(d.was.Cluster)))
}

// due tells whether an entry would leave, were there no limit.
func (d *decision) due(p *deciding, e *Entry) bool {
	switch {
	case p.objects == nil || e.State == Named:
		return false
	case d.Accept || e.State == Gone:
		return true
	case e.State == Replaced:
		return d.Now.Sub(e.Since) >= p.want.Settle || slices.ContainsFunc(p.Entries, func(o Entry) bool {
			return o.Object == e.Object && o.State == Named && d.Up(p.Key, o.EndpointName(d.was.Cluster))
		})
	}
	return false
}

// leave takes out what may leave: never a pool's last endpoints, never more than the shrink guard lets pass.
func (d *decision) leave() {
	var due []*Entry
	pools := make(map[*Entry]*deciding)
	total, joined := 0, 0
	for _, p := range d.parts {
		for i := range p.Entries {
			e := &p.Entries[i]
			total++
			if e.State == Named && d.Now.Sub(e.Joined) < guardWindow {
				joined++
			}
			if d.due(p, e) {
				due, pools[e] = append(due, e), p
			}
		}
	}
	slices.SortStableFunc(due, func(a, b *Entry) int { return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.RData(), b.RData())) })
	for _, at := range d.was.Left {
		if d.Now.Sub(at) < guardWindow {
			d.left = append(d.left, at)
		}
	}
	loses := len(d.left) + len(due) - joined
	guarded := !d.Accept && !d.Unguarded && loses >= config.ShrinkLeast && loses*100 > config.ShrinkLimit*(total+len(d.left))
	for _, e := range due {
		p := pools[e]
		if !d.Accept && (guarded || d.remains(p, e) < p.want.MinEndpoints) {
			if !e.Held {
				d.say("discovery.held", p.Key, e)
			}
			e.Held = true
			continue
		}
		d.gone[e] = true
		d.left = append(d.left, d.Now)
		d.say("discovery.left", p.Key, e)
	}
	d.sweep()
}

// remains is how many endpoints the pool of p can count on without e. One that waits to leave counts: it is still answered.
func (d *decision) remains(p *deciding, without *Entry) int {
	addresses := make(map[string]bool)
	for _, o := range d.parts {
		if o.Zone != p.Zone || o.Pool != p.Pool {
			continue
		}
		for i := range o.Entries {
			e := &o.Entries[i]
			if e != without && !d.gone[e] && (e.State != Named || d.settled(o, e)) {
				addresses[e.RData()] = true
			}
		}
	}
	return len(addresses) + d.Others(p.Zone, p.Pool)
}

// sweep takes out what is gone.
func (d *decision) sweep() {
	for _, p := range d.parts {
		var stay []Entry
		for i := range p.Entries {
			if !d.gone[&p.Entries[i]] {
				stay = append(stay, p.Entries[i])
			}
		}
		p.Entries = stay
	}
}

func (d *decision) say(kind string, k Key, e *Entry) {
	at := kind + "\x00" + k.String()
	d.said[at] = append(d.said[at], e.RData())
}

// noteAddresses bounds how many addresses a note lists.
const noteAddresses = 10

// notes are what was said, one for each kind and part.
func (d *decision) notes() (out []Note) {
	why := map[string]string{
		"discovery.joined": "joins", "discovery.left": "leaves", "discovery.replaced": "is replaced, and leaves when a new one is up",
		"discovery.kept": "is kept: its object has lost its addresses", "discovery.held": "is held: the pool's last endpoints, or too many at once",
	}
	for at, addresses := range d.said {
		kind, part, _ := strings.Cut(at, "\x00")
		slices.Sort(addresses)
		list := strings.Join(addresses[:min(len(addresses), noteAddresses)], ", ")
		if more := len(addresses) - noteAddresses; more > 0 {
			list += fmt.Sprintf(" and %d more", more)
		}
		out = append(out, Note{Kind: kind, Cluster: d.was.Cluster, Text: fmt.Sprintf("%s: %s %s", part, list, why[kind])})
	}
	slices.SortFunc(out, func(a, b Note) int { return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Text, b.Text)) })
	return out
}
