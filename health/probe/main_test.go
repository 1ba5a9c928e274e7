package probe

import (
	"os"
	"testing"
)

// These variables make the test binary another program: a web server, so that benchmarks count only the prober's own CPU
// time, or a probe in a process without descriptors.
const (
	responderEnv = "FAIRLEAD_PROBE_RESPONDER"
	exhaustedEnv = "FAIRLEAD_PROBE_EXHAUSTED"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(responderEnv) != "":
		respond()
	case os.Getenv(exhaustedEnv) != "":
		probeExhausted()
	default:
		os.Exit(m.Run())
	}
}
