package integration

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// boatLanes is how many sites are left side by side; each has an address with a lifeboat and one without.
	boatLanes = 4
	// boatClient is where clients come from: not from where the node probes.
	boatClient = "10.77.0.253"
	boatPort   = 8080
	// boatPace is how often each client asks.
	boatPace = 250 * time.Millisecond
)

// The caches of one service: honest ones, those that keep answers for a minute at least, and clients that resolve once.
const (
	boatHonest = 28
	boatClamp  = 8
	boatNever  = 4
)

const boatCorefile = `storm.example.org:53 {
	bind ` + netHost + `
	fairlead {
		zones DIR/zones
		state DIR/state
	}
	errors
}
`

func boatAddress(lane int) string  { return fmt.Sprintf("10.77.2.%d", lane+1) }
func aloneAddress(lane int) string { return fmt.Sprintf("10.77.3.%d", lane+1) }

func boatZone() string {
	var azs, pools, services []string
	for i := range boatLanes {
		azs = append(azs, fmt.Sprintf("eu-%d", i+1))
		for _, kind := range []struct{ name, address string }{{"boat", boatAddress(i)}, {"alone", aloneAddress(i)}} {
			pools = append(pools, fmt.Sprintf("  %[1]s-%[2]d: {region: eu, check: ready, endpoints: [{name: one, addresses: [%[3]s], az: eu-%[2]d}]}", kind.name, i+1, kind.address))
			services = append(services, fmt.Sprintf("  %[1]s-%[2]d: {tiers: [{%[1]s-%[2]d: 1, stay: 1}], ttl: {max: 5s, min: 1s}, failback: {hold: 0s}}", kind.name, i+1))
		}
	}
	return fmt.Sprintf(`zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [%s]}, us: {azs: [us-a, us-b]}}
checks: {ready: {type: tcp, port: %d, interval: 1s, timeout: 500ms, fall: 2, rise: 1}}
pools:
%s
  stay: {region: us, check: ready, endpoints: [{name: a, addresses: [10.77.4.1], az: us-a}, {name: b, addresses: [10.77.4.2], az: us-b}]}
services:
%s
`, strings.Join(azs, ", "), boatPort, strings.Join(pools, "\n"), strings.Join(services, "\n"))
}

// inNetns runs f in a network namespace: sockets that it makes stay there.
func inNetns(t testing.TB, name string, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	require.NoError(t, err)
	defer here.Close()
	there, err := os.Open("/run/netns/" + name)
	require.NoError(t, err)
	defer there.Close()
	require.NoError(t, unix.Setns(int(there.Fd()), unix.CLONE_NEWNET))
	defer func() { require.NoError(t, unix.Setns(int(here.Fd()), unix.CLONE_NEWNET)) }()
	f()
}

// A boatApp is a TCP service: who sends a line gets one.
type boatApp struct {
	l     net.Listener
	mu    sync.Mutex
	conns map[net.Conn]bool // guarded by mu
}

func startApp(t testing.TB, ns, address string) *boatApp {
	t.Helper()
	a := &boatApp{conns: make(map[net.Conn]bool)}
	inNetns(t, ns, func() {
		var err error
		a.l, err = net.Listen("tcp4", fmt.Sprintf("%s:%d", address, boatPort))
		require.NoError(t, err)
	})
	go func() {
		for {
			c, err := a.l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			} else if err != nil {
				continue
			}
			a.mu.Lock()
			a.conns[c] = true
			a.mu.Unlock()
			go func() {
				buf := make([]byte, 64)
				for n, err := c.Read(buf); err == nil; n, err = c.Read(buf) {
					_, _ = c.Write(buf[:n])
				}
				a.mu.Lock()
				delete(a.conns, c)
				a.mu.Unlock()
				c.Close()
			}()
		}
	}()
	return a
}

// idle tells whether no connection is open.
func (a *boatApp) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.conns) == 0
}

// stop lets go of the port, and breaks off what is open, as the end of a process does.
func (a *boatApp) stop() {
	a.l.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	for c := range a.conns {
		c.Close()
	}
}

