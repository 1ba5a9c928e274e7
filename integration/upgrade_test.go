package integration

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// upgradeFromEnv is the commit of the program that nodes are upgraded from; upgradeOldEnv is where that program is.
	upgradeFromEnv, upgradeOldEnv = "FAIRLEAD_UPGRADE_FROM", "FAIRLEAD_UPGRADE_OLD"
	// upgradeSecondsEnv is how long nodes of both versions run beside each other, upgradeRateEnv how many questions a second all get.
	upgradeSecondsEnv, upgradeRateEnv = "FAIRLEAD_UPGRADE_SECONDS", "FAIRLEAD_UPGRADE_RATE"
	upgradeClients                    = 4
)

// A steadyLoad asks all nodes for one name and holds every reply against what must not be answered.
type steadyLoad struct {
	stop chan struct{}
	wg   sync.WaitGroup

	sent, answered, refused atomic.Int64
	mu                      sync.Mutex
	// The rest is guarded by mu. never are the addresses that must not come any more, wrong is the first reply that had one.
	never []string
	wrong string
	// expiry is when the last answer with an address is forgotten by whoever keeps to its TTL.
	expiry map[string]time.Time
}

func startSteadyLoad(nodes []*clusterNode, rate int) *steadyLoad {
	l := &steadyLoad{stop: make(chan struct{}), expiry: make(map[string]time.Time)}
	for _, n := range nodes {
		for range upgradeClients {
			l.wg.Go(func() { l.client(n, time.Second*time.Duration(len(nodes)*upgradeClients)/time.Duration(rate)) })
		}
	}
	return l
}

func (l *steadyLoad) client(n *clusterNode, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var conn *dns.Conn
	for {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
		}
		if conn == nil {
			var err error
			if conn, err = dns.DialTimeout("udp", n.dns, time.Second); err != nil {
				continue
			}
		}
		q := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
		sent := time.Now()
		l.sent.Add(1)
		_ = conn.SetDeadline(sent.Add(time.Second))
		err := conn.WriteMsg(q)
		var r *dns.Msg
		for err == nil && (r == nil || r.Id != q.Id) {
			r, err = conn.ReadMsg()
		}
		if err != nil {
			// The node is being replaced: whoever resolves asks another one.
			conn.Close()
			conn = nil
			continue
		}
		l.judge(n, sent, r)
	}
}

// judge looks at a reply to a question that was sent at an instant.
func (l *steadyLoad) judge(n *clusterNode, sent time.Time, r *dns.Msg) {
	if r.Rcode != dns.RcodeSuccess {
		l.refused.Add(1)
		return
	}
	l.answered.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(r.Answer) != 1 && l.wrong == "" {
		l.wrong = fmt.Sprintf("%s: %d answers: %v", n.name, len(r.Answer), r)
	}
	for _, rr := range r.Answer {
		a, ok := rr.(*dns.A)
		if !ok {
			continue
		}
		address := a.A.String()
		if slices.Contains(l.never, address) && l.wrong == "" {
			l.wrong = fmt.Sprintf("%s answers %s, asked at %v", n.name, address, sent.Format(time.StampMilli))
		}
		if until := sent.Add(time.Duration(a.Hdr.Ttl) * time.Second); until.After(l.expiry[address]) {
			l.expiry[address] = until
		}
	}
}

// forbid says which addresses must not be answered from now on.
func (l *steadyLoad) forbid(addresses ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.never = addresses
}

func (l *steadyLoad) verdict() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong
}

// buildFrom builds the program of a commit.
func buildFrom(t *testing.T, commit string) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("sh", "-c", `git -C .. archive "$1" | tar -x -C "$2" && cp -r ../plugin/admin/ui/dist "$2/plugin/admin/ui/" 2>/dev/null; cd "$2" && go build -ldflags "-X main.version=$1" -o old ./cmd/fairlead`, "sh", commit, dir).CombinedOutput()
	require.NoError(t, err, string(out))
	return filepath.Join(dir, "old")
}

