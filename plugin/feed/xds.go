package feed

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const (
	kindXDS = "xds"
	// maxRequest is the longest request that is read: names and acknowledgements.
	maxRequest = 256 << 10
	// maxResources is how many names a stream may want.
	maxResources = 1024
)

// errDelta says which of both forms of xDS is spoken.
var errDelta = errors.New("incremental xDS is not served: use api_type GRPC, the state of the world")

// An xdsFeed gives by xDS: the aggregated stream, state of the world. It is what go-control-plane's server asks for resources.
type xdsFeed struct {
	server *Server

	mu sync.Mutex
	// streams are by their number; asked has for each request that is being taken in the stream that it came by. Guarded by mu.
	streams map[int64]*xdsStream
	asked   map[*discovery.DiscoveryRequest]*xdsStream
}

// An ads is the one service of the listener.
type ads struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	handler sotw.Server
}

// StreamAggregatedResources is a stream of one client.
func (a *ads) StreamAggregatedResources(s discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return a.handler.StreamHandler(s, resource.AnyType)
}

// serveXDS gives by xDS until ctx ends.
func (s *Server) serveXDS(ctx context.Context, l net.Listener) error {
	x := &xdsFeed{server: s, streams: make(map[int64]*xdsStream), asked: make(map[*discovery.DiscoveryRequest]*xdsStream)}
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxRequest), grpc.MaxConcurrentStreams(4), grpc.StreamInterceptor(s.admitStream), grpc.ConnectionTimeout(headerTimeout),
		// A peer that has gone without a word is found out about.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: s.opts.Transit, Timeout: s.opts.Transit}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	}
	if s.certificate != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(s.tlsConfig())))
	}
	g := grpc.NewServer(opts...)
	discovery.RegisterAggregatedDiscoveryServiceServer(g, &ads{handler: sotw.NewServer(ctx, x, x, sotw.WithOrderedADS())})
	stop := context.AfterFunc(ctx, g.Stop)
	defer stop()
	err := g.Serve(l)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// admitStream lets in who may listen.
func (s *Server) admitStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	p, ok := peer.FromContext(stream.Context())
	if !ok {
		return status.Error(codes.Internal, "no peer")
	}
	now, certified := time.Now(), false
	if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
		certified = len(info.State.VerifiedChains) > 0 && !now.After(info.State.PeerCertificates[0].NotAfter)
	}
	md, _ := metadata.FromIncomingContext(stream.Context())
	if no := s.admit(p.Addr.String(), certified, md.Get("authorization"), now); no != nil {
		s.metrics.refused(no.why)
		code := codes.Unauthenticated
		if no.retry > 0 {
			code = codes.Unavailable
		}
		return status.Error(code, no.detail)
	}
	return handler(srv, stream)
}

// OnStreamOpen begins a stream.
func (x *xdsFeed) OnStreamOpen(ctx context.Context, id int64, _ string) error {
	sub := x.server.opts.Hub.join(kindXDS)
	if sub == nil {
		return status.Error(codes.Unavailable, "too many subscribers")
	}
	st := newXDSStream(x.server, sub, ctx)
	x.mu.Lock()
	x.streams[id] = st
	x.mu.Unlock()
	go st.run(ctx)
	return nil
}

// OnStreamClosed ends it.
func (x *xdsFeed) OnStreamClosed(id int64, _ *core.Node) {
	x.mu.Lock()
	st := x.streams[id]
	delete(x.streams, id)
	if st != nil {
		delete(x.asked, st.request)
	}
	x.mu.Unlock()
	if st != nil {
		st.end()
	}
}

// OnStreamRequest takes in what a client wants and what it has to say of what it was sent.
func (x *xdsFeed) OnStreamRequest(id int64, r *discovery.DiscoveryRequest) error {
	if len(r.GetResourceNames()) > maxResources {
		return status.Errorf(codes.InvalidArgument, "%d resources, want at most %d", len(r.GetResourceNames()), maxResources)
	}
	x.mu.Lock()
	st := x.streams[id]
	if st == nil {
		x.mu.Unlock()
		return status.Error(codes.Internal, "no stream")
	}
	delete(x.asked, st.request)
	st.request = r
	x.asked[r] = st
	x.mu.Unlock()
	st.said(r, time.Now())
	return nil
}

// OnStreamResponse is told of what is about to be sent.
func (x *xdsFeed) OnStreamResponse(_ context.Context, id int64, _ *discovery.DiscoveryRequest, r *discovery.DiscoveryResponse) {
	x.mu.Lock()
	st := x.streams[id]
	x.mu.Unlock()
	if st != nil {
		st.sending(r)
	}
}

// CreateWatch has the stream by which a request came answer it, now or once there is something to say.
func (x *xdsFeed) CreateWatch(r *discovery.DiscoveryRequest, sub cache.Subscription, to chan cache.Response) (cancel func(), err error) {
	x.mu.Lock()
	st := x.asked[r]
	delete(x.asked, r)
	x.mu.Unlock()
	if st == nil {
		return nil, status.Error(codes.Internal, "no stream")
	}
	return st.watch(r, sub, to), nil
}

// CreateDeltaWatch serves nobody.
func (x *xdsFeed) CreateDeltaWatch(*cache.DeltaRequest, cache.Subscription, chan cache.DeltaResponse) (cancel func(), err error) {
	return nil, errDelta
}
