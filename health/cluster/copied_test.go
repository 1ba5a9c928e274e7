package cluster

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config/durable"
)

// TestCopiedState: a state directory that was put where it is later than it was written is a copy; a change of its mode makes it none.
func TestCopiedState(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, LedgerName)
	if _, ok := birth(dir); !ok {
		t.Skipf("%s: this file system does not tell when a file was made", runtime.GOOS)
	}
	require.Empty(t, CopiedState(dir), "nothing there")
	require.NoError(t, durable.WriteJSON(path, &savedLedger{Version: ledgerVersion}))
	require.Empty(t, CopiedState(dir))
	require.NoError(t, os.Chmod(path, 0o640))
	require.NoError(t, os.Chtimes(path, time.Now(), time.Now().Add(-time.Hour)))
	require.Empty(t, CopiedState(dir))

	b, err := os.ReadFile(path)
	require.NoError(t, err)
	year := time.Now().UTC().Format("2006-")
	older := strings.Replace(string(b), `"written_at":"`+year, `"written_at":"2025-`, 1)
	require.NotEqual(t, string(b), older)
	require.NoError(t, os.WriteFile(path, []byte(older), 0o600))
	require.Contains(t, CopiedState(dir), "its state directory is a copy: ledger.json was written at 2025-")
	// A version that did not date it.
	require.NoError(t, os.WriteFile(path, []byte(`{"version":2}`), 0o600))
	require.Empty(t, CopiedState(dir))
}
