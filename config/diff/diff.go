package diff

import (
	"github.com/fairlead-dns/fairlead/config"
	"maps"
	"slices"
	"strings"
)

// A Change is one difference in effect between two versions of a zone.
type Change struct {
	// Object is what differs, by kind and name: "service www.example.org", "endpoint web/one", "record mail.example.org MX".
	Object string `json:"object"`
	// Key is what of it; empty where the whole of it came or went.
	Key string `json:"key,omitempty"`
	// Old and New are the values, in words; Old is empty for what came, New for what went.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Added and Removed are set where the whole object came or went.
	Added   bool `json:"added,omitempty"`
	Removed bool `json:"removed,omitempty"`
}

// Zones are the differences in effect between two versions of a zone: what they do, not how they are written. Comments, order
// of keys, anchors and defaults that are spelt out are none. The order is that of kinds, then of names.
func Zones(before, after *config.Zone) []Change {
	was, is := effectsOf(before), effectsOf(after)
	if before.SOA.Serial == config.SerialOf(before.Hash) && after.SOA.Serial == config.SerialOf(after.Hash) {
		// Made from the content, of which comments are a part.
		delete(was["zone"], "soa.serial")
		delete(is["zone"], "soa.serial")
	}
	var changes []Change
	for _, object := range objects(was, is) {
		a, b := was[object], is[object]
		switch {
		case a == nil:
			changes = append(changes, Change{Object: object, Added: true})
		case b == nil:
			changes = append(changes, Change{Object: object, Removed: true})
		default:
			changes = append(changes, changedKeys(object, a, b)...)
		}
	}
	return changes
}

func changedKeys(object string, a, b map[string]string) []Change {
	keys := slices.Collect(maps.Keys(a))
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var changes []Change
	for _, key := range keys {
		if a[key] != b[key] {
			changes = append(changes, Change{Object: object, Key: key, Old: a[key], New: b[key]})
		}
	}
	return changes
}

// objectKinds is the order in which changes are told: what clients notice first.
var objectKinds = []string{"service", "pool", "endpoint", "check", "record", "name server", "key", "region", "AZ", "zone"}

// objects are those of either side, in order.
func objects(a, b effects) []string {
	list := slices.Collect(maps.Keys(a))
	for object := range b {
		if _, ok := a[object]; !ok {
			list = append(list, object)
		}
	}
	rank := func(object string) int {
		return slices.IndexFunc(objectKinds, func(kind string) bool { return object == kind || strings.HasPrefix(object, kind+" ") })
	}
	slices.SortFunc(list, func(x, y string) int {
		if d := rank(x) - rank(y); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	return list
}
