package integration

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

const (
	demoWWW = "www.demo.fairlead.test."
	demoAPI = "api.demo.fairlead.test."
)

// azByAddress maps the addresses of the demo to their AZs.
func azByAddress(p *process) map[string]string {
	azs := map[string]string{}
	for _, pool := range p.status().Zones[0].Pools {
		for _, e := range pool.Endpoints {
			for _, a := range e.Addresses {
				azs[a] = e.AZ
			}
		}
	}
	return azs
}

// count tallies AZs over n answers for www from clients at once; half of the questions ask for AAAA, which is NODATA here
// and must not disturb the order of the A answers.
func count(t *testing.T, p *process, azs map[string]string, network string, clients, n int) map[string]int {
	t.Helper()
	var mu sync.Mutex
	tally := map[string]int{}
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := c; i < n; i += clients {
				m, _, err := ask(network, p.dns, demoWWW, dns.TypeA)
				if err != nil || len(m.Answer) != 1 {
					t.Errorf("A: %v %v", m, err)
					return
				}
				six, _, err := ask(network, p.dns, demoWWW, dns.TypeAAAA)
				if err != nil || len(six.Answer) != 0 || len(six.Ns) != 1 {
					t.Errorf("AAAA: %v %v", six, err)
					return
				}
				mu.Lock()
				tally[azs[m.Answer[0].(*dns.A).A.String()]]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return tally
}

func TestDemoSplitsByWeight(t *testing.T) {
	p := startDemo(t)
	azs := azByAddress(p)
	want := map[string]int{"eu-a": 280, "eu-b": 420, "us-a": 150, "us-b": 150}
	for _, tt := range []struct {
		name    string
		network string
		clients int
	}{
		{"one client over UDP", "udp", 1}, {"sixteen clients over UDP", "udp", 16}, {"sixteen clients over TCP", "tcp", 16},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := count(t, p, azs, tt.network, tt.clients, 1000)
			t.Logf("1,000 answers: %v", got)
			for az, n := range want {
				require.InDelta(t, n, got[az], 1, "%v", got)
			}
		})
	}
	t.Run("api answers from eu alone", func(t *testing.T) {
		for range 20 {
			m, _, err := ask("udp", p.dns, demoAPI, dns.TypeA)
			require.NoError(t, err)
			require.Contains(t, azs[address(t, m)], "eu-")
		}
	})
}

// breakTrials is spread over demos that run side by side: each trial takes the time of a break and of a return. Every second one hangs.
var breakTrials = envInt("FAIRLEAD_TRIALS", 2)

const (
	breakDemos = 4
	// breakLimit is how long after the break an answer may still name the AZ: two intervals of 1 s with their jitter, the
	// timeout of 0.5 s, and what a shared machine adds.
	breakLimit = 3500 * time.Millisecond
)

func TestDemoBreakAndHeal(t *testing.T) {
	for _, az := range []string{"eu-a", "eu-b", "us-a", "us-b"}[:breakDemos] {
		t.Run(az, func(t *testing.T) {
			t.Parallel()
			p := startDemo(t)
			azs := azByAddress(p)
			for trial := range breakTrials {
				args := []string{"demo", "break", "az", az, "--server", "unix:" + p.socket}
				if trial%2 == 1 {
					args = append(args, "--hang")
				}
				last := breakTrial(t, p, azs, az, args)
				back := healTrial(t, p, azs, az)
				t.Logf("break %d (hang %v): last answer after %v; healed: first answer after %v", trial+1, trial%2 == 1, last, back)
				require.LessOrEqual(t, last, breakLimit)
				p.awaitHealthy()
			}
		})
	}
}

// breakTrial breaks the AZ and returns how long after the break the last answer named it.
func breakTrial(t *testing.T, p *process, azs map[string]string, az string, args []string) time.Duration {
	t.Helper()
	out, code := run(t, p.bin, args...)
	broken := time.Now()
	require.Zero(t, code, out)
	var last time.Duration
	for time.Since(broken) < breakLimit+2*time.Second {
		m, _, err := ask("udp", p.dns, demoWWW, dns.TypeA)
		require.NoError(t, err)
		if azs[address(t, m)] == az {
			last = time.Since(broken)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return last
}

// healTrial heals the AZ and returns how long after it an answer names it again.
func healTrial(t *testing.T, p *process, azs map[string]string, az string) time.Duration {
	t.Helper()
	out, code := run(t, p.bin, "demo", "heal", "az", az, "--server", "unix:"+p.socket)
	healed := time.Now()
	require.Zero(t, code, out)
	await(t, az+" back in the answers", func() bool {
		m, _, err := ask("udp", p.dns, demoWWW, dns.TypeA)
		return err == nil && azs[address(t, m)] == az
	})
	return time.Since(healed)
}

func TestDemoEndsByItself(t *testing.T) {
	waits(t)
	dir := t.TempDir()
	p := &process{bin: binary(t, true), dir: dir, socket: dir + "/s", dns: "127.0.0.1:0"}
	out, code := run(t, p.bin, "demo", "--dns", fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t)), "--socket", p.socket, "--duration", "3s")
	require.Zero(t, code, out)
	require.Contains(t, out, "dig @127.0.0.1")
}

func TestDemoUnknownAZ(t *testing.T) {
	waits(t)
	p := startDemo(t)
	out, code := run(t, p.bin, "demo", "break", "az", "eu-z", "--server", "unix:"+p.socket)
	require.Equal(t, 1, code)
	for _, az := range slices.Sorted(maps.Values(azByAddress(p))) {
		require.Contains(t, out, az)
	}
}
