package node

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/discover"
	"github.com/fairlead-dns/fairlead/discover/dnsname"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
)

// namingFirst is how long a start waits for host names of which nothing is kept: an answer without their addresses would be NODATA.
const namingFirst = 3 * time.Second

// A naming resolves the host names that stand for endpoints, keeps what they gave, and has it take effect. Its goroutine is the only one that
// decides once it runs.
type naming struct {
	state    string
	logger   *slog.Logger
	events   *event.Log
	metrics  namingMetrics
	resolver *dnsname.Resolver
	wake     chan struct{}
	// view is what is believed now, apply has a new model made, expire says until when what was resolved for a pool lives. All are set before
	// run.
	view   func() *health.View
	apply  func(ctx context.Context)
	expire func(zone, pool string, at time.Time)

	mu sync.Mutex // guards the rest
	// names are what host names give; the sets are values, never changed.
	names discover.Names
	// wants are those of the zone files in force; begun is set once there were some.
	wants []discover.NameWant
	begun bool
	// told is what somebody has been told of each name.
	told map[string]string
}

// newNaming takes up what was kept.
func newNaming(state string, c *config.Node, logger *slog.Logger, events *event.Log, reg prometheus.Registerer) *naming {
	n := &naming{state: state, logger: logger, events: events, metrics: newNamingMetrics(reg), wake: make(chan struct{}, 1), names: make(discover.Names), told: make(map[string]string)}
	n.resolver = dnsname.New(dnsname.Options{Servers: c.Resolvers, Changed: n.poke})
	if state != "" {
		names, err := discover.LoadNames(state)
		if err != nil {
			logger.Error("what host names gave is not readable: their addresses come back once they are resolved", "err", err)
		}
		n.names = names
	}
	return n
}