// TestRollingUpgrade: three nodes go from an older commit's program to this one, one by one, under load, with a drain in force and an AZ down.
func TestRollingUpgrade(t *testing.T) {
	if os.Getenv(namespaceEnv) == "" {
		commit := os.Getenv(upgradeFromEnv)
		if commit == "" {
			t.Skip("needs a commit to come from: make test-upgrade FROM=COMMIT")
		}
		t.Setenv(upgradeOldEnv, buildFrom(t, commit))
	}
	if inNamespaces(t) {
		return
	}
	mixed := time.Duration(envInt(upgradeSecondsEnv, 20)) * time.Second
	rate := envInt(upgradeRateEnv, 2000)
	next := os.Getenv(namespaceEnv)
	t.Setenv(namespaceEnv, os.Getenv(upgradeOldEnv))
	c := newCluster(t, 3)
	drained, dead := netEndpoint(0), netEndpoint(3)
	l := startSteadyLoad(c.nodes, rate)
	defer func() { close(l.stop); l.wg.Wait() }()

	order, status := c.nodes[0].drain("eu", "a")
	require.Equal(t, http.StatusCreated, status)
	c.broken[3].Store(true)
	await(t, "both out of all answers", func() bool { return c.without(drained) && c.without(dead) })
	// What was on its way when the last node let go has been read after a second.
	time.Sleep(time.Second)
	l.forbid(drained, dead)

	versions := make(map[string]bool)
	for i, n := range c.nodes {
		c.holdsTo(t, l, order, mixed/time.Duration(len(c.nodes)+1))
		versions[n.version()] = true
		require.NoError(t, n.cmd.Process.Signal(syscall.SIGTERM))
		await(t, "the end of "+n.name, func() bool {
			select {
			case <-n.exited:
				return true
			default:
				return false
			}
		})
		n.bin = next
		n.start()
		await(t, fmt.Sprintf("%d of %d nodes upgraded", i+1, len(c.nodes)), func() bool { return c.heard(order) == nil })
		versions[n.version()] = true
	}
	c.holdsTo(t, l, order, mixed/time.Duration(len(c.nodes)+1))
	require.Len(t, versions, 2)
	await(t, "agreement of nodes of one version", func() bool { return c.differ() == "" })
	require.Empty(t, l.verdict())
	require.Positive(t, l.answered.Load())
	t.Logf("versions %v: %d questions, %d answered, %d refused", versions, l.sent.Load(), l.answered.Load(), l.refused.Load())
}

// version is what the node says that it is.
func (n *clusterNode) version() string {
	out, err := exec.Command(n.bin, "--version").Output()
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(out))
}

var errOrderLost = errors.New("has lost the order")

// heard tells what is missing: all nodes hear each other, serve, and have the order in force.
func (c *realCluster) heard(order api.Intent) error {
	for _, n := range c.nodes {
		nodes, ids := n.view()
		switch {
		case nodes == nil:
			return fmt.Errorf("%s does not answer", n.name)
		case nodes.Shut != "" || nodes.Heard != len(c.nodes):
			return fmt.Errorf("%s hears %d: %s", n.name, nodes.Heard, nodes.Shut)
		case !slices.Contains(ids, order.ID):
			return fmt.Errorf("%s: %w", n.name, errOrderLost)
		}
	}
	return nil
}

// holdsTo watches a while: no order is lost, nothing wrong is answered, and no bound that a node tells lies before what its clients were told.
func (c *realCluster) holdsTo(t *testing.T, l *steadyLoad, order api.Intent, a time.Duration) {
	t.Helper()
	for end := time.Now().Add(a); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		require.Empty(t, l.verdict())
		require.NotErrorIs(t, c.heard(order), errOrderLost)
		for _, n := range c.nodes {
			var s api.Staleness
			if n.call(http.MethodGet, api.StalenessPath, nil, &s) != http.StatusOK {
				continue
			}
			l.mu.Lock()
			for _, service := range s.Services {
				for _, d := range service.Departures {
					for i, e := range clusterEndpoints {
						if d.Endpoint == "example.org/"+e.pool+"/"+e.name && d.SafeAt != nil {
							require.False(t, l.expiry[netEndpoint(i)].After(*d.SafeAt), "%s: %s is forgotten at %v, and was answered until %v", n.name, d.Endpoint, d.SafeAt, l.expiry[netEndpoint(i)])
						}
					}
				}
			}
			l.mu.Unlock()
		}
	}
}
