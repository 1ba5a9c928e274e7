// Package grpcresolve gives gRPC clients the endpoints of services that Fairlead steers, as they change:
//
//	r, err := resolve.New(resolve.Options{Nodes: []string{"https://n1.example.org:8444"}, Token: token})
//	conn, err := grpc.NewClient("fairlead:///www.gslb.example.org:8443", grpc.WithResolvers(grpcresolve.New(r)), …)
//
// Calls are spread by the weights that DNS answers by. What has left gets no new call at once; calls under way there go on to their end. The last
// word stands while no node can be asked (package resolve).
//
// It is a package of its own so that programs without gRPC do not link it. A program that speaks xDS already needs none of it: nodes do too
// (docs/two-speed.md).
package grpcresolve

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	grpcresolver "google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"

	"github.com/fairlead-dns/fairlead/client/resolve"
)

// Scheme begins the targets: fairlead:///NAME:PORT. Without a port it is 443.
const Scheme = "fairlead"

// policy is the name of the balancer that keeps the weights.
const policy = "fairlead_weighted"

// serviceConfig has gRPC use it.
const serviceConfig = `{"loadBalancingConfig":[{"` + policy + `":{}}]}`

// gRPC's registry of balancers may be written while a program starts, and at no other time.
func init() {
	balancer.Register(base.NewBalancerBuilder(policy, pickers{}, base.Config{}))
}

// New makes what grpc.WithResolvers takes. The resolver is the caller's, to be closed after the connections.
func New(r *resolve.Resolver) grpcresolver.Builder { return &builder{r} }

type builder struct{ resolver *resolve.Resolver }

func (b *builder) Scheme() string { return Scheme }

// Build listens to the name of a target for as long as its connection lives.
func (b *builder) Build(target grpcresolver.Target, cc grpcresolver.ClientConn, _ grpcresolver.BuildOptions) (grpcresolver.Resolver, error) {
	host, port, err := net.SplitHostPort(target.Endpoint())
	if err != nil {
		host, port = target.Endpoint(), "443"
	}
	if host == "" || port == "" || target.URL.Host != "" {
		return nil, fmt.Errorf("target %s: want %s:///NAME:PORT", target.URL.String(), Scheme)
	}
	l := &listener{cc: cc, port: port, config: cc.ParseServiceConfig(serviceConfig)}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.stop = b.resolver.Watch(host, l.update)
	go func() {
		if _, err := b.resolver.Lookup(ctx, host); err != nil && ctx.Err() == nil {
			// Calls fail with this until a word comes.
			cc.ReportError(err)
		}
	}()
	return l, nil
}

// A listener tells one connection of what is in service.
type listener struct {
	cc      grpcresolver.ClientConn
	port    string
	config  *serviceconfig.ParseResult
	weights weights
	stop    func()
	cancel  context.CancelFunc
}

// update hands on one word.
func (l *listener) update(s *resolve.State) {
	by, state := make(map[string]uint64), grpcresolver.State{ServiceConfig: l.config}
	for _, m := range s.Members("tcp") {
		addr := net.JoinHostPort(strings.TrimSuffix(m.Data, "."), l.port)
		if by[addr] = m.Weight; m.Weight > 0 {
			//lint:ignore SA1019 the pickers of package base are given addresses, not endpoints
			state.Addresses = append(state.Addresses, grpcresolver.Address{Addr: addr, BalancerAttributes: attributes.New(weightsKey{}, &l.weights)})
		}
	}
	l.weights.by.Store(&by)
	if len(state.Addresses) == 0 {
		l.cc.ReportError(fmt.Errorf("%s: %w", s.Given.Name, resolve.ErrNoEndpoint))
	}
	// What cannot be taken is told to the calls.
	_ = l.cc.UpdateState(state)
}

// ResolveNow does nothing: news comes when there is some.
func (l *listener) ResolveNow(grpcresolver.ResolveNowOptions) {}

// Close ends the listening.
func (l *listener) Close() {
	l.cancel()
	l.stop()
}

// weights are those of the addresses of one connection. They change without a new connection to an address, so attributes hold this.
type weights struct {
	by atomic.Pointer[map[string]uint64]
}

// weightsKey is the key of the attribute that has the weights.
type weightsKey struct{}

// pickers make pickers of what is connected.
type pickers struct{}

// Build is a picker by weights.
func (pickers) Build(info base.PickerBuildInfo) balancer.Picker {
	if len(info.ReadySCs) == 0 {
		return base.NewErrPicker(balancer.ErrNoSubConnAvailable)
	}
	p := &picker{}
	for _, sc := range slices.Collect(maps.Keys(info.ReadySCs)) {
		a := info.ReadySCs[sc].Address
		//lint:ignore SA1019 as above
		w, _ := a.BalancerAttributes.Value(weightsKey{}).(*weights)
		p.conns, p.addrs, p.weights = append(p.conns, sc), append(p.addrs, a.Addr), w
	}
	return p
}

// A picker chooses a connection for each call.
type picker struct {
	conns   []balancer.SubConn
	addrs   []string
	weights *weights
}

// Pick chooses by the weights of now.
func (p *picker) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	var by map[string]uint64
	if p.weights != nil {
		by = *p.weights.by.Load()
	}
	var sum uint64
	for _, a := range p.addrs {
		sum += by[a]
	}
	if sum == 0 {
		// All of it is about to go: gRPC asks again with the next picker.
		return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
	}
	at := rand.Uint64N(sum)
	for i, a := range p.addrs {
		if w := by[a]; at < w {
			return balancer.PickResult{SubConn: p.conns[i]}, nil
		} else {
			at -= w
		}
	}
	return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
}
