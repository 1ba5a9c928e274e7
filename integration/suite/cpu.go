//go:build unix

package suite

import (
	"syscall"
	"testing"
	"time"
)

// CPU is how much processor time this process has taken so far, in user mode and in the kernel. What must not be slow is held against
// it, for the clock on the wall also measures what else the machine does.
func CPU(t testing.TB) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatalf("getrusage: %v", err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
