package cluster

import (
	"time"

	"golang.org/x/sys/unix"
)

// suspendedFor is for how long the machine has been suspended since it was started: CLOCK_BOOTTIME runs on meanwhile, and CLOCK_MONOTONIC
// does not (clock_gettime(2)).
func suspendedFor() time.Duration {
	var boot, mono unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - mono.Nano())
}
