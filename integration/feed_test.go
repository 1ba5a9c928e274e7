package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	feedwire "github.com/fairlead-dns/fairlead/plugin/feed/wire"
)

const (
	feedZone = `zone: feed.example.org
nameservers: [{name: ns1.feed.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}}
checks: {pushed: {type: push, lease: 10m}}
pools:
  web: {region: eu, check: pushed, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2], az: eu-b}]}
services:
  www: {tiers: [{web: 1}], ttl: {max: 30s, min: 2s}, failback: {hold: 0s}}
`
	feedCorefile = `feed.example.org:PORT {
    bind 127.0.0.1
    fairlead {
        zones DIR/zones
        node DIR/node.yaml
        state DIR/state
    }
}
`
	feedName = "www.feed.example.org"
)

// listeners are clients that keep their connections, as one of each would.
var listeners = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2000}}

// A listening is one subscriber: how many members it was told of last, and when.
type listening struct {
	members atomic.Int64
	at      atomic.Int64
}

func (l *listening) hears(members int) {
	l.at.Store(time.Now().UnixNano())
	l.members.Store(int64(members))
}

// watchStream listens to a stream of events, and acknowledges.
func watchStream(ctx context.Context, base string, l *listening) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+feedwire.WatchPath+"?name="+feedName, nil)
	if err != nil {
		return err
	}
	r, err := listeners.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	var hello feedwire.Hello
	kind := ""
	for s := bufio.NewScanner(r.Body); s.Scan(); {
		line := s.Text()
		if after, ok := strings.CutPrefix(line, "event: "); ok {
			kind = after
		}
		data, ok := strings.CutPrefix(line, "data: ")
		switch {
		case ok && kind == feedwire.EventHello:
			err = json.Unmarshal([]byte(data), &hello)
		case ok && kind == feedwire.EventGiven:
			var c feedwire.Change
			if err = json.Unmarshal([]byte(data), &c); err != nil {
				return err
			}
			l.hears(len(c.Given[0].Sets["A"]))
			body, _ := json.Marshal(feedwire.Ack{Subscriber: hello.Subscriber, Version: c.Version})
			var ack *http.Response
			if ack, err = listeners.Post(base+feedwire.AckPath, "application/json", bytes.NewReader(body)); err == nil {
				_, _ = io.Copy(io.Discard, ack.Body)
				ack.Body.Close()
			}
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// adsStream listens by xDS, and acknowledges.
func adsStream(ctx context.Context, target string, id int, l *listening) error {
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	s, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		return err
	}
	req := &discovery.DiscoveryRequest{Node: &core.Node{Id: fmt.Sprint(id)}, TypeUrl: resource.EndpointType, ResourceNames: []string{feedName + ":80"}}
	for {
		if err := s.Send(req); err != nil {
			return err
		}
		r, err := s.Recv()
		if err != nil {
			return err
		}
		var a endpoint.ClusterLoadAssignment
		if err := r.GetResources()[0].UnmarshalTo(&a); err != nil {
			return err
		}
		l.hears(len(a.GetEndpoints()))
		req = &discovery.DiscoveryRequest{TypeUrl: resource.EndpointType, ResourceNames: req.GetResourceNames(), ResponseNonce: r.GetNonce(), VersionInfo: r.GetVersionInfo()}
	}
}

// A cost is what a process has used.
type cost struct {
	cpu time.Duration
	rss int
}

func costOf(t testing.TB, pid int) (c cost) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	for _, i := range []int{11, 12} {
		ticks, err := strconv.Atoi(f[i])
		require.NoError(t, err)
		c.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	pages, err := strconv.Atoi(f[21])
	require.NoError(t, err)
	c.rss = pages * os.Getpagesize() >> 20
	return c
}

// askEnv has TestFeedAsk ask a server, in a process of its own: what this one has to do meanwhile is no part of how long answers take.
const askEnv = "FAIRLEAD_ASK"

// TestFeedAsk asks 200 times a second until its input ends, and prints how long answers took.
func TestFeedAsk(t *testing.T) {
	server := os.Getenv(askEnv)
	if server == "" {
		t.Skip("a part of TestFeedLoad")
	}
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	var took []time.Duration
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			slices.Sort(took)
			fmt.Printf("%d answers, p50 %v, p99 %v\n", len(took), percentile(took, 50), percentile(took, 99))
			return
		case <-tick.C:
			if _, d, err := ask("udp", server, feedName+".", dns.TypeA); err == nil {
				took = append(took, d)
			}
		}
	}
}

