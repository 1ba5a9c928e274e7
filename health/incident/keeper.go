package incident

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	incidentsName = "incidents"
	// maxIncidentSize bounds what is read back of one.
	maxIncidentSize = 1 << 20
)

// A keeper writes incidents to disk beside the engine's goroutine: each is a file, and only its latest state counts. An incident
// that cannot be kept is reported and goes on.
type keeper struct {
	dir    string // empty: nothing is kept
	logger *slog.Logger
	mu     sync.Mutex
	due    map[string]*ledger.Incident // guarded by mu: nil to be removed
	wake   chan struct{}
}

func newKeeper(state string, logger *slog.Logger) *keeper {
	k := &keeper{logger: logger, due: make(map[string]*ledger.Incident), wake: make(chan struct{}, 1)}
	if state != "" {
		k.dir = filepath.Join(state, incidentsName)
	}
	return k
}

// load reads what is kept, the oldest first. What is not understood is reported and left alone.
func (k *keeper) load() (all []*ledger.Incident) {
	if k.dir == "" {
		return nil
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		k.logger.Warn("incidents not kept", "err", err)
		return nil
	}
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		k.logger.Warn("incidents not read", "err", err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		path := filepath.Join(k.dir, entry.Name())
		i, err := readIncident(path)
		if err != nil {
			k.logger.Warn("incident not understood", "file", path, "err", err)
			continue
		}
		all = append(all, i)
	}
	slices.SortStableFunc(all, func(a, b *ledger.Incident) int { return a.OpenedAt.Compare(b.OpenedAt) })
	return all
}

func readIncident(path string) (*ledger.Incident, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxIncidentSize {
		return nil, os.ErrInvalid
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	i := new(ledger.Incident)
	return i, json.Unmarshal(b, i)
}

// keep has an incident written soon, drop has it removed.
func (k *keeper) keep(i *ledger.Incident) { k.put(i.ID, i) }
func (k *keeper) drop(id string)          { k.put(id, nil) }

func (k *keeper) put(id string, i *ledger.Incident) {
	if k.dir == "" {
		return
	}
	k.mu.Lock()
	k.due[id] = i
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx ends, and then what is left.
func (k *keeper) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			k.write()
			return nil
		case <-k.wake:
			k.write()
		}
	}
}

func (k *keeper) write() {
	k.mu.Lock()
	due := k.due
	k.due = make(map[string]*ledger.Incident)
	k.mu.Unlock()
	for id, i := range due {
		path := filepath.Join(k.dir, id+".json")
		var err error
		if i == nil {
			err = os.Remove(path)
		} else {
			err = durable.WriteJSON(path, i)
		}
		if err != nil {
			k.logger.Warn("incident not kept", "file", path, "err", err)
		}
	}
}
