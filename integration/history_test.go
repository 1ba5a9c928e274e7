package integration

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// forgetting is what a node prints of a service: its lines together.
func (p *process) forgetting(service string) *api.ServiceStaleness {
	p.t.Helper()
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.socket)
	}}}
	resp, err := c.Get("http://fairlead" + api.StalenessPath + "?service=" + service)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	var s api.Staleness
	require.NoError(p.t, json.NewDecoder(resp.Body).Decode(&s))
	require.Len(p.t, s.Services, 1)
	return &s.Services[0]
}

// demoNode is where the k-th node of the demo, from 1 on, answers.
func (p *process) demoNode(k int) string {
	host, port, _ := net.SplitHostPort(p.dns)
	first, _ := strconv.Atoi(port)
	return net.JoinHostPort(host, strconv.Itoa(first+k-1))
}

// never asks the k-th node of the demo for a while; no answer may carry an address.
func (p *process) never(k int, address string, d time.Duration) (asked int) {
	p.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); asked++ {
		m, _, err := ask("udp", p.demoNode(k), demoWWW, dns.TypeA)
		require.NoError(p.t, err)
		for _, rr := range m.Answer {
			require.NotEqual(p.t, address, rr.(*dns.A).A.String(), "n%d answers the dead endpoint", k)
		}
		time.Sleep(20 * time.Millisecond) // the pace of a client
	}
	return asked
}

// out waits until an AZ's endpoint is down, and n1 prints until when caches hold it.
func (p *process) out(t *testing.T, az string) {
	await(t, az+" out and its bound known", func() bool {
		d := p.staleness(t, az)
		return d != nil && d.SafeAt != nil
	})
}

// stateOf is the state of the endpoint of an AZ, as n1 has it.
func (p *process) stateOf(az string) string {
	for _, z := range p.status().Zones {
		for _, pool := range z.Pools {
			for _, e := range pool.Endpoints {
				if e.AZ == az {
					return e.State
				}
			}
		}
	}
	return ""
}

// TestCutInTheHold is a history in which a bound was false: a node that is cut off while an endpoint's hold runs out must not let it in.
func TestCutInTheHold(t *testing.T) {
	waits(t)
	p := startDemo(t)
	const az, address = "eu-a", "127.10.1.1"
	// A client without the race detector starts faster.
	cli := binary(t, false)
	do := func(args ...string) {
		out, code := run(t, cli, append(args, "--server=unix:"+p.socket)...)
		require.Zero(t, code, out)
	}
	// From the healing on it is held for 25 s once probes have succeeded twice: n3 is cut off so early in it that it knows so (after
	// health.HeardFor) before it ends, and then the endpoint is dead for good.
	longer, _ := p.editDemo(t, func(text string) string { return strings.ReplaceAll(text, "hold: 5s", "hold: 25s") })
	longer()
	do("reload")
	const early = 12 * time.Second
	var cut time.Duration
	var lost time.Time
	for tries := 1; ; tries++ {
		do("demo", "break", "az", az)
		p.out(t, az)
		healed := time.Now()
		do("demo", "heal", "az", az)
		await(t, "the hold begins", func() bool { return p.stateOf(az) == "up" })
		do("demo", "cut", "node", "n3")
		cut, lost = time.Since(healed), time.Now()
		do("demo", "break", "az", az)
		if cut < early {
			break
		}
		require.Less(t, tries, 10, "this machine takes %s from the healing to the cut", cut)
		do("demo", "heal", "node", "n3")
		p.out(t, az)
	}
	require.Greater(t, p.never(3, address, 32*time.Second), 100)
	if d := p.staleness(t, az); d.Final {
		// Nobody had asked for it: it was forgotten, and all had said so, before n3 was cut off.
		require.True(t, d.SafeAt.Before(lost), "n3 is not heard: nobody can be certain")
	} else {
		require.Nil(t, d.SafeAt)
		require.Equal(t, "n3", d.Unknown[0].Node)
	}
	do("demo", "heal", "node", "n3")
	await(t, "n3's word for it", func() bool {
		d := p.staleness(t, az)
		return d != nil && d.SafeAt != nil
	})
}

