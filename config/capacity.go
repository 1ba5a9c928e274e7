package config

import "fmt"

// maxRequests bounds capacities and demands, in requests a second.
const maxRequests = 1_000_000_000

// demand reads how many requests the service gets, and warns where its pools, or all but one of them, cannot carry that.
func (b *builder) demand(s *Service, n *yamlNode, at *yamlPath) {
	v := field(n, "demand")
	if s.Demand = intOf(v, 0); s.Demand == 0 {
		return
	}
	limited := 0
	for _, i := range s.Pools {
		if b.zone.Pools[i].Capacity > 0 {
			limited++
		}
	}
	if limited == 0 {
		b.errorf(v, at.child("demand"), "give pools a `capacity`", "a demand, and none of the service's pools says what it can carry")
		return
	}
	carried := func(without int) (carry int, all bool) {
		seen := make(map[int]bool)
		for _, tier := range s.Tiers {
			for _, share := range tier {
				p := b.zone.Pools[share.Pool]
				if share.Weight == 0 || share.Pool == without || seen[share.Pool] {
					continue
				}
				seen[share.Pool] = true
				if p.Capacity == 0 {
					return 0, true
				}
				carry += p.Capacity
			}
		}
		return carry, carry >= s.Demand
	}
	if carry, ok := carried(-1); !ok {
		b.node(v, Warning, at.child("demand").String(), fmt.Sprintf("all pools together carry %d of %d requests/s", carry, s.Demand), "")
		return
	}
	for _, i := range s.Pools {
		if carry, ok := carried(i); !ok && carry > 0 {
			b.node(v, Warning, at.child("demand").String(), fmt.Sprintf("without the pool %q the others carry %d of %d requests/s: they would get %d %% of their capacity",
				b.zone.Pools[i].Name, carry, s.Demand, (100*s.Demand+carry-1)/carry), "")
		}
	}
}