// askSteadily asks a server until the returned function is called, which returns how long answers took.
func askSteadily(t testing.TB, server string) func() string {
	cmd := exec.Command(os.Args[0], "-test.run=^TestFeedAsk$")
	cmd.Env = append(os.Environ(), askEnv+"="+server)
	var out bytes.Buffer
	cmd.Stdout = &out
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return func() string {
		in.Close()
		require.NoError(t, cmd.Wait())
		line, _, _ := strings.Cut(out.String(), "\n")
		return line
	}
}

func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

// TestFeedLoad: hundreds of subscribers hear of each verdict soon, all of them, and DNS is answered meanwhile. FAIRLEAD_LONG has 500 streams of events
// and 50 of xDS through 100 verdicts; its figures are in docs/two-speed.md.
func TestFeedLoad(t *testing.T) {
	streams, ads, verdicts := 100, 10, 10
	if os.Getenv("FAIRLEAD_LONG") != "" {
		streams, ads, verdicts = 500, 50, 100
	}
	dir := t.TempDir()
	p := &process{bin: binary(t, false), dir: dir, socket: filepath.Join(dir, "state", "admin.sock"), dns: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))}
	for _, sub := range []string{"zones", "state"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, sub), 0o755))
	}
	web, xds := fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t)), fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))
	p.replace(filepath.Join(dir, "node.yaml"), fmt.Sprintf("feed: {http: %q, xds: %q, per_client: 2000, rate: 10000}\n", web, xds))
	p.writeZone("feed.yaml", feedZone)
	p.writeCorefile(feedCorefile)
	start(t, p, "serve", "-conf", filepath.Join(dir, "Corefile"))
	await(t, "the socket", func() bool { return p.status() != nil })
	c, err := client.New(client.Options{Server: "unix:" + p.socket})
	require.NoError(t, err)
	report := func(name string, state string) {
		_, err := c.PushReport(t.Context(), api.ReportRequest{Endpoint: "feed.example.org/web/" + name, State: state})
		require.NoError(t, err)
	}
	report("one", "up")
	report("two", "up")
	p.awaitHealthy()
	p.firstStart()
	done := askSteadily(t, p.dns)
	time.Sleep(3 * time.Second) // questions without any listener, to compare with
	alone := done()

	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	subscribers := make([]*listening, streams+ads)
	for i := range subscribers {
		l := new(listening)
		subscribers[i] = l
		all.Go(func() {
			var err error
			if i < streams {
				err = watchStream(ctx, "http://"+web, l)
			} else {
				err = adsStream(ctx, xds, i, l)
			}
			if ctx.Err() == nil {
				t.Errorf("subscriber %d: %v", i, err)
			}
		})
	}
	heard := func(members int) bool {
		return !slices.ContainsFunc(subscribers, func(l *listening) bool { return l.members.Load() != int64(members) })
	}
	await(t, "everybody to listen", func() bool { return heard(2) })
	before, began := costOf(t, p.cmd.Process.Pid), time.Now()
	done = askSteadily(t, p.dns)
	var last []time.Duration
	for i := range verdicts {
		state, members := "down", 1
		if i%2 == 1 {
			state, members = "up", 2
		}
		said := time.Now()
		report("one", state)
		await(t, "everybody to hear "+state, func() bool { return heard(members) })
		latest := said.UnixNano()
		for _, l := range subscribers {
			latest = max(latest, l.at.Load())
		}
		last = append(last, time.Duration(latest-said.UnixNano()))
	}
	busy, after := done(), costOf(t, p.cmd.Process.Pid)
	slices.Sort(last)
	took := time.Since(began)
	t.Logf("%d event streams, %d of xDS, %d verdicts in %.0f s: the last word after p50 %v, p99 %v, at most %v; the node's CPU %.1f ms a verdict, %.0f %% of one; RSS %d MB",
		streams, ads, verdicts, took.Seconds(), percentile(last, 50).Round(time.Millisecond), percentile(last, 99).Round(time.Millisecond), last[len(last)-1].Round(time.Millisecond),
		float64((after.cpu-before.cpu).Milliseconds())/float64(verdicts), 100*(after.cpu-before.cpu).Seconds()/took.Seconds(), after.rss)
	t.Logf("DNS alone: %s; beside it: %s", alone, busy)
	require.Less(t, percentile(last, 99), 10*time.Second, "on a machine that does nothing else it is a twentieth of that")
	out, _ := run(t, p.bin, "staleness", "--server=unix:"+p.socket)
	t.Log(out)
}