// TestCheckEditedOnOneNode is a history in which a bound was false: a node whose file has other parameters of a check knows what it knew.
func TestCheckEditedOnOneNode(t *testing.T) {
	waits(t)
	p := startDemo(t)
	const az, address = "eu-a", "127.10.1.1"
	out, code := run(t, p.bin, "demo", "break", "az", az, "--server=unix:"+p.socket)
	require.Zero(t, code, out)
	p.out(t, az)
	first := p.status().Files[0].Path
	third := filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(first))), "n3", "zones.d", filepath.Base(first))
	b, err := os.ReadFile(third)
	require.NoError(t, err)
	edited := strings.NewReplacer("timeout: 500ms", "timeout: 400ms", "fall: 2", "fall: 3").Replace(string(b))
	require.NotEqual(t, string(b), edited)
	p.replace(third, edited)
	require.Greater(t, p.never(3, address, 12*time.Second), 100)
	d := p.staleness(t, az)
	require.NotNil(t, d)
	require.Contains(t, d.ConfirmedBy, "n3")
	require.Empty(t, d.Void)
}

const historyZone = `zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2], az: eu-b}]}
services:
  www: {tiers: [{web: 1}], answers: all, ttl: {max: 60s, min: 1s}}
`

const historyWWW = "www.storm.example.org."

// again starts the node of p anew, after a kill and what do does to its files.
func (p *process) again(t *testing.T, do func()) *process {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGKILL))
	<-p.exited
	if do != nil {
		do()
	}
	next := &process{bin: p.bin, dir: p.dir, socket: p.socket, dns: p.dns}
	start(t, next, "serve", "-conf", filepath.Join(p.dir, "Corefile"))
	next.awaitHealthy()
	return next
}

// TestLostAndCopiedState is a history in which a bound was false: TTLs were longer before a kill, and what knew that is lost, or older.
func TestLostAndCopiedState(t *testing.T) {
	waits(t)
	short := strings.Replace(historyZone, "max: 60s", "max: 4s", 1)
	drained := func(p *process) *api.ServiceStaleness {
		out, code := run(t, p.bin, "drain", "az", "eu-a", "--for", "1h", "--reason", "x", "--server=unix:"+p.socket)
		require.Zero(t, code, out)
		var s *api.ServiceStaleness
		await(t, "the departure", func() bool {
			s = p.forgetting(historyWWW)
			return len(s.Departures) == 1 && len(s.ConfirmedBy)+len(s.Unknown) > 0
		})
		return s
	}
	begin := func(t *testing.T) *process {
		p := startServe(t, true, corefile, map[string]string{"storm.yaml": historyZone})
		p.awaitHealthy()
		p.firstStart()
		m, _, err := ask("udp", p.dns, historyWWW, dns.TypeA)
		require.NoError(t, err)
		require.EqualValues(t, 60, m.Answer[0].Header().Ttl)
		p.writeZone("storm.yaml", short)
		return p
	}
	t.Run("kept", func(t *testing.T) {
		p := begin(t)
		killed := time.Now()
		s := drained(p.again(t, nil))
		require.NotNil(t, s.SafeAt, "%+v", s.Unknown)
		require.False(t, s.SafeAt.Before(killed.Add(60*time.Second)), "what was answered for 60 s before the kill is in caches")
	})
	t.Run("lost", func(t *testing.T) {
		p := begin(t)
		s := drained(p.again(t, func() { require.NoError(t, os.RemoveAll(filepath.Join(p.dir, "state"))) }))
		require.Nil(t, s.SafeAt)
		require.Contains(t, s.Unknown[0].Why, "its state directory did not say what it answered before")
	})
	t.Run("copied", func(t *testing.T) {
		p := begin(t)
		path := filepath.Join(p.dir, "state", "ledger.json")
		s := drained(p.again(t, func() {
			// What a backup of last year would put there.
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			older := strings.Replace(string(b), `"written_at":"20`, `"written_at":"19`, 1)
			require.NotEqual(t, string(b), older)
			require.NoError(t, os.WriteFile(path, []byte(older), 0o600))
		}))
		require.Nil(t, s.SafeAt)
		require.Contains(t, s.Unknown[0].Why, "its state directory is a copy")
	})
}

