package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A Member is an endpoint that a cluster, or a host name, gives a pool.
type Member struct {
	// Name is CLUSTER.ADDRESS, or ENDPOINT.ADDRESS for those of a host name: it outlives every order of the objects. Cluster and Of are as
	// those of an Endpoint.
	Name, Cluster, Of string
	// Addr is invalid for a Target, which is a host name with the final dot.
	Addr   netip.Addr
	Target string
	// AZ indexes Zone.AZs.
	AZ     int
	Weight int
	// Port is where it is probed; 0 for the check's own.
	Port uint16
	// LateHits is where requests are counted that reach it after it has left; nil for where the pool says.
	LateHits *HitCounter
}

// With is z with the members of its pools that something outside of the file gives, by index of the pool: the same members, the same zone and the same Hash, in whatever
// order they come. Those of host names are covered by Resolved instead. A member whose name or address an endpoint of the file has already is left out.
func (z *Zone) With(members map[int][]Member) *Zone {
	count := 0
	for _, list := range members {
		count += len(list)
	}
	if count == 0 {
		return z
	}
	out := *z
	out.Pools = slices.Clone(z.Pools)
	given, resolved := sha256.New(), sha256.New()
	given.Write(z.Hash[:])
	resolved.Write(z.Resolved[:])
	clusters, names := false, false
	for i, p := range z.Pools {
		if len(members[i]) == 0 || !p.Given() {
			continue
		}
		out.Pools[i] = p.with(z, members[i])
		for _, e := range out.Pools[i].Endpoints[len(p.Endpoints):] {
			h := given
			if e.Of != "" {
				h, names = resolved, true
			} else {
				clusters = true
			}
			fmt.Fprintf(h, "\x00%s\x00%s\x00%v\x00%s\x00%s\x00%s", p.Name, e.Name, e.RData(), z.AZs[e.AZ].Name, e.Cluster, e.Of)
			_ = binary.Write(h, binary.BigEndian, [2]uint32{uint32(e.Weight), uint32(e.ProbePort)})
		}
	}
	if clusters {
		given.Sum(out.Hash[:0])
	}
	if names {
		resolved.Sum(out.Resolved[:0])
	}
	out.addHosts(z)
	return &out
}

// with is p with members of z's pool.
func (p *Pool) with(z *Zone, members []Member) *Pool {
	out := *p
	out.Endpoints = slices.Clone(p.Endpoints)
	names, addresses := make(map[string]bool), make(map[string]bool)
	for _, e := range p.Endpoints {
		names[e.Name] = true
		for _, a := range e.RData() {
			addresses[a] = true
		}
	}
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b Member) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Target, b.Target), strings.Compare(a.Addr.String(), b.Addr.String()))
	})
	for _, m := range sorted {
		e := &Endpoint{Name: m.Name, Cluster: m.Cluster, Of: m.Of, Target: m.Target, AZ: m.AZ, Weight: m.Weight, ProbePort: m.Port}
		if m.Addr.Is4() {
			e.V4, e.ProbeAddr = m.Addr, m.Addr
		} else if m.Addr.Is6() {
			e.V6, e.ProbeAddr = m.Addr, m.Addr
		}
		data := e.RData()
		if len(data) == 0 || names[e.Name] || addresses[data[0]] {
			continue
		}
		names[e.Name], addresses[data[0]] = true, true
		hits := m.LateHits
		if hits == nil {
			hits = p.lateHits
		}
		e.LateHits = hits.of(e, z.AZs[e.AZ].Name)
		out.Endpoints = append(out.Endpoints, e)
	}
	out.AZWeights = out.weighAZs()
	return &out
}

// weighAZs has an entry for each AZ of p's endpoints. An AZ that `az_weights` does not name is never answered.
func (p *Pool) weighAZs() (out []AZWeight) {
	index := make(map[int]int)
	for _, e := range p.Endpoints {
		if e.AZ < 0 {
			// The file names one that it does not declare.
			continue
		}
		i, known := index[e.AZ]
		if !known {
			i = len(out)
			index[e.AZ] = i
			out = append(out, AZWeight{AZ: e.AZ})
		}
		if !p.Explicit {
			out[i].Weight += e.Weight
		}
	}
	for _, w := range p.azGiven {
		if i, known := index[w.AZ]; known {
			out[i].Weight = w.Weight
		}
	}
	return out
}

// addHosts gives the members behind SRV records their host names, as builder.claimHosts does for the endpoints of the file.
func (z *Zone) addHosts(file *Zone) {
	taken := make(map[string]bool)
	for _, s := range z.Services {
		taken[s.Name] = true
	}
	for _, r := range z.Records {
		taken[r.Name] = true
	}
	hosts := slices.Clone(z.Hosts)
	for _, h := range hosts {
		taken[h.Name] = true
	}
	for _, s := range z.Services {
		if s.SRV == nil || s.Kind != Addresses {
			continue
		}
		for _, i := range s.Pools {
			for j := len(file.Pools[i].Endpoints); j < len(z.Pools[i].Endpoints); j++ {
				name := z.HostName(i, j)
				if taken[name] || hostName(name) != nil {
					continue
				}
				taken[name] = true
				hosts = append(hosts, Host{Name: name, Pool: i, Endpoint: j, TTL: s.TTL})
			}
		}
	}
	z.Hosts = hosts
}
