// Package suite says in which run of the tests a test takes part. Every run goes through all packages; a test leaves itself out of the
// runs that are not for it, with the reason, so that a new package or test needs no list anywhere. CONTRIBUTING.md has the runs and
// their minutes.
package suite

import (
	"os"
	"runtime"
	"testing"
)

// LongEnv is the variable that `make test-long` sets.
const LongEnv = "FAIRLEAD_LONG"

// Main is the TestMain of a package whose tests run in bubbles of testing/synctest; one that has a TestMain of its own calls OneThread.
func Main(m *testing.M) {
	OneThread()
	os.Exit(m.Run())
}

// OneThread lets one goroutine run at a time where the race detector is on. All timers of a bubble share one context of the detector,
// which two threads that use it at the same instant destroy: "ThreadSanitizer: CHECK failed: tsan_rtl.cpp:346", or SIGSEGV under
// runtime.(*timer).maybeRunChan; golang/go#78156, open as of go1.26. Races are found all the same, for the detector goes by which
// event must come before which, not by what ran side by side.
func OneThread() {
	if Race {
		runtime.GOMAXPROCS(1)
	}
}

// Large leaves a test out where the race detector is on: it simulates whole clusters, or checks so many cases that it would take
// minutes there. A smaller test that stays in must run the same code.
func Large(t testing.TB) {
	t.Helper()
	if Race {
		t.Skip("large: runs without the race detector")
	}
}

// Cases is how many random cases a property is held against: all, or few in `make test-fast` and where the race detector makes each
// one cost ten times as much.
func Cases(all, few uint64) uint64 {
	if Race || testing.Short() {
		return few
	}
	return all
}

// Long leaves a test out of all runs but `make test-long`.
func Long(t testing.TB) {
	t.Helper()
	if os.Getenv(LongEnv) == "" {
		t.Skip(LongEnv + " is not set: it takes minutes")
	}
}
