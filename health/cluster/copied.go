package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// copiedSlack is how much later than its content says a file may have come into being: what a slow disk takes.
const copiedSlack = 10 * time.Second

// CopiedState says why a state directory is a copy of what a process wrote there, or elsewhere, earlier; empty where it is not, or where
// the file system does not tell. A copy may be older than what the process went on to serve, and what that answered is not known then. It
// is to be asked before New, which writes the file anew. A snapshot of a whole disk is not told apart.
func CopiedState(dir string) string {
	path := filepath.Join(dir, LedgerName)
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	var saved struct {
		WrittenAt time.Time `json:"written_at"`
	}
	born, ok := birth(path)
	if json.Unmarshal(b, &saved) != nil || saved.WrittenAt.IsZero() || !ok {
		return ""
	}
	if apart := born.Sub(saved.WrittenAt); apart < copiedSlack && apart > -copiedSlack {
		return ""
	}
	return fmt.Sprintf("its state directory is a copy: %s was written at %s and put here at %s: name the longest TTL since then (fairlead nodes max-ttl)",
		LedgerName, saved.WrittenAt.UTC().Format(time.RFC3339), born.UTC().Format(time.RFC3339))
}
