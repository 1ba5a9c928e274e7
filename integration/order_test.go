package integration

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// orderZone has nothing that is probed: what moves here moves by orders.
const orderZone = `zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2], az: eu-b}]}
  cold: {region: us, gate: manual, endpoints: [{name: three, addresses: [192.0.2.3], az: us-a}]}
services:
  www: {tiers: [{cold: 1}, {web: 1}], answers: all, ttl: {max: 5s, min: 1s}, failback: {mode: manual}, safety: {keep_azs: 2}}
  api: {tiers: [{web: 1}], answers: all, ttl: {max: 5s, min: 1s}, failback: {mode: never}}
`

// TestOrders: what operators type, against the real binary, with a kill in between.
func TestOrders(t *testing.T) {
	waits(t)
	p := startServe(t, true, corefile, map[string]string{"storm.yaml": orderZone})
	await(t, "the first answer", func() bool { _, _, err := ask("udp", p.dns, "api.storm.example.org.", dns.TypeA); return err == nil })
	say := func(want int, args ...string) string {
		t.Helper()
		out, code := run(t, p.bin, append(args, "--server", "unix:"+p.socket)...)
		require.Equal(t, want, code, out)
		return out
	}
	answers := func(name string, want ...string) {
		t.Helper()
		var got []string
		m, _, err := ask("udp", p.dns, name+".storm.example.org.", dns.TypeA)
		require.NoError(t, err)
		for _, rr := range m.Answer {
			got = append(got, rr.(*dns.A).A.String())
		}
		require.ElementsMatch(t, want, got)
	}

	answers("www", "192.0.2.1", "192.0.2.2")
	require.Contains(t, say(3, "status"), "gate closed: waits for `fairlead ready storm.example.org/cold`")
	say(0, "ready", "cold", "--reason", "promoted")
	answers("www", "192.0.2.3")
	say(5, "ready", "web")
	say(5, "failback", "cold")

	out := say(0, "drain", "az", "eu-a", "--reason", "CHG-1", "--for", "10m")
	require.Contains(t, out, "drain az eu-a until")
	answers("api", "192.0.2.2")
	out = say(4, "drain", "az", "eu-b", "--reason", "CHG-2")
	require.Contains(t, out, "refused by never_empty: service api.storm.example.org")
	say(4, "drain", "pool", "cold", "--service", "www.storm.example.org", "--reason", "CHG-3")
	say(1, "drain", "az", "mars", "--reason", "CHG-4")

	// Killed, not stopped: what was acknowledged is there again before the first answer.
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGKILL))
	<-p.exited
	again := &process{bin: p.bin, dir: p.dir, socket: p.socket, dns: p.dns}
	start(t, again, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
	await(t, "the node after the kill", func() bool { _, _, err := ask("udp", p.dns, "api.storm.example.org.", dns.TypeA); return err == nil })
	answers("www", "192.0.2.3")
	answers("api", "192.0.2.2")
	await(t, "the admin socket", func() bool { _, code := run(t, p.bin, "intents", "--server", "unix:"+p.socket); return code == 0 })
	require.Contains(t, say(0, "intents"), "CHG-1")
	state := filepath.Join(p.dir, "state")
	out, code := run(t, p.bin, "audit", "verify", state)
	require.Zero(t, code, out)
	out, code = run(t, p.bin, "audit", state)
	require.Zero(t, code, out)
	require.Regexp(t, `drain +az eu-a +ok +CHG-1`, out)
	require.Regexp(t, `drain +az eu-b +refused: never_empty +CHG-2`, out)

	// The AZ had nothing: api, in mode never, waits for a new file; www, manual, for a person.
	say(0, "undrain", "eu-a")
	answers("api", "192.0.2.2")
	out = say(3, "status")
	require.Contains(t, out, "back, and waits for `fairlead failback storm.example.org/web`")
	say(0, "failback", "web")
	say(1, "undrain", "eu-a")
	say(0, "unready", "cold")
	answers("www", "192.0.2.1", "192.0.2.2")

	// A file that is not understood costs what it held, and not the service.
	again.stop()
	intents := filepath.Join(p.dir, "state", "intents.json")
	require.NoError(t, os.Truncate(intents, 40))
	torn := &process{bin: p.bin, dir: p.dir, socket: p.socket, dns: p.dns}
	start(t, torn, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
	await(t, "the node after the damage", func() bool { _, _, err := ask("udp", p.dns, "api.storm.example.org.", dns.TypeA); return err == nil })
	await(t, "the admin socket", func() bool { _, code := run(t, p.bin, "intents", "--server", "unix:"+p.socket); return code == 0 })
	require.NotContains(t, say(0, "intents"), "CHG-1")
	require.Contains(t, say(0, "events"), "state.damaged")
	require.FileExists(t, intents+".damaged")
}
