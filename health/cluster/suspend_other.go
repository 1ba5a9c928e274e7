//go:build !linux

package cluster

import "time"

// suspendedFor is unknown here: leases are for machines that are not suspended.
func suspendedFor() time.Duration { return 0 }
