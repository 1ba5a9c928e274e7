package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// forwardZone has the same site twice: a service that its standby takes over by steps, and one whose standby gets all at once.
const forwardZone = `zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
checks:
  ready: {type: http, port: %[1]d, path: /ready, interval: 500ms, timeout: 400ms, fall: 4, rise: 1}
  room: {type: http, port: %[1]d, path: /room, interval: 250ms, timeout: 200ms, fall: 2, rise: 1}
pools:
  eu: {region: eu, check: ready, endpoints: [{name: eu, addresses: [%[2]s], az: eu-a}]}
  us: {region: us, check: ready, endpoints: [{name: us, addresses: [%[3]s], az: us-a}]}
  page: {region: us, check: ready, endpoints: [{name: page, addresses: [%[4]s], az: us-a}]}
  eu-cold: {region: eu, check: ready, endpoints: [{name: eu, addresses: [%[5]s], az: eu-a}]}
  us-cold: {region: us, check: ready, endpoints: [{name: us, addresses: [%[6]s], az: us-a}]}
services:
  www: {tiers: [{eu: 1}, {us: 1}, {page: 1}], ttl: {max: 1s, min: 1s}, failover: {ramp: %[7]s, step: %[8]s, while: room}}
  cold: {tiers: [{eu-cold: 1}, {us-cold: 1}, {page: 1}], ttl: {max: 1s, min: 1s}}
`

// A forwardStory is how fast all goes. Steps of a second are for a standby that grows within one: where news of a step come late at it, it
// is large enough for the next step all the same.
type forwardStory struct {
	// rate is how many requests a second each service gets.
	rate int
	ramp []int
	step time.Duration
	// grows is how long the standby takes to become twice as large.
	grows time.Duration
}

// A site is an HTTP server that counts what it gets by second. One that is small sheds what comes above its capacity, and grows
// once it is asked.
type site struct {
	story *forwardStory
	small bool

	mu      sync.Mutex
	asked   time.Time // guarded by mu, as is the rest; zero until somebody asks it to grow
	next    int       // the share in percent that its next step brings; 0 before the first
	seconds map[int64]*siteSecond
	server  *http.Server
}

// A siteSecond is what came within a second. use is the greatest part of the capacity of its instant that had come until then.
type siteSecond struct {
	got, shed, capacity int
	use                 float64
}

func newSite(t *testing.T, story *forwardStory, address string, small bool) *site {
	t.Helper()
	s := &site{story: story, small: small, seconds: make(map[int64]*siteSecond)}
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	s.server = &http.Server{Handler: s}
	go func() { _ = s.server.Serve(l) }()
	t.Cleanup(func() { _ = s.server.Close() })
	return s
}

// percent is how much of the demand the site bears: a tenth, and from when it is asked twice as much after each while, until that is
// all and more. The caller holds mu.
func (s *site) percent(now time.Time) int {
	p := 10
	if !s.asked.IsZero() {
		p <<= min(4, int(now.Sub(s.asked)/s.story.grows))
	}
	return p
}

// ask has the site grow, if nobody asked before, and tells it which share comes next.
func (s *site) ask(next int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked.IsZero() {
		s.asked = time.Now()
	}
	s.next = next
}

// room tells whether the next step leaves a fifth free.
func (s *site) room() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next > 0 && 100*s.percent(time.Now()) >= 125*s.next
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/ready":
	case "/room":
		if !s.room() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	default:
		if !s.takes(time.Now()) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

// takes counts a request and tells whether the site bears it.
func (s *site) takes(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.seconds[now.Unix()]
	if c == nil {
		c = new(siteSecond)
		s.seconds[now.Unix()] = c
	}
	c.got++
	if !s.small {
		return true
	}
	c.capacity = s.story.rate * s.percent(now) / 100
	c.use = max(c.use, float64(c.got)/float64(c.capacity))
	if c.got > c.capacity {
		c.shed++
		return false
	}
	return true
}

// totals are what the site got and shed, and the greatest use of a second.
func (s *site) totals() (got, shed int, use float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.seconds {
		got, shed, use = got+c.got, shed+c.shed, max(use, c.use)
	}
	return got, shed, use
}

// A scaler is the receiver of the webhook: the news of a step has the standby that takes over by steps grow, and the news that the
// other primary is out has its standby grow.
type scaler struct {
	ramped, cold *site

	mu    sync.Mutex
	steps []int // guarded by mu: the shares told
	whole time.Time
}