// A boatFailure is a request that failed: when it began, of what, and how long that took.
type boatFailure struct {
	at      time.Time
	took    time.Duration
	address string
	err     error
}

// A boatClients asks a service all the time by forty caches of three kinds, until it is stopped.
type boatClients struct {
	mu sync.Mutex
	// failed are the requests that failed; count is how many there were in all. guarded by mu
	failed []boatFailure
	count  int
	stopAt context.CancelFunc
	done   sync.WaitGroup
}

func startClients(server, service string) *boatClients {
	ctx, cancel := context.WithCancel(context.Background())
	b := &boatClients{stopAt: cancel}
	for i := range boatHonest + boatClamp + boatNever {
		least := time.Duration(0)
		if i >= boatHonest+boatClamp {
			least = 24 * time.Hour
		} else if i >= boatHonest {
			least = time.Minute
		}
		b.done.Go(func() { b.run(ctx, server, service, least, boatPace*time.Duration(i)/(boatHonest+boatClamp+boatNever)) })
	}
	return b
}

func (b *boatClients) run(ctx context.Context, server, service string, least, phase time.Duration) {
	var address string
	var until time.Time
	tick := time.NewTimer(phase)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		begun := time.Now()
		tick.Reset(boatPace)
		if !begun.Before(until) {
			m, _, err := ask("udp", server, service, dns.TypeA)
			if err == nil && len(m.Answer) == 1 {
				address = m.Answer[0].(*dns.A).A.String()
				until = begun.Add(max(least, time.Duration(m.Answer[0].Header().Ttl)*time.Second))
			}
		}
		begun = time.Now()
		err := request(address)
		b.mu.Lock()
		b.count++
		if err != nil {
			b.failed = append(b.failed, boatFailure{begun, time.Since(begun), address, err})
		}
		b.mu.Unlock()
	}
}

// request is one connection with one question.
func request(address string) error {
	d := net.Dialer{Timeout: 2 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(boatClient)}}
	c, err := d.Dial("tcp4", net.JoinHostPort(address, fmt.Sprint(boatPort)))
	if err != nil {
		return err
	}
	defer c.Close()
	// Thousands of connections in TIME_WAIT would use up the ports.
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := c.Write([]byte("?\n")); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 8))
	return err
}

// stop ends the clients.
func (b *boatClients) stop() {
	b.stopAt()
	b.done.Wait()
}

// between are the requests that failed and began in [from, to).
func (b *boatClients) between(from, to time.Time) (list []boatFailure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.failed {
		if !f.at.Before(from) && f.at.Before(to) {
			list = append(list, f)
		}
	}
	return list
}

// A boatBench is the node, the sites and what was counted.
type boatBench struct {
	t    *testing.T
	node *process
	ask  *client.Client
	// requests and failures until T, by kind of service; detect are failures before the departure, late those after T.
	requests, untilT, aloneUntilT, detect, late, aloneLate, arrived atomic.Int64
}

