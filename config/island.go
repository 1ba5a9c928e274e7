package config

import "fmt"

func islandShape() *shape {
	return object(
		required("region", enum("own")).says("`own`: the pools of its own region, as its own region sees them; none that keeps data while another one could have taken over."),
	)
}

// island reads what a node answers for a service that is cut off from most of the cluster, and says where that is nothing.
func (b *builder) island(s *Service, n *yamlNode, at *yamlPath) {
	k, v := fieldOf(n, "island")
	if s.Island = stringOf(field(v, "region")) == "own"; !s.Island {
		return
	}
	if heirs := b.heirs(s); heirs != "" {
		b.node(k, Notice, at.child("island").String(), fmt.Sprintf("a node that is cut off answers SERVFAIL where %s: it cannot know who has its turn", heirs), "")
	}
}

// heirs says in words where a pool that keeps data could take over from another one; empty for nowhere. What a cell has is data.
func (b *builder) heirs(s *Service) string {
	if s.Cells != nil {
		for _, r := range s.Cells.Home {
			if len(s.Cells.Failover[r.Pool]) > 0 {
				return fmt.Sprintf("another pool may take the shards of %q", b.zone.Pools[r.Pool].Name)
			}
		}
	}
	orders := [][]Tier{s.Tiers}
	for _, c := range s.Clients {
		if c.Strict {
			orders = append(orders, c.Tiers)
		} else {
			orders = append(orders, append(c.Tiers[:len(c.Tiers):len(c.Tiers)], s.Tiers...))
		}
	}
	for _, tiers := range orders {
		first := -1
		for i, tier := range tiers {
			for _, share := range tier {
				p := b.zone.Pools[share.Pool]
				if !p.KeepsData() {
					continue
				}
				if first >= 0 && first != i {
					return fmt.Sprintf("%q may take over from a pool that keeps data", p.Name)
				}
				first = i
			}
		}
	}
	return ""
}
