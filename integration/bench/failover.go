package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// All three servers probe with the same interval, timeout and number of failures, as far as they have such, and give the same TTLs.
	failoverInterval = 2 * time.Second
	failoverTimeout  = time.Second
	failoverFall     = 2
	failoverTTL      = 10
	failoverFloor    = 2
	// failoverCaches is how many honest caches ask each server.
	failoverCaches = 20
	// failoverLimit is how long a trial waits for the last cache.
	failoverLimit = 90 * time.Second
	primaryIP     = "127.66.0.1"
	backupIP      = "127.66.0.2"
	failoverPort  = 8086
	failoverName  = "www.failover.test."
)

// A rival is one server under test.
type rival struct {
	name   string
	server string
	stop   func()
	caches []*honestCache
}

// An honestCache keeps an answer for its TTL, and asks again when somebody asks it: all the time.
type honestCache struct {
	server string
	mu     sync.Mutex
	// expires is when the latest answer with the primary that it took expires, asked when that was taken.
	expires, asked time.Time
	now            string
}

// run asks whenever the answer has expired, until stop is closed.
func (c *honestCache) run(stop <-chan struct{}) {
	client := dns.Client{Timeout: time.Second}
	for {
		m, _, err := client.Exchange(new(dns.Msg).SetQuestion(failoverName, dns.TypeA), c.server)
		wait := 50 * time.Millisecond
		if err == nil && len(m.Answer) == 1 {
			if a, ok := m.Answer[0].(*dns.A); ok {
				wait = max(wait, time.Duration(a.Hdr.Ttl)*time.Second)
				c.mu.Lock()
				if c.now = a.A.String(); c.now == primaryIP {
					c.asked = time.Now()
					c.expires = c.asked.Add(wait)
				}
				c.mu.Unlock()
			}
		}
		select {
		case <-stop:
			return
		case <-time.After(wait):
		}
	}
}

// primary is the endpoint that dies.
type primary struct {
	server *http.Server
}

func (p *primary) up() error {
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", primaryIP, failoverPort))
	if err != nil {
		return err
	}
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })}
	go func() { _ = p.server.Serve(l) }()
	return nil
}

func (p *primary) down() { _ = p.server.Close() }

// measureFailover kills an endpoint again and again, and finds out how long it takes until the last answer, and the last honest cache,
// has let go of it: Fairlead, gdnsd and PowerDNS at once, so that each trial is the same for all.
func measureFailover(binary string, trials int) error {
	p := new(primary)
	if err := p.up(); err != nil {
		return err
	}
	defer func() { p.down() }()
	standby, err := net.Listen("tcp", fmt.Sprintf("%s:%d", backupIP, failoverPort))
	if err != nil {
		return err
	}
	defer standby.Close()
	go func() {
		_ = http.Serve(standby, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	}()
	dir, err := os.MkdirTemp("", "fairlead-failover-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	rivals, err := startRivals(binary, dir)
	defer func() {
		for _, r := range rivals {
			r.stop()
		}
	}()
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for _, r := range rivals {
		for range failoverCaches {
			c := &honestCache{server: r.server}
			r.caches = append(r.caches, c)
			wg.Go(func() {
				time.Sleep(rand.N(failoverTTL * time.Second)) // their phases differ
				c.run(stop)
			})
		}
	}
	answers, caches := make(map[string][]time.Duration), make(map[string][]time.Duration)
	for k := range trials {
		if err := awaitPrimary(rivals); err != nil {
			return err
		}
		time.Sleep(rand.N(2 * failoverInterval)) // a random moment
		p.down()
		killed := time.Now()
		if err := awaitGone(rivals, killed); err != nil {
			return err
		}
		for _, r := range rivals {
			asked, expires := r.last()
			answers[r.name], caches[r.name] = append(answers[r.name], max(0, asked.Sub(killed))), append(caches[r.name], max(0, expires.Sub(killed)))
		}
		fmt.Fprintf(os.Stderr, "failover: trial %d of %d\n", k+1, trials)
		if err := p.up(); err != nil {
			return err
		}
	}
	fmt.Printf("| %d trials, seconds from the kill | last answer: median | worst | last honest cache: median | worst |\n|---|---|---|---|---|\n", trials)
	for _, r := range rivals {
		a, c := answers[r.name], caches[r.name]
		slices.Sort(a)
		slices.Sort(c)
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %.1f |\n", r.name, a[len(a)/2].Seconds(), a[len(a)-1].Seconds(), c[len(c)/2].Seconds(), c[len(c)-1].Seconds())
	}
	return nil
}

// last is when a cache of the server was last given the primary, and when the last such answer expires.
func (r *rival) last() (asked, expires time.Time) {
	for _, c := range r.caches {
		c.mu.Lock()
		if c.asked.After(asked) {
			asked = c.asked
		}
		if c.expires.After(expires) {
			expires = c.expires
		}
		c.mu.Unlock()
	}
	return asked, expires
}

// awaitPrimary waits until every cache of every server holds the primary.
func awaitPrimary(rivals []*rival) error {
	return awaitCaches(rivals, "the primary comes back", func(c *honestCache) bool { return c.now == primaryIP })
}

// awaitGone waits until every cache of every server has asked since the kill and holds something else.
func awaitGone(rivals []*rival, _ time.Time) error {
	return awaitCaches(rivals, "the primary is forgotten", func(c *honestCache) bool { return c.now != primaryIP && c.now != "" })
}

func awaitCaches(rivals []*rival, what string, ok func(*honestCache) bool) error {
	deadline := time.Now().Add(failoverLimit)
	for {
		missing := ""
		for _, r := range rivals {
			for _, c := range r.caches {
				c.mu.Lock()
				if !ok(c) {
					missing = r.name
				}
				c.mu.Unlock()
			}
		}
		if missing == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %s at %s", what, failoverLimit, missing)
		}
		time.Sleep(100 * time.Millisecond) // the pace of looking
	}
}