// with is z with the addresses of its host names. A nil naming gives none.
func (n *naming) with(z *config.Zone) *config.Zone {
	if n == nil {
		return z
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return z.With(discover.NameMembers(z, n.names))
}

// want says which zones are in force, as their files have them. The first time it waits a while for names of which nothing is kept.
func (n *naming) want(zones []*config.Zone) {
	if n == nil {
		return
	}
	n.mu.Lock()
	n.wants = discover.NameWants(zones)
	first, missing := !n.begun, false
	n.begun = true
	hosts := make(map[string]dnsname.Families)
	for _, w := range n.wants {
		f := hosts[w.Host]
		hosts[w.Host] = dnsname.Families{V4: f.V4 || slices.Contains(w.Families, config.IPv4), V6: f.V6 || slices.Contains(w.Families, config.IPv6)}
		missing = missing || n.names[w.NameKey] == nil
	}
	n.mu.Unlock()
	n.resolver.Want(hosts)
	if first && missing {
		ctx, cancel := context.WithTimeout(context.Background(), namingFirst)
		n.resolver.Look(ctx)
		cancel()
		n.decide(time.Now())
	}
	n.poke()
}

// configure takes up what a node file says now.
func (n *naming) configure(c *config.Node) { n.resolver.Configure(c.Resolvers) }

func (n *naming) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// run resolves and decides until ctx ends.
func (n *naming) run(ctx context.Context) error {
	var resolving sync.WaitGroup
	resolving.Go(func() { _ = n.resolver.Run(ctx) })
	defer resolving.Wait()
	for {
		changed, waits := n.decide(time.Now())
		n.expireAll(time.Now())
		if changed {
			n.apply(ctx)
		}
		if !rest(ctx, n.wake, waits) {
			return nil
		}
	}
}

// decide folds what resolvers say. waits is set while an address waits to leave, or for its first probe.
func (n *naming) decide(now time.Time) (changed, waits bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	answers := n.resolver.Answers()
	ground := groundOf(n.view, now)
	wanted := make(map[discover.NameKey]bool)
	for i := range n.wants {
		w := &n.wants[i]
		wanted[w.NameKey] = true
		a, old := answers[w.Host], n.names[w.NameKey]
		if old == nil {
			old = &discover.Set{Cluster: w.Name}
		}
		next, notes := w.Decide(old, ground, answerOf(&a))
		if next != old {
			n.names[w.NameKey], changed = next, true
		}
		waits = waits || next.Waits()
		for _, note := range notes {
			n.logger.Info("discovery", "kind", note.Kind, "endpoint", w.NameKey.String(), "what", note.Text)
			n.events.Add(note.Kind, w.NameKey.String(), note.Text, nil)
		}
	}
	for key := range n.names {
		if !wanted[key] && n.begun {
			delete(n.names, key)
			changed = true
		}
	}
	n.tell(answers)
	if changed && n.state != "" {
		// It is on disk before it is answered.
		if err := n.names.Save(n.state); err != nil {
			n.logger.Error("what host names give is not kept: a start without their resolvers has older addresses", "err", err)
		}
	}
	return changed, waits
}

// answerOf is a as package discover takes it.
func answerOf(a *dnsname.Answer) discover.Answer {
	out := discover.Answer{Known: a.Known, Denied: a.Denied, Since: a.Since}
	for _, ip := range a.Addresses {
		out.Addresses = append(out.Addresses, discover.Address{IP: ip})
	}
	return out
}

// tell tells when a name cannot be resolved any more, or can again; n.mu is held.
func (n *naming) tell(answers map[string]dnsname.Answer) {
	for host := range n.told {
		if _, wanted := answers[host]; !wanted {
			delete(n.told, host)
			n.metrics.forget(host)
		}
	}
	for host, a := range answers {
		if a.Looked.IsZero() {
			continue
		}
		n.metrics.set(host, &a)
		trouble := ""
		if a.Problem != nil {
			trouble = a.Problem.Error()
		}
		was, known := n.told[host]
		n.told[host] = trouble
		shown := strings.TrimSuffix(host, ".")
		switch {
		case trouble == was && known, trouble == "" && !known:
		case trouble == "":
			n.logger.Info("host name resolved again", "host", shown)
			n.events.Add("discovery.read", shown, "it is resolved again", nil)
		default:
			n.logger.Error("host name not resolved, the addresses that it had stay", "host", shown, "denied", a.Denied, "err", trouble)
			n.events.Add("discovery.stale", shown, trouble, nil)
		}
	}
}

// expireAll says of every pool with resolved addresses until when the records live that they are of. An address that its name has no more, or that
// is not known to be of it, lives no longer.
func (n *naming) expireAll(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	type pool struct{ zone, name string }
	least := make(map[pool]time.Time)
	answers := n.resolver.Answers()
	for _, w := range n.wants {
		at := answers[w.Host].Expires
		if s := n.names[w.NameKey]; s == nil || slices.ContainsFunc(s.Parts, func(p discover.Part) bool {
			return slices.ContainsFunc(p.Entries, func(e discover.Entry) bool { return e.State != discover.Named })
		}) {
			at = now
		}
		key := pool{w.Zone, w.Pool}
		if was, known := least[key]; !known || at.Before(was) {
			least[key] = at
		}
	}
	for key, at := range least {
		n.expire(key.zone, key.name, at)
	}
}

// namingMetrics say how host names are.
type namingMetrics struct{ success, addresses *prometheus.GaugeVec }

func newNamingMetrics(reg prometheus.Registerer) namingMetrics {
	m := namingMetrics{
		success: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "fairlead_resolve_success", Help: "1 while a host name is resolved, 0 while the addresses that it had stay."}, []string{"host"}),
		addresses: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fairlead_resolve_addresses", Help: "Addresses that a host name has."}, []string{"host"}),
	}
	reg.MustRegister(m.success, m.addresses)
	return m
}

func (m namingMetrics) set(host string, a *dnsname.Answer) {
	success := 0.0
	if a.Problem == nil {
		success = 1
	}
	host = strings.TrimSuffix(host, ".")
	m.success.WithLabelValues(host).Set(success)
	m.addresses.WithLabelValues(host).Set(float64(len(a.Addresses)))
}

// forget takes a name out that is not wanted any more.
func (m namingMetrics) forget(host string) {
	host = strings.TrimSuffix(host, ".")
	m.success.DeleteLabelValues(host)
	m.addresses.DeleteLabelValues(host)
}
