//go:build !linux

package engine

import "time"

// birth is not known here.
func birth(string) (at time.Time, ok bool) { return at, false }
