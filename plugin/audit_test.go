package fairlead

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/audit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// order gives an order on the admin socket of the site: freeze or unfreeze.
func (s *site) order(path string) {
	s.t.Helper()
	c := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, "state", "admin.sock"))
	}}}
	r, err := c.Post("http://node"+api.Base+"/"+path, "application/json", strings.NewReader(`{"actor":"ada","reason":"a test"}`))
	require.NoError(s.t, err)
	defer r.Body.Close()
	require.Equal(s.t, http.StatusOK, r.StatusCode)
}

// TestBrokenAuditLog: the node starts and answers, goes on in a new segment and says so in its metrics.
func TestBrokenAuditLog(t *testing.T) {
	s := newSite(t)
	state := filepath.Join(s.dir, "state")
	require.NoError(t, s.start(s.corefile("", "")))
	s.order("freeze")
	require.EqualValues(t, 1, total(t, "fairlead_audit_entries"))
	require.Zero(t, total(t, "fairlead_audit_broken"))
	s.stop()
	sum, err := audit.Verify(state)
	require.NoError(t, err)
	require.Equal(t, "freeze", sum.Last.Action)

	require.NoError(t, os.WriteFile(filepath.Join(state, "audit-000001.jsonl"), []byte("{}\n"), 0o600))
	require.NoError(t, s.start(s.corefile("", "")))
	require.Equal(t, "192.0.2.1", s.www())
	require.EqualValues(t, 1, total(t, "fairlead_audit_broken"))
	s.order("unfreeze")
	require.FileExists(t, filepath.Join(state, "audit-000002.jsonl"))
	_, err = audit.Verify(state)
	require.ErrorContains(t, err, "audit-000001.jsonl:1: not an entry")
}
