package steer

import "github.com/fairlead-dns/fairlead/config"

// Shard is the shard that a label stands for: the number itself if it is one below c.Shards, else the hash of the lower-case
// label (FNV-1a 64) modulo c.Shards.
func Shard(c *config.Cells, label []byte) int {
	number, digits := 0, len(label) > 0
	for _, b := range label {
		if b < '0' || b > '9' || number >= c.Shards {
			digits = false
			break
		}
		number = number*10 + int(b-'0')
	}
	if digits && number < c.Shards {
		return number
	}
	h := uint64(14695981039346656037)
	for _, b := range label {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return int(h % uint64(c.Shards))
}

// Home is the index of c.Home that has a shard.
func Home(c *config.Cells, shard int) int {
	for i, r := range c.Home {
		if r.First <= shard && shard <= r.Last {
			return i
		}
	}
	return 0
}
