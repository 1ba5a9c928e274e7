package cluster

import "time"

// suspendNoise is by how much two readings of the clocks may differ while the machine runs.
const suspendNoise = 10 * time.Millisecond

// maxSuspends bounds the suspends that are remembered.
const maxSuspends = 16

// suspends is for how long the machine has stood still since this process started, as it was noticed: the clock by which the runtime
// measures does not run meanwhile, and a lease must. Owned by Run's goroutine.
type suspends struct {
	read  func() time.Duration
	first time.Duration
	noted []suspend
}

// A suspend is that all suspends until at, an instant of the runtime's clock, come to total.
type suspend struct {
	at    time.Time
	total time.Duration
}

func newSuspends(read func() time.Duration) suspends {
	if read == nil {
		read = suspendedFor
	}
	return suspends{read: read, first: read()}
}

// total is for how long the machine has been suspended since the process started. It may be called from any goroutine.
func (s *suspends) total() time.Duration { return s.read() - s.first }

// notice remembers a suspend that has ended.
func (s *suspends) notice(now time.Time) {
	var last time.Duration
	if n := len(s.noted); n > 0 {
		last = s.noted[n-1].total
	}
	if total := s.total(); total > last+suspendNoise {
		s.noted = append(s.noted[max(0, len(s.noted)+1-maxSuspends):], suspend{now, total})
	}
}

// before is for how long the machine had been suspended at an instant, as far as is noticed: at most that.
func (s *suspends) before(at time.Time) (total time.Duration) {
	for i := range s.noted {
		if s.noted[i].at.After(at) {
			break
		}
		total = s.noted[i].total
	}
	return total
}
