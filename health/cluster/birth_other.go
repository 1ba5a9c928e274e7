//go:build !linux

package cluster

import "time"

// birth is not known here.
func birth(string) (at time.Time, ok bool) { return at, false }
