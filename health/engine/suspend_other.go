//go:build !linux

package engine

import "time"

// suspendedFor is unknown here: leases are for machines that are not suspended.
func suspendedFor() time.Duration { return 0 }