// TestLifeboat: sites are drained, their applications stopped, or killed without a drain; with a lifeboat no request fails from the departure
// until T, whatever the caches are, and beside it DNS alone loses some. FAIRLEAD_TRIALS is how many drains, and as many kills by a tenth.
func TestLifeboat(t *testing.T) {
	if inNamespaces(t) {
		return
	}
	w := newWire(t, boatLanes+1, 0)
	sh(t, "", "ip", "addr", "add", boatClient+"/16", "dev", netBridge)
	for i := range boatLanes {
		for _, a := range []string{boatAddress(i), aloneAddress(i)} {
			sh(t, "", "ip", "-n", fmt.Sprintf("n%d", i+1), "addr", "add", a+"/16", "dev", "eth0")
		}
	}
	for i := range 2 {
		a := fmt.Sprintf("10.77.4.%d", i+1)
		sh(t, "", "ip", "-n", fmt.Sprintf("n%d", w.nodes), "addr", "add", a+"/16", "dev", "eth0")
		app := startApp(t, fmt.Sprintf("n%d", w.nodes), a)
		defer app.stop()
	}
	b := &boatBench{t: t}
	b.start()
	apps := make([][2]*boatApp, boatLanes)
	for i := range apps {
		apps[i] = b.apps(i)
		defer func() { apps[i][0].stop(); apps[i][1].stop() }()
	}
	b.node.awaitHealthy()
	b.node.firstStart()
	total := trials(boatLanes)
	for _, kind := range []struct {
		name  string
		count int
		kill  bool
		mode  string
	}{{"drains, by nftables", total, false, "nftables"}, {"kills, by nftables", (total + 9) / 10, true, "nftables"}, {"kills, by splice", (total + 9) / 10, true, "splice"}} {
		*b = boatBench{t: t, node: b.node, ask: b.ask}
		var next atomic.Int64
		var lanes errgroup.Group
		for i := range boatLanes {
			lanes.Go(func() error {
				for next.Add(1) <= int64(kind.count) {
					if err := b.trial(i, &apps[i], kind.kill, kind.mode); err != nil {
						return fmt.Errorf("lane %d: %w", i+1, err)
					}
				}
				return nil
			})
		}
		err := lanes.Wait()
		t.Logf("%d %s: %d requests; failed until T: %d with a lifeboat, %d by DNS alone; before the departure %d; after T %d and %d; %d late arrivals",
			kind.count, kind.name, b.requests.Load(), b.untilT.Load(), b.aloneUntilT.Load(), b.detect.Load(), b.late.Load(), b.aloneLate.Load(), b.arrived.Load())
		require.NoError(t, err)
		require.Zero(t, b.untilT.Load(), "requests failed although a lifeboat was there")
		require.Positive(t, b.arrived.Load(), "nobody came late: nothing is shown")
		require.Positive(t, b.aloneUntilT.Load(), "DNS alone lost nothing: nothing is shown")
	}
}

// start starts the node, in this process's namespace.
func (b *boatBench) start() {
	dir := b.t.TempDir()
	b.node = &process{bin: os.Getenv(namespaceEnv), dir: dir, socket: filepath.Join(dir, "state", "admin.sock"), dns: netHost + ":53"}
	require.NoError(b.t, os.MkdirAll(filepath.Join(dir, "zones"), 0o755))
	require.NoError(b.t, os.MkdirAll(filepath.Join(dir, "state"), 0o755))
	b.node.writeZone("storm.yaml", boatZone())
	b.node.writeCorefile(boatCorefile)
	start(b.t, b.node, "serve", "-conf", filepath.Join(dir, "Corefile"))
	var err error
	b.ask, err = client.New(client.Options{Server: "unix:" + b.node.socket})
	require.NoError(b.t, err)
}

// apps are the two applications of a lane: the one with a lifeboat first.
func (b *boatBench) apps(lane int) [2]*boatApp {
	ns := fmt.Sprintf("n%d", lane+1)
	return [2]*boatApp{startApp(b.t, ns, boatAddress(lane)), startApp(b.t, ns, aloneAddress(lane))}
}

// word is what the node says of one of the two addresses of a lane.
func (b *boatBench) word(kind string, lane int) (api.LifeboatAddress, error) {
	l, err := b.ask.Lifeboat(context.Background(), api.Scope{Kind: "endpoint", Name: fmt.Sprintf("storm.example.org/%s-%d/one", kind, lane+1)}, "")
	if err != nil {
		return api.LifeboatAddress{}, err
	}
	return l.Addresses[0], nil
}

// until polls until ok, or fails.
func until(what string, ok func() bool) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return nil
		}
	}
	return errors.New("waited in vain for " + what)
}