func (s *scaler) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var e struct {
		Type, Subject string
		Data          struct {
			Percent int `json:"percent"`
			Next    int `json:"next_percent"`
		}
	}
	if json.NewDecoder(r.Body).Decode(&e) != nil {
		return
	}
	switch strings.TrimPrefix(e.Type, "dev.fairlead.") + " " + e.Subject {
	case "pool.forward storm.example.org/us":
		s.ramped.ask(e.Data.Next)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.steps = append(s.steps, e.Data.Percent); e.Data.Percent == 100 {
			s.whole = time.Now()
		}
	case "pool.out storm.example.org/eu-cold":
		s.cold.ask(0)
	}
}

func (s *scaler) told() (steps []int, whole time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int(nil), s.steps...), s.whole
}

// A visitor sends one request after the other to where a service is answered, and resolves it for each.
type visitor struct {
	node, name string
	port       int

	mu      sync.Mutex
	results map[string]int // guarded by mu: by what became of a request
}

// forwardVisitors is how many requests of a service are under way at most.
const forwardVisitors = 16

// visit sends rate requests a second until the end is closed: those that do not get away in time are left out and never caught up with.
func (v *visitor) visit(rate int, end <-chan struct{}) (wait func()) {
	turns := make(chan struct{})
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: forwardVisitors}}
	var all sync.WaitGroup
	for range forwardVisitors {
		all.Go(func() {
			for range turns {
				what := v.once(client)
				v.mu.Lock()
				v.results[what]++
				v.mu.Unlock()
			}
		})
	}
	all.Go(func() {
		defer close(turns)
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			select {
			case turns <- struct{}{}:
			default:
			}
		}
	})
	return all.Wait
}

// once is one request, and what became of it: a status, or unresolved, or unreached.
func (v *visitor) once(client *http.Client) string {
	m, _, err := ask("udp", v.node, v.name, dns.TypeA)
	if err != nil || len(m.Answer) != 1 {
		return "unresolved"
	}
	reply, err := client.Get("http://" + net.JoinHostPort(m.Answer[0].(*dns.A).A.String(), strconv.Itoa(v.port)) + "/")
	if err != nil {
		return "unreached"
	}
	_, _ = io.Copy(io.Discard, reply.Body)
	reply.Body.Close()
	return strconv.Itoa(reply.StatusCode)
}

func (v *visitor) count(what string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.results[what]
}

// A forwardRun is all of it: sites eu, us and page of the service by steps, eu and us of the other, and who visits both.
type forwardRun struct {
	t                    *testing.T
	story                *forwardStory
	eu, us, page         *site
	euCold, usCold       *site
	scaler               *scaler
	node                 *process
	ramped, cold         *visitor
	killed, first, whole time.Time
}

func newForwardRun(t *testing.T, story *forwardStory) *forwardRun {
	r := &forwardRun{t: t, story: story}
	port := suite.FreePort(t)
	hosts := make([]any, 5)
	sites := []**site{&r.eu, &r.us, &r.page, &r.euCold, &r.usCold}
	for i, s := range sites {
		host := fmt.Sprintf("127.72.%d.%d", os.Getpid()%250, i+1)
		hosts[i] = host
		*s = newSite(t, story, net.JoinHostPort(host, strconv.Itoa(port)), s == &r.us || s == &r.usCold)
	}
	r.scaler = &scaler{ramped: r.us, cold: r.usCold}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	hook := &http.Server{Handler: r.scaler}
	go func() { _ = hook.Serve(l) }()
	t.Cleanup(func() { _ = hook.Close() })
	var ramp []string
	for _, p := range story.ramp {
		ramp = append(ramp, strconv.Itoa(p)+"%")
	}
	zone := fmt.Sprintf(forwardZone, append(append([]any{port}, hosts...), "["+strings.Join(ramp, ", ")+"]", story.step)...)
	node := filepath.Join(t.TempDir(), "node.yaml")
	hooks := fmt.Sprintf("name: n1\nhooks: [{name: scaler, url: \"http://%s/\", insecure: true, events: [pool.*]}]\n", l.Addr())
	require.NoError(t, os.WriteFile(node, []byte(hooks), 0o644))
	text := strings.Replace(corefile, "\t\tzones DIR", "\t\tnode "+node+"\n\t\tzones DIR", 1)
	r.node = startServe(t, false, text, map[string]string{"storm.yaml": zone})
	r.node.awaitHealthy()
	r.ramped = &visitor{node: r.node.dns, name: "www.storm.example.org.", port: port, results: make(map[string]int)}
	r.cold = &visitor{node: r.node.dns, name: "cold.storm.example.org.", port: port, results: make(map[string]int)}
	return r
}

