package main

import (
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
	clog "github.com/coredns/coredns/plugin/pkg/log"
)

// memoryShare of the cgroup's limit is the heap's: the rest is for stacks, maps of files and buffers of sockets.
const memoryShare = 0.9

// limitMemory has the collector of garbage work harder before the kernel kills the process for its cgroup's limit. GOMEMLIMIT in
// the environment goes before it.
func limitMemory() {
	limit, err := memlimit.Set(memlimit.WithRatio(memoryShare))
	switch {
	case err != nil:
		// No cgroups, or none that can be read: as without a limit.
		clog.Debugf("No memory limit from the cgroup: %v", err)
	case limit < math.MaxInt64:
		clog.Infof("Memory limit %d MiB", limit>>20)
	}
}
