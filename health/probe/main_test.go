package probe

import (
	"os"
	"testing"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// These variables make the test binary another program: a web server, so that benchmarks count only the prober's own CPU
// time, a probe in a process without descriptors, or one in a network namespace.
const (
	responderEnv = "FAIRLEAD_PROBE_RESPONDER"
	exhaustedEnv = "FAIRLEAD_PROBE_EXHAUSTED"
	namespaceEnv = "FAIRLEAD_PROBE_NAMESPACE"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(responderEnv) != "":
		respond()
	case os.Getenv(exhaustedEnv) != "":
		probeExhausted()
	case os.Getenv(namespaceEnv) != "":
		probeNamespace(os.Getenv(namespaceEnv))
	default:
		suite.Main(m)
	}
}
