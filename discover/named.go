package discover

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
)

// DeniedKept is how long the addresses of a host name stay after its resolvers have begun to deny it: a slip is over by then, and what is denied
// for longer may have been given to somebody else.
const DeniedKept = time.Hour

// namesName is the file of what host names gave, below the directory of the state.
const namesName = "resolved.json"

// A NameKey names an endpoint of a zone file that is resolved.
type NameKey struct {
	Zone     string `json:"zone"`
	Pool     string `json:"pool"`
	Endpoint string `json:"endpoint"`
}

// String is ZONE/POOL/ENDPOINT.
func (k NameKey) String() string {
	return strings.TrimSuffix(k.Zone, ".") + "/" + k.Pool + "/" + k.Endpoint
}

// Names are what host names give the endpoints that stand for them. The Cluster of such a Set is the name of the endpoint. Each node resolves
// for itself, so nothing of it is told to others.
type Names map[NameKey]*Set

// A NameWant is an endpoint that is to be resolved.
type NameWant struct {
	NameKey
	*config.Named
	Settle time.Duration
}

// part is the part of the set: another host is another part.
func (w *NameWant) part() Key { return Key{Zone: w.Zone, Pool: w.Pool, From: "host " + w.Host} }

// NameWants are those that zones ask for, in their order. A pool that no service uses has none.
func NameWants(zones []*config.Zone) (out []NameWant) {
	for _, z := range zones {
		for _, p := range z.Pools {
			for _, n := range p.Named {
				if len(p.Services) == 0 {
					continue
				}
				out = append(out, NameWant{NameKey{z.Name, p.Name, n.Name}, n, p.Settle})
			}
		}
	}
	return out
}

// An Answer is what resolvers say of a host name: see dnsname.Answer.
type Answer struct {
	Addresses []Address
	// Known is unset while no lookup has succeeded. Denied is set while the name has no address, since Since.
	Known, Denied bool
	Since         time.Time
}

// Decide folds what resolvers say of w.Host into s. Without a change next is s itself. A new address is answered once probes have said
// something of it; one that the name does not have any more leaves when another one is up, and the last ones DeniedKept after the name was denied.
func (w *NameWant) Decide(s *Set, g Ground, a Answer) (next *Set, notes []Note) {
	seen := Seen{Key: w.part(), Known: a.Known || a.Denied}
	o := Object{Name: strings.TrimSuffix(w.Host, ".")}
	for _, addr := range a.Addresses {
		if slices.ContainsFunc(w.Families, func(f config.Family) bool { return addr.IP.Is6() == (f == config.IPv6) }) {
			o.Addresses = append(o.Addresses, addr)
		}
	}
	if a.Denied {
		o.Addresses = nil
	}
	if !a.Denied || g.Now.Sub(a.Since) < DeniedKept {
		seen.Objects = []Object{o}
	}
	g.Others = func(string, string) int { return 0 }
	g.Unguarded = true
	return s.Decide(g, []Want{{Key: w.part(), Settle: w.Settle}}, []Seen{seen})
}

// NameMembers are the endpoints that names give the pools of z, by index of the pool.
func NameMembers(z *config.Zone, names Names) map[int][]config.Member {
	members := make(map[int][]config.Member)
	for i, p := range z.Pools {
		for _, n := range p.Named {
			s := names[NameKey{z.Name, p.Name, n.Name}]
			if s == nil {
				continue
			}
			for _, part := range s.Parts {
				for _, e := range part.Entries {
					m := config.Member{
						Name: e.EndpointName(n.Name), Of: n.Name, Addr: e.IP, AZ: n.AZ, Weight: n.Weight, Port: n.ProbePort, LateHits: n.LateHits,
					}
					if !e.Probed {
						m.Weight = 0
					}
					members[i] = append(members[i], m)
				}
			}
		}
	}
	return members
}

// keptNames is the file of Names.
type keptNames struct {
	Version int        `json:"version"`
	Names   []keptName `json:"names"`
}

type keptName struct {
	NameKey
	Set *Set `json:"set"`
}

// LoadNames reads what is kept below a state directory.
func LoadNames(state string) (Names, error) {
	names := make(Names)
	var kept keptNames
	switch err := durable.ReadJSON(filepath.Join(state, namesName), setVersion, &kept); {
	case errors.Is(err, fs.ErrNotExist):
		return names, nil
	case err != nil:
		return names, fmt.Errorf("%s: %w", namesName, err)
	}
	for _, k := range kept.Names {
		if k.Set != nil && !slices.ContainsFunc(k.Set.Parts, func(p Part) bool {
			return slices.ContainsFunc(p.Entries, func(e Entry) bool { return !e.IP.IsValid() })
		}) {
			names[k.NameKey] = k.Set
		}
	}
	return names, nil
}

// Save keeps n below a state directory.
func (n Names) Save(state string) error {
	kept := keptNames{Version: setVersion, Names: []keptName{}}
	for k, s := range n {
		kept.Names = append(kept.Names, keptName{k, s})
	}
	slices.SortFunc(kept.Names, func(a, b keptName) int {
		return cmp.Or(strings.Compare(a.Zone, b.Zone), strings.Compare(a.Pool, b.Pool), strings.Compare(a.Endpoint, b.Endpoint))
	})
	if len(kept.Names) == 0 {
		if err := os.Remove(filepath.Join(state, namesName)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return durable.WriteJSON(filepath.Join(state, namesName), &kept)
}
