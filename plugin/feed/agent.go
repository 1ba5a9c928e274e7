package feed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

const (
	// agentTimeout is how long an agent check may take to say what it is about, and to take the answer.
	agentTimeout = 2 * time.Second
	// maxAsked bounds what it says, in octets.
	maxAsked = 1024
	// wholeAgent is the weight in percent of the member with the greatest weight.
	wholeAgent = 100
)

// serveAgent answers HAProxy's agent checks until ctx ends. A check sends "zone/pool/endpoint" and, for one of several services, its name behind
// a space; it is told what that service does with the endpoint. Who asks for what is not there is told nothing, and keeps what it was told last.
func (s *Server) serveAgent(ctx context.Context, l net.Listener) error {
	var open sync.WaitGroup
	defer open.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			open.Go(func() { s.agent(c) })
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			// A lack of descriptors passes.
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// agent answers one check.
func (s *Server) agent(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(agentTimeout))
	line, err := bufio.NewReaderSize(&limited{c, maxAsked}, maxAsked).ReadString('\n')
	if err != nil {
		s.metrics.agentFailures.Inc()
		return
	}
	lease := s.opts.Source.Enter(0)
	defer lease.Leave()
	_, shut := s.opts.Source.Terms()
	if shut || lease.Snapshot == nil {
		return
	}
	word, given, at := agentWord(lease.Snapshot, strings.TrimSpace(line), time.Now())
	if word == "" {
		s.metrics.agentFailures.Inc()
		return
	}
	s.metrics.agentChecks.Inc()
	_, _ = c.Write([]byte(word + "\n"))
	if given != nil {
		book := lease.Snapshot.Ledger()
		s.workers.use(book, func(w *ledger.Worker) { given.StampOne(w, book.Now(), at) })
	}
}

// A limited reader ends after so many octets.
type limited struct {
	net.Conn
	left int
}

// Read implements io.Reader.
func (l *limited) Read(b []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("too long")
	}
	n, err := l.Conn.Read(b[:min(len(b), l.left)])
	l.left -= n
	return n, err
}

// agentWord is what a check is told; empty if it asks for what is not there. given is set where it is told to use the endpoint at.
func agentWord(snap *answer.Snapshot, asked string, now time.Time) (word string, given *answer.Given, at health.EndpointRef) {
	name, service, _ := strings.Cut(asked, " ")
	zv, at, ok := endpointOf(snap.View, name)
	if !ok {
		return "", nil, at
	}
	index := serviceOf(zv.Zone, strings.TrimSpace(service), at.Pool)
	if index < 0 {
		return "", nil, at
	}
	svc := zv.Zone.Services[index]
	view := &zv.Pools[at.Pool].Endpoints[at.Endpoint]
	if zv.Drained(index, at) {
		return "drain", nil, at
	}
	n, err := parseName(svc.Name)
	if err != nil {
		return "", nil, at
	}
	g, ok := snap.Give(&answer.Question{Name: n.wire}, now)
	if !ok {
		return "", nil, at
	}
	own, most := g.WeightOf(at.Pool, at.Endpoint)
	switch {
	case own > 0:
		return fmt.Sprintf("up ready %d%%", max(1, (own*wholeAgent+most/2)/most)), &g, at
	case !view.InService() && !view.Pending():
		return "down #" + svc.Name + " does not answer it", nil, at
	}
	// It could, and its tier has no turn.
	return "up ready 0%", nil, at
}

// endpointOf finds zone/pool/endpoint. The zone may lack its final dot.
func endpointOf(v *health.View, name string) (zv *health.ZoneView, at health.EndpointRef, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return nil, at, false
	}
	zone := dns.CanonicalName(parts[0])
	for _, zv := range v.Zones {
		if zv.Zone.Name != zone {
			continue
		}
		for p, pool := range zv.Zone.Pools {
			for e, endpoint := range pool.Endpoints {
				if pool.Name == parts[1] && endpoint.Name == parts[2] {
					return zv, health.EndpointRef{Pool: p, Endpoint: e}, true
				}
			}
		}
	}
	return nil, at, false
}

// serviceOf is the index of a service by name, or of the first that has the pool if name is empty; -1 for none.
func serviceOf(z *config.Zone, name string, pool int) int {
	if name != "" {
		name = dns.CanonicalName(name)
	}
	for i, svc := range z.Services {
		if name != "" && svc.Name != name {
			continue
		}
		for _, p := range svc.Pools {
			if p == pool {
				return i
			}
		}
	}
	return -1
}
