package probe

import (
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// A Result is what one probe saw.
type Result struct {
	OK bool
	// Reason is zero when OK is set.
	Reason Reason
	Phases Phases
	// Number is what a check of type lag read; Numbered is set where it read one.
	Number   float64
	Numbered bool
	// Warning says in words what will fail soon.
	Warning string
	// CertificateExpiry is when the peer's certificate chain ends; zero without TLS or without a valid chain.
	CertificateExpiry time.Time
	// Transcript is filled by Once alone.
	Transcript Transcript
	// stack is where a probe panicked.
	stack []byte
}

// Phases is how long each step took; 0 for a step that was not reached. Failed steps count until they failed.
type Phases struct {
	// Connect includes the look-up of a named host. TLS is the handshake. FirstByte runs from the request, or from the
	// end of the connect where nothing is sent, to the first octet of the answer.
	Connect, TLS, FirstByte time.Duration
	// Total is the whole probe.
	Total time.Duration
}

// observed are the phases for an observation: only what its latency does not say.
func (r *Result) observed() *health.Phases {
	if r.Phases.TLS == 0 && r.Phases.FirstByte == 0 {
		return nil
	}
	return &health.Phases{Connect: r.Phases.Connect, TLS: r.Phases.TLS, FirstByte: r.Phases.FirstByte, CertificateExpiry: r.CertificateExpiry}
}

// fail records why the probe failed. The first failure stays: later ones follow from it.
func (r *Result) fail(reason Reason) {
	if r.Reason.Kind == None {
		r.Reason = reason
	}
}
