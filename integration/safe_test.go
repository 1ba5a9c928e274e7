package integration

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// cli runs a command against the process and returns its exit code and what it printed.
func (p *process) cli(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	// A command that does not end says what it said.
	ctx, stop := context.WithTimeout(t.Context(), 2*patience)
	defer stop()
	b, err := exec.CommandContext(ctx, p.bin, append(args, "--server", "unix:"+p.socket)...).CombinedOutput()
	require.NoError(t, ctx.Err(), "%s", b)
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode(), string(b)
	}
	require.NoError(t, err)
	return 0, string(b)
}

// TestSafeCommand: an AZ of a real cluster is not safe while it is answered, and is when `drain --wait=forgotten` comes back: at the instant
// that was told, and not before what clients were told has expired.
func TestSafeCommand(t *testing.T) {
	waits(t)
	if testing.Short() {
		t.Skip("starts the demo")
	}
	p := startDemo(t)
	code, out := p.cli(t, "safe", "az", "eu-a")
	require.Equal(t, 3, code, out)
	require.True(t, strings.HasPrefix(out, "■ no: demo.fairlead.test/web-eu/web-eu-a is not drained"), out)
	var last time.Time
	azs := azByAddress(p)
	for range 50 {
		m, _, err := ask("udp", p.dns, demoWWW, dns.TypeA)
		require.NoError(t, err)
		if a := m.Answer[0].(*dns.A); azs[a.A.String()] == "eu-a" {
			last = time.Now().Add(time.Duration(a.Hdr.Ttl) * time.Second)
		}
	}
	require.False(t, last.IsZero(), "eu-a was never answered")
	code, out = p.cli(t, "drain", "az", "eu-a", "--reason", "power work", "--wait=forgotten")
	require.Equal(t, 0, code, out)
	require.Contains(t, out, "az eu-a: not before ")
	require.Contains(t, out, "● yes: no honest cache h")
	require.True(t, time.Now().After(last), "a cache may hold it")
	code, out = p.cli(t, "safe", "az", "eu-a", "-o", "json")
	require.Equal(t, 0, code, out)
	var s api.Safe
	require.NoError(t, json.Unmarshal([]byte(out), &s))
	require.False(t, s.ForgottenAt.Before(last))
	code, out = p.cli(t, "status")
	require.Equal(t, 0, code, out)
	require.True(t, strings.HasPrefix(out, "⏸ AZ eu-a drained by "), out)
	code, out = p.cli(t, "safe", "az", "eu-c")
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "hint: did you mean eu-a?")
}
