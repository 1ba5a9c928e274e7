package config

import "fmt"

// maxSuggestLen and maxSuggestNames bound the work per mistake: a file with a thousand mistakes over a thousand pools
// must still be reported at once.
const (
	maxSuggestLen   = 64
	maxSuggestNames = 2000
)

// DidYouMean says which of names is closest to got; empty if none is close.
func DidYouMean(got string, names []string) string { return didYouMean(got, names, "") }

// didYouMean is a help line with the one of names that is closest to got, or fallback when none is close.
func didYouMean(got string, names []string, fallback string) string {
	best, dist := "", len(got)/3+2
	if len(got) > maxSuggestLen {
		return fallback
	}
	for _, n := range names[:min(len(names), maxSuggestNames)] {
		if len(n) > maxSuggestLen || len(n)-len(got) >= dist || len(got)-len(n) >= dist {
			continue
		}
		if d := editDistance(got, n); d < dist && d < len(got) {
			best, dist = n, d
		}
	}
	if best == "" {
		return fallback
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment) between
// a and b, in octets and without regard to ASCII case.
func editDistance(a, b string) int {
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if lowerByte(a[i-1]) == lowerByte(b[j-1]) {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
