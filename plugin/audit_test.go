package fairlead

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/audit"
)

// TestBrokenAuditLog: the node starts and answers, goes on in a new segment and says so in its metrics.
func TestBrokenAuditLog(t *testing.T) {
	s := newSite(t)
	state := filepath.Join(s.dir, "state")
	require.NoError(t, s.start(s.corefile("", "")))
	require.NoError(t, process.node.audit.Append(audit.Entry{Action: "drain", Outcome: audit.OutcomeOK}))
	require.EqualValues(t, 1, total(t, "fairlead_audit_entries"))
	require.Zero(t, total(t, "fairlead_audit_broken"))
	s.stop()
	sum, err := audit.Verify(state)
	require.NoError(t, err)
	require.Equal(t, "drain", sum.Last.Action)

	require.NoError(t, os.WriteFile(filepath.Join(state, "audit-000001.jsonl"), []byte("{}\n"), 0o600))
	require.NoError(t, s.start(s.corefile("", "")))
	require.Equal(t, "192.0.2.1", s.www())
	require.EqualValues(t, 1, total(t, "fairlead_audit_broken"))
	require.NoError(t, process.node.audit.Append(audit.Entry{Action: "undrain"}))
	require.FileExists(t, filepath.Join(state, "audit-000002.jsonl"))
	_, err = audit.Verify(state)
	require.ErrorContains(t, err, "audit-000001.jsonl:1: not an entry")
}