// TestFullDiskGivesNoLongerTTL is a history in which a bound was false: on a full disk a longer TTL can't be written, and must not be given.
func TestFullDiskGivesNoLongerTTL(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk needs root")
	}
	p := startServe(t, true, corefile, map[string]string{"storm.yaml": strings.Replace(historyZone, "max: 60s", "max: 5s", 1)})
	p.awaitHealthy()
	state := filepath.Join(p.dir, "state")
	p = p.again(t, func() {
		require.NoError(t, unix.Mount("tmpfs", state, "tmpfs", 0, "size=512k"))
		t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	})
	p.firstStart()
	ttl := func() uint32 {
		m, _, err := ask("udp", p.dns, historyWWW, dns.TypeA)
		require.NoError(t, err)
		return m.Answer[0].Header().Ttl
	}
	require.EqualValues(t, 5, ttl())
	filler := filepath.Join(state, "filler")
	f, err := os.Create(filler)
	require.NoError(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	require.NoError(t, f.Close())
	before := p.status().ConfigHash
	p.writeZone("storm.yaml", historyZone)
	await(t, "the new version to be served", func() bool { return p.status().ConfigHash != before })
	for range 100 {
		require.LessOrEqual(t, ttl(), uint32(5), "60 s are not on disk")
		time.Sleep(20 * time.Millisecond) // the pace of a client
	}
	require.NoError(t, os.Remove(filler))
	await(t, "the longer TTL, once it is on disk", func() bool { return ttl() == 60 })
}

// TestSafeKnowsOtherRoads are histories in which `safe` said yes too early: a static record that was just taken out of the file, and an
// address that a service answers once all else is down.
func TestSafeKnowsOtherRoads(t *testing.T) {
	waits(t)
	const record = "records: [{name: old, type: A, ttl: 90s, data: 192.0.2.1}, {name: hint, type: HTTPS, data: \"1 . ipv4hint=192.0.2.1\"}]\n"
	p := startServe(t, true, corefile, map[string]string{"storm.yaml": historyZone + record})
	p.awaitHealthy()
	p.firstStart()
	say := func(want int, args ...string) string {
		t.Helper()
		out, code := run(t, p.bin, append(args, "--server=unix:"+p.socket)...)
		require.Equal(t, want, code, out)
		return out
	}
	say(0, "drain", "endpoint", "storm.example.org/web/one", "--for", "1h", "--reason", "x")
	out := say(3, "safe", "endpoint", "storm.example.org/web/one")
	require.Contains(t, out, "the record old.storm.example.org. A has an address of it")
	require.Contains(t, out, "the record hint.storm.example.org. HTTPS has an address of it")
	p.writeZone("storm.yaml", historyZone)
	require.Regexp(t, `old\.storm\.example\.org +192\.0\.2\.1 +\S+Z +the static record was removed`, say(0, "reload"))
	require.Regexp(t, `not before .*caches may hold the record old\.storm\.example\.org\. A, which the file has no more`, say(3, "safe", "endpoint", "storm.example.org/web/one"))
	p.writeZone("storm.yaml", strings.Replace(historyZone, "max: 60s, min: 1s}", "max: 60s, min: 1s}, on_all_down: [192.0.2.1]", 1))
	say(0, "reload")
	require.Contains(t, say(3, "safe", "endpoint", "storm.example.org/web/one"), "www.storm.example.org answers 192.0.2.1 once all else is down (on_all_down)")
}

// TestPromisesAfterALowerTTL is a history in which previews were false: answers of before the file was changed live for the older TTL.
func TestPromisesAfterALowerTTL(t *testing.T) {
	waits(t)
	p := startServe(t, true, corefile, map[string]string{"storm.yaml": historyZone})
	p.awaitHealthy()
	p.firstStart()
	_, _, err := ask("udp", p.dns, historyWWW, dns.TypeA)
	require.NoError(t, err)
	p.writeZone("storm.yaml", strings.Replace(historyZone, "max: 60s", "max: 10s", 1))
	for _, args := range [][]string{{"reload"}, {"drain", "az", "eu-a", "--for", "1h", "--reason", "x", "--dry-run"}, {"drain", "az", "eu-a", "--at", "+17s", "--for", "1h", "--reason", "x", "--dry-run"}} {
		out, code := run(t, p.bin, append(args, "--server=unix:"+p.socket)...)
		require.Zero(t, code, out)
		if args[0] == "drain" {
			require.Regexp(t, `honest caches forget within 1m[5-9]`, out)
		}
	}
}
