package answer

import "sync"

// maxMovesKept bounds the services whose moves are counted: those that no file has any more are not told apart from the others.
const maxMovesKept = 100_000

// Moves count how often services have moved. It is safe for concurrent use; nil counts nothing.
type Moves struct {
	mu sync.Mutex
	// count, by the owner name of the service, is guarded by mu.
	count map[string]uint64
}

func (m *Moves) add(service string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == nil {
		m.count = make(map[string]uint64)
	}
	if _, known := m.count[service]; known || len(m.count) < maxMovesKept {
		m.count[service]++
	}
}

// Of is how often a service has moved.
func (m *Moves) Of(service string) uint64 {
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count[service]
}