// carryOut kills both primaries under load and waits until the one standby has its full share and the other is large enough for it.
func (r *forwardRun) carryOut() {
	r.t.Helper()
	end := make(chan struct{})
	waits := []func(){r.ramped.visit(r.story.rate, end), r.cold.visit(r.story.rate, end)}
	var once sync.Once
	stop := func() {
		once.Do(func() { close(end) })
		for _, wait := range waits {
			wait()
		}
	}
	r.t.Cleanup(stop)
	await(r.t, "requests at both primaries", func() bool {
		a, _, _ := r.eu.totals()
		b, _, _ := r.euCold.totals()
		return min(a, b) > r.story.rate/2
	})
	got, _, _ := r.us.totals()
	require.Zero(r.t, got, "nobody is sent to the standby in peace")
	r.killed = time.Now()
	require.NoError(r.t, errors.Join(r.eu.server.Close(), r.euCold.server.Close()))
	await(r.t, "the first request at the standby", func() bool { got, _, _ := r.us.totals(); return got > 0 })
	r.first = time.Now()
	for _, percent := range r.story.ramp {
		await(r.t, fmt.Sprintf("the step of %d%%", percent), func() bool {
			steps, whole := r.scaler.told()
			r.whole = whole
			return slices.Contains(steps, percent)
		})
	}
	// Some at the full share: what is under way to the page by then ends, and the standby has to bear the rest.
	before, _, _ := r.us.totals()
	await(r.t, "requests at the full share", func() bool { got, _, _ := r.us.totals(); return got > before+2*r.story.rate })
	stop()
}

// TestForwardRamp: a standby of a tenth of the capacity that takes over by steps sheds nothing while it grows, and one that gets all at
// once does. With FAIRLEAD_TRIALS it takes two minutes, and prints the table of docs/dr.md.
func TestForwardRamp(t *testing.T) {
	waits(t)
	story := &forwardStory{rate: 400, ramp: []int{4, 20, 50, 100}, step: time.Second, grows: time.Second}
	if trials(0) > 0 {
		story = &forwardStory{rate: 500, ramp: []int{5, 10, 20, 40, 80, 100}, step: 10 * time.Second, grows: 15 * time.Second}
	}
	r := newForwardRun(t, story)
	r.carryOut()
	r.print()

	steps, _ := r.scaler.told()
	require.Equal(t, story.ramp, steps, "each step is told once")
	got, shed, use := r.us.totals()
	require.Zero(t, shed, "the standby got more than it bears: %.2f of its capacity, of %d requests", use, got)
	require.LessOrEqual(t, use, 1.0)
	page, _, _ := r.page.totals()
	require.Greater(t, page, story.rate/2, "what the standby may not have yet goes to the page")
	require.Zero(t, r.ramped.count("503"))
	_, shedCold, useCold := r.usCold.totals()
	// A busy machine sends less than the rate, and some wait for their 503 longer than they have patience.
	require.Greater(t, shedCold, story.rate/4, "all at once is more than a tenth bears")
	require.Greater(t, useCold, 1.5)
	require.Greater(t, r.cold.count("503"), story.rate/4)
}

// print prints the table, and the seconds of both standbys.
func (r *forwardRun) print() {
	got, shed, use := r.us.totals()
	gotCold, shedCold, useCold := r.usCold.totals()
	page, _, _ := r.page.totals()
	r.t.Logf("%d requests/s for each service, ramp %v%% every %v, capacity twice as much every %v\n"+
		"| | by steps | at once |\n|---|---|---|\n"+
		"| requests at the standby | %d | %d |\n| shed by it (503) | %d | %d |\n| its busiest second, of its capacity | %.0f %% | %.0f %% |\n"+
		"| answered by the page meanwhile | %d | 0 |\n| failed before the primary was known to be dead | %d | %d |\n"+
		"| first request at the standby after the kill | %.1f s | |\n| full share after the kill | %.1f s | |",
		r.story.rate, r.story.ramp, r.story.step, r.story.grows, got, gotCold, shed, shedCold, 100*use, 100*useCold,
		page, r.ramped.count("unreached"), r.cold.count("unreached"), r.first.Sub(r.killed).Seconds(), r.whole.Sub(r.killed).Seconds())
	for second := r.killed.Unix(); second <= time.Now().Unix(); second++ {
		r.t.Logf("%3d s: by steps %s; at once %s", second-r.killed.Unix(), r.us.second(second), r.usCold.second(second))
	}
}

// second is what the site got in a second, in words.
func (s *site) second(unix int64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.seconds[unix]
	if c == nil {
		return "0"
	}
	return fmt.Sprintf("%d of %d, %d shed", c.got, c.capacity, c.shed)
}