// trial leaves the site of a lane once, and comes back.
func (b *boatBench) trial(lane int, apps *[2]*boatApp, kill bool, mode string) error {
	log := new(printed)
	boat := exec.Command("nsenter", fmt.Sprintf("--net=/run/netns/n%d", lane+1), b.node.bin, "lifeboat", "endpoint", fmt.Sprintf("boat-%d/one", lane+1),
		"--port", fmt.Sprint(boatPort), "--mode", mode, "--server", "unix:"+b.node.socket)
	boat.Stdout, boat.Stderr = log, log
	boat.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := boat.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- boat.Wait() }()
	var clients [2]*boatClients
	for i, name := range []string{"boat", "alone"} {
		clients[i] = startClients(b.node.dns, fmt.Sprintf("%s-%d.storm.example.org.", name, lane+1))
	}
	fail := func(err error) error {
		_ = boat.Process.Kill()
		clients[0].stop()
		clients[1].stop()
		return fmt.Errorf("%w\n%s", err, log.output())
	}
	// Traffic in peace: every cache has an answer by then, half of them the site's.
	time.Sleep(2 * time.Second)
	begun := time.Now()
	if kill {
		apps[0].stop()
		apps[1].stop()
	} else if _, err := b.ask.Intend(context.Background(), api.IntentRequest{
		Kind: "drain", Scope: api.Scope{Kind: "az", Name: fmt.Sprintf("eu-%d", lane+1)}, Reason: "CHG-1", ForSeconds: 600, Lifeboat: true,
	}); err != nil {
		return fail(err)
	}
	if err := until("the lifeboat to forward", func() bool { return strings.Contains(log.output(), "forwarding: ") }); err != nil {
		return fail(err)
	}
	left := time.Now()
	if !kill {
		// It goes once its last requests are answered, as a careful operator has it: not before requests had a second to arrive late.
		time.Sleep(time.Second)
		if err := until("the application to be idle", func() bool { return apps[0].idle() && apps[1].idle() }); err != nil {
			return fail(err)
		}
		apps[0].stop()
		apps[1].stop()
	}
	var end time.Time
	if err := until("T", func() bool {
		a, err := b.word("boat", lane)
		if err == nil && a.Until != nil {
			end = *a.Until
		}
		return !end.IsZero() && time.Now().After(end)
	}); err != nil {
		return fail(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			return fail(err)
		}
	case <-time.After(patience):
		return fail(errors.New("the lifeboat does not end"))
	}
	// Requests go on for a second after the lifeboat is gone: whoever still comes fails, and is counted.
	time.Sleep(time.Second)
	clients[0].stop()
	clients[1].stop()
	b.count(clients, begun, left, end, kill, log)
	*apps = b.apps(lane)
	return b.comeBack(lane)
}

func (b *boatBench) count(clients [2]*boatClients, begun, left, end time.Time, kill bool, log *printed) {
	from, now := begun, time.Now()
	if kill {
		// Until the verdict nobody knows that it is dead.
		from = left
	}
	b.requests.Add(int64(clients[0].count))
	b.detect.Add(int64(len(clients[0].between(time.Time{}, from))))
	for _, f := range clients[0].between(from, end) {
		b.untilT.Add(1)
		b.t.Logf("failed: %s, %v after the departure, %v before T, after %v: %v\n%s", f.address, f.at.Sub(left), end.Sub(f.at), f.took, f.err, log.output())
	}
	b.aloneUntilT.Add(int64(len(clients[1].between(from, end))))
	b.late.Add(int64(len(clients[0].between(end, now))))
	b.aloneLate.Add(int64(len(clients[1].between(end, now))))
	for _, line := range strings.Split(log.output(), "\n") {
		var arrived int64
		if _, after, ok := strings.Cut(line, "; "); ok && strings.Contains(line, "closed: ") {
			if _, err := fmt.Sscanf(after, "%d arrived", &arrived); err == nil {
				b.arrived.Add(arrived)
			}
		}
	}
}

// comeBack ends the drain and waits until the site is answered again.
func (b *boatBench) comeBack(lane int) error {
	list, err := b.ask.Intents(context.Background())
	if err != nil {
		return err
	}
	for _, i := range list.Intents {
		if i.Scope.Name == fmt.Sprintf("eu-%d", lane+1) {
			if _, err := b.ask.EndIntent(context.Background(), i.ID, api.EndRequest{Reason: "done"}); err != nil {
				return err
			}
		}
	}
	return until("the site to be answered again", func() bool {
		for _, kind := range []string{"boat", "alone"} {
			if a, err := b.word(kind, lane); err != nil || a.State != api.BoatAnswered {
				return false
			}
		}
		return true
	})
}
