package round

import (
	"testing"

	"github.com/fairlead-dns/fairlead/health"
)

// Whatever is told arrives with the same state, and with the same failures as far as they can be told, else with more.
func TestMark(t *testing.T) {
	seen := make(map[Mark]bool)
	for fall := 1; fall <= 12; fall++ {
		for _, state := range []health.State{health.Unknown, health.Up, health.Down} {
			for failures := range 15 {
				if state == health.Up && failures >= fall {
					continue // it would be down
				}
				m := MarkOf(health.Observation{State: state, Failures: failures}, fall)
				seen[m] = true
				got, n, ok := m.Observation(fall)
				if !ok || got != state || m > 15 {
					t.Fatalf("%v, %d of %d failures: mark %d says %v, %v", state, failures, fall, m, got, ok)
				}
				exact := fall-failures >= 1 && fall-failures <= maxLeft
				switch {
				case state == health.Down:
					if n != fall {
						t.Errorf("down: %d of %d failures", n, fall)
					}
				case failures == 0:
					if n != 0 {
						t.Errorf("%v without failures: %d", state, n)
					}
				case n < min(failures, fall-1), n > max(fall-1, 1), exact && n != failures:
					t.Errorf("%v, %d of %d failures: arrives as %d", state, failures, fall, n)
				}
			}
		}
	}
	if len(seen) != 15 || seen[MarkNone] {
		t.Errorf("%d marks are used, want 15 and not MarkNone", len(seen))
	}
}

// A receiver may have another fall than the vantage: whoever failed keeps a failure, and who is up or down stays so.
func TestMarkAnotherFall(t *testing.T) {
	for m := MarkUndecided; m <= 15; m++ {
		for fall := 1; fall <= 10; fall++ {
			state, n, ok := m.Observation(fall)
			failing := m != MarkUndecided && m != MarkUp
			if !ok || failing != (n > 0) || n > fall {
				t.Errorf("mark %d with a fall of %d: %v, %d, %v", m, fall, state, n, ok)
			}
		}
	}
	if _, _, ok := MarkNone.Observation(3); ok {
		t.Error("MarkNone says something")
	}
}
