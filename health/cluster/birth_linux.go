package cluster

import (
	"time"

	"golang.org/x/sys/unix"
)

// birth is when a file came into being, which no change of its owner, mode or name moves; ok is unset where the file system does not keep
// that (statx(2)).
func birth(path string) (at time.Time, ok bool) {
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &st) != nil || st.Mask&unix.STATX_BTIME == 0 {
		return at, false
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec)), true
}
