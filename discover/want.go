package discover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A Key names a part: what one pool of a zone takes from a cluster by one selector.
type Key struct {
	Zone string `json:"zone"`
	Pool string `json:"pool"`
	// From is what the selector chooses, as text; how the endpoints are used is no part of it.
	From string `json:"from"`
}

func (k Key) compare(o Key) int {
	return cmp.Or(strings.Compare(k.Zone, o.Zone), strings.Compare(k.Pool, o.Pool), strings.Compare(k.From, o.From))
}

// keyOf is the key of f's part of a pool.
func keyOf(zone, pool string, f *config.From) Key {
	text := f.String()
	for _, s := range []struct{ what, value string }{{"addresses", string(f.Addresses)}, {"listener", f.Listener}, {"port", f.Port}} {
		if s.value != "" {
			text += ", " + s.what + " " + s.value
		}
	}
	if f.Target {
		text += ", hostname target"
	}
	return Key{Zone: zone, Pool: pool, From: text}
}

// A Want is a part that the zone files ask for, with the rules of its pool.
type Want struct {
	Key
	Select *config.From
	// Ready is set where the number of ready endpoints is asked for.
	Ready bool
	// Settle is how long a replaced address stays at most while no new one is up. MinEndpoints is what discovery leaves the pool.
	Settle       time.Duration
	MinEndpoints int
}

// Wants are the parts of the zones that come from a cluster, sorted by key. Two selectors of a pool that read the same are one part.
func Wants(zones []*config.Zone, cluster string) (out []Want) {
	for _, z := range zones {
		for _, p := range z.Pools {
			for _, f := range p.From {
				if !slices.Contains(f.Clusters, cluster) {
					continue
				}
				k := keyOf(z.Name, p.Name, f)
				if i := slices.IndexFunc(out, func(w Want) bool { return w.Key == k }); i >= 0 {
					out[i].Ready = out[i].Ready || f.Ready
					continue
				}
				out = append(out, Want{Key: k, Select: f, Ready: f.Ready, Settle: p.Settle, MinEndpoints: p.MinEndpoints})
			}
		}
	}
	slices.SortFunc(out, func(a, b Want) int { return a.compare(b.Key) })
	return out
}

// Clusters are the names of all clusters that zones take from, sorted.
func Clusters(zones []*config.Zone) (out []string) {
	for _, z := range zones {
		for _, p := range z.Pools {
			for _, f := range p.From {
				out = append(out, f.Clusters...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// An Object is one that a part chooses, with the addresses that the cluster gives it now.
type Object struct {
	// Name is NAMESPACE/NAME, with the kind before it where a part reads several.
	Name      string
	Addresses []Address
}

// Seen is what a cluster says of a part.
type Seen struct {
	Key
	// Known is unset while not everything that the part needs has been read: then nothing is concluded from what is missing.
	Known   bool
	Objects []Object
}

// String names the part for people.
func (k Key) String() string {
	return fmt.Sprintf("pool %s of %s, %s", k.Pool, strings.TrimSuffix(k.Zone, "."), k.From)
}
