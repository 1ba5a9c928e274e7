package probe

import "golang.org/x/sys/unix"

const (
	// maxSlots bounds the automatic MaxInFlight: a probe that hangs costs about 15 kB.
	maxSlots = 8192
	// minSlots keeps a node with a tiny limit probing.
	minSlots = 16
)

// defaultSlots is half of the descriptors that this process may have: the other half is for DNS, peers and files.
func defaultSlots() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return maxSlots / 16
	}
	return int(max(min(uint64(limit.Cur)/2, maxSlots), minSlots))
}
