package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ladder holds the TTLs that answers may carry, in seconds. A falling deadline steps down the rungs instead of giving every
// second its own TTL, so caches and logs see few values; the steps are small where seconds matter.
var ladder = [...]uint32{1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800, 3600}

// Ladder is the greatest rung that is not above seconds. Below the least rung it is 1: no answer carries TTL 0, which some
// resolvers cache anyway, for as long as they like.
func Ladder(seconds uint32) uint32 {
	i, found := slices.BinarySearch(ladder[:], seconds)
	if found || i == 0 {
		return ladder[i]
	}
	return ladder[i-1]
}

// IsRung tells whether seconds is a rung of the ladder.
func IsRung(seconds uint32) bool {
	_, found := slices.BinarySearch(ladder[:], seconds)
	return found
}

// ladderText is the ladder for messages, as durations.
func ladderText() string {
	words := make([]string, len(ladder))
	for i, s := range ladder {
		words[i] = fmt.Sprintf("%ds", s)
	}
	return strings.Join(words, ", ")
}

// MaxTTL is the greatest ttl.max that a zone file may give. No answer for a service, of any version of any file, is kept for longer.
const MaxTTL = time.Hour
