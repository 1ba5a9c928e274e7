package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"time"

	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health/round"
)

const (
	// LedgerName is the file of what must outlive a process about its answers.
	LedgerName    = "ledger.json"
	ledgerVersion = 2
	// olderLedger is the version that kept a TTL for each zone.
	olderLedger = 1
)

// The file, on disk: what a process that starts anew must know of the one before it, and of the other nodes.
type savedLedger struct {
	Version int `json:"version"`
	// WrittenAt is when the file was made; see CopiedState.
	WrittenAt time.Time `json:"written_at,omitzero"`
	// GreatestTTLSeconds is the greatest TTL that answers may carry. Unnamed is set while nobody knows what was answered before.
	GreatestTTLSeconds uint32 `json:"greatest_ttl_seconds"`
	Unnamed            bool   `json:"unnamed,omitempty"`
	// Young is set while what is remembered of other nodes began less than the greatest TTL of all files ago.
	Young bool `json:"young,omitempty"`
	// Lives are the starts of this node, the latest last; Nodes what it remembers of the others, and Names all that ever were configured.
	Lives []savedLife            `json:"lives"`
	Nodes map[string]savedMemory `json:"nodes,omitempty"`
	Names []string               `json:"names,omitempty"`
	// MaxTTLSeconds is of version 1, by zone.
	MaxTTLSeconds map[string]float64 `json:"max_ttl_seconds,omitempty"`
}

type savedLife struct {
	Boot   round.Boot `json:"boot"`
	Writes uint64     `json:"writes"`
}

type savedMemory struct {
	savedLife
	Incarnation        uint64 `json:"incarnation"`
	GreatestTTLSeconds uint32 `json:"greatest_ttl_seconds"`
}

// MarshalJSON dates the file: the writer calls it right before the file is made.
func (s *savedLedger) MarshalJSON() ([]byte, error) {
	type plain savedLedger
	dated := plain(*s)
	dated.WrittenAt = time.Now().UTC()
	return json.Marshal(&dated)
}

// count notes the number of the last write of a life.
func (s *savedLedger) count(boot round.Boot, writes uint64) {
	for i := range s.Lives {
		if s.Lives[i].Boot == boot {
			s.Lives[i].Writes = writes
		}
	}
}

// readLedger reads the file. Without a directory nothing is kept, which is no error.
func readLedger(dir string) (saved savedLedger, err error) {
	if dir == "" {
		return saved, nil
	}
	path := filepath.Join(dir, LedgerName)
	if err = durable.ReadJSON(path, ledgerVersion, &saved); err == nil {
		return saved, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return savedLedger{}, err
	}
	var older savedLedger
	if durable.ReadJSON(path, olderLedger, &older) != nil {
		return savedLedger{}, fmt.Errorf("%s: %w", path, err)
	}
	for _, s := range older.MaxTTLSeconds {
		saved.GreatestTTLSeconds = max(saved.GreatestTTLSeconds, uint32(math.Ceil(s)))
	}
	return savedLedger{GreatestTTLSeconds: saved.GreatestTTLSeconds}, nil
}
