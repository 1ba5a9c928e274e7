package config

import "fmt"

// ShrinkLimit is the greatest share of the names or endpoints, in percent, that a new version of a zone file may drop
// without `allow_shrink: true` or DirOptions.Force. A file cut short by accident loses far more.
const ShrinkLimit = 30

// shrinks says why next drops too much of old; empty when it does not.
func shrinks(old, next *Zone) string {
	for _, c := range []struct {
		what string
		of   func(z *Zone) map[string]struct{}
	}{{"names", ownerNames}, {"endpoints", endpointNames}} {
		was, is := c.of(old), c.of(next)
		gone := 0
		for name := range was {
			if _, still := is[name]; !still {
				gone++
			}
		}
		if gone*100 > len(was)*ShrinkLimit {
			return fmt.Sprintf("drops %d of %d %s, more than %d %%", gone, len(was), c.what, ShrinkLimit)
		}
	}
	return ""
}

// ownerNames are the names of services and static records; endpointNames are zone/pool/endpoint.
func ownerNames(z *Zone) map[string]struct{} {
	out := make(map[string]struct{}, len(z.Services)+len(z.Records))
	for _, s := range z.Services {
		out[s.Name] = struct{}{}
	}
	for _, r := range z.Records {
		out[r.Name] = struct{}{}
	}
	return out
}

func endpointNames(z *Zone) map[string]struct{} {
	out := make(map[string]struct{})
	for _, p := range z.Pools {
		for _, e := range p.Endpoints {
			out[z.Name+"/"+p.Name+"/"+e.Name] = struct{}{}
		}
	}
	return out
}
