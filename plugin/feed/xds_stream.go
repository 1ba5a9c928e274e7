package feed

import (
	"context"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// xdsTypes are those that are given, in the order in which a client can take them up without a gap.
var xdsTypes = []string{resource.ClusterType, resource.EndpointType, resource.ListenerType, resource.RouteType}

// An xdsStream is one client.
type xdsStream struct {
	server *Server
	sub    *subscriber
	// wake has run look; it holds one.
	wake chan struct{}
	// request is the one that is being taken in; guarded by xdsFeed.mu.
	request *discovery.DiscoveryRequest

	mu sync.Mutex
	// The rest is guarded by mu. client and region are those of the node, as it says itself.
	client client
	region string
	kinds  map[string]*xdsKind
	// to takes responses; nil before the first request. failed is set once the last was an error, closed once the stream has ended.
	to             chan cache.Response
	failed, closed bool
	// renewAt is when what was given is due to be renewed.
	renewAt time.Time
	// kept are holdings under names that are not given any more, which a client keeps that ignores the deletion of resources.
	kept map[ledger.Key]bool
	was  map[string]map[ledger.Key]bool
}

// An xdsKind is what a stream has of one type.
type xdsKind struct {
	// open is the request that is to be answered once there is something else to say; nil while the last response is under way.
	open  *discovery.DiscoveryRequest
	names map[string]struct{}
	// wildcard is set where all names are wanted.
	wildcard bool
	// pushed is the version that was handed over last, and hash what it said; sent and sentHash what was sent last, nonce its name.
	pushed, sent   uint64
	hash, sentHash uint64
	nonce          string
	sentAt         time.Time
	// answered is set once the client took or refused what was sent last, acked is the version that it took last.
	answered bool
	acked    uint64
}

func newXDSStream(s *Server, sub *subscriber, ctx context.Context) *xdsStream {
	st := &xdsStream{
		server: s, sub: sub, wake: make(chan struct{}, 1), kinds: make(map[string]*xdsKind), kept: make(map[ledger.Key]bool), was: make(map[string]map[ledger.Key]bool),
	}
	if p, ok := peer.FromContext(ctx); ok {
		st.client.addr, st.client.stripe = addressOf(p.Addr.String())
	}
	return st
}

// said takes in what a request says of what was sent.
func (st *xdsStream) said(r *discovery.DiscoveryRequest, now time.Time) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if r.GetNode() != nil {
		st.node(r.GetNode())
	}
	k := st.kinds[r.GetTypeUrl()]
	if k == nil || r.GetResponseNonce() == "" || r.GetResponseNonce() != k.nonce {
		// The first request of a stream may name what another node sent, and others what was overtaken.
		return
	}
	k.answered = true
	if r.GetErrorDetail() != nil {
		st.server.metrics.nacks.Inc()
		st.server.opts.Logger.Warn("a subscriber refuses what it was sent", "type", r.GetTypeUrl(), "why", cut(r.GetErrorDetail().GetMessage()))
		return
	}
	version, ok := parseVersion(st.server.opts.Hub.life, r.GetVersionInfo())
	if !ok || version > k.sent {
		// It took up something that it was not sent.
		st.server.metrics.lies.Inc()
		st.server.opts.Hub.ack(st.sub, ^uint64(0), now)
		return
	}
	if version == k.sent {
		k.acked = version
	}
	st.settle(now)
}

// settle acknowledges what has been taken up in all its types.
func (st *xdsStream) settle(now time.Time) {
	var last uint64
	for _, k := range st.kinds {
		if k.acked != k.pushed {
			return
		}
		last = max(last, k.acked)
	}
	if last > 0 {
		st.server.opts.Hub.ack(st.sub, last, now)
	}
}

// node takes in where the client says that it is: the address in the metadata "client", else that of the connection; the region in the metadata
// "region", else that of its locality.
func (st *xdsStream) node(n *core.Node) {
	fields := n.GetMetadata().GetFields()
	if a, err := netip.ParseAddr(fields["client"].GetStringValue()); err == nil {
		st.client.addr = a.Unmap().WithZone("")
	}
	if st.region = fields["region"].GetStringValue(); st.region == "" {
		st.region = n.GetLocality().GetRegion()
	}
}

// sending notes what is about to be sent.
func (st *xdsStream) sending(r *discovery.DiscoveryResponse) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if k := st.kinds[r.GetTypeUrl()]; k != nil {
		k.sent, k.sentHash, k.nonce, k.answered, k.sentAt = k.pushed, k.hash, r.GetNonce(), false, time.Now()
	}
}

// watch answers a request.
func (st *xdsStream) watch(r *discovery.DiscoveryRequest, sub cache.Subscription, to chan cache.Response) (cancel func()) {
	st.mu.Lock()
	k := st.kinds[r.GetTypeUrl()]
	if k == nil {
		k = new(xdsKind)
		st.kinds[r.GetTypeUrl()] = k
	}
	st.to = to
	k.open, k.wildcard = r, sub.IsWildcard()
	k.names = maps.Clone(sub.SubscribedResources())
	k.pushed, k.hash = k.sent, k.sentHash
	st.mu.Unlock()
	st.look()
	return func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		if k.open == r {
			k.open = nil
		}
	}
}

// look has run look soon.
func (st *xdsStream) look() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// end says that the stream has ended.
func (st *xdsStream) end() {
	st.mu.Lock()
	st.closed = true
	st.mu.Unlock()
	st.server.opts.Hub.leave(st.sub, time.Now())
}

// run gives until ctx ends.
func (st *xdsStream) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		version, changed := st.server.opts.Hub.now()
		timer.Reset(time.Until(st.turn(version, time.Now())))
		select {
		case <-changed:
		case <-st.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// turn answers what there is something else to say to at a version, and renews what was given if it is time. It returns when it is to be called
// again at the latest.
func (st *xdsStream) turn(version uint64, at time.Time) time.Time {
	s := st.server
	lease := s.opts.Source.Enter(st.client.stripe)
	defer lease.Leave()
	st.mu.Lock()
	defer st.mu.Unlock()
	later := at.Add(renewMost)
	if st.closed || st.to == nil || st.failed {
		return later
	}
	if _, shut := s.opts.Source.Terms(); shut || lease.Snapshot == nil {
		st.fail(errShut.Error())
		return later
	}
	if st.overdue(at) {
		st.fail("what was sent was not answered in time")
		return later
	}
	given := st.give(lease.Snapshot, at)
	until := at
	for _, g := range given {
		until = ledger.Later(until, at.Add(time.Duration(g.TTL)*time.Second))
	}
	pushed, waits := st.push(given, lease.Snapshot.Ledger(), version, until)
	due := !at.Before(st.renewAt)
	if !pushed && !waits {
		s.opts.Hub.same(st.sub, version, at)
	}
	if pushed || due {
		if !pushed && !waits {
			s.opts.Hub.renewed(st.sub, until)
		}
		st.renewAt = at.Add(st.renewAfter(given))
		st.stamp(lease.Snapshot.Ledger(), given)
	}
	return st.renewAt
}

// overdue tells whether something that was sent was not answered within the time that it may take to arrive.
func (st *xdsStream) overdue(at time.Time) bool {
	for _, k := range st.kinds {
		if k.nonce != "" && !k.answered && at.Sub(k.sentAt) > 2*st.server.opts.Transit {
			return true
		}
	}
	return false
}

// fail ends the stream, so that the client asks another node.
func (st *xdsStream) fail(why string) {
	st.failed = true
	select {
	case st.to <- &failedResponse{cache.RawResponse{Request: &discovery.DiscoveryRequest{}}, status.Error(codes.Unavailable, why)}:
	default:
		// The stream does not turn, and ends by its keepalive.
		st.failed = false
	}
}

// A failedResponse ends the stream by which it is sent.
type failedResponse struct {
	cache.RawResponse
	err error
}

// GetDiscoveryResponse is the error.
func (r *failedResponse) GetDiscoveryResponse() (*discovery.DiscoveryResponse, error) {
	return nil, r.err
}

// give is what is given under all names that the stream wants endpoints of, by resource name.
func (st *xdsStream) give(snap *answer.Snapshot, at time.Time) map[string]*answer.Given {
	given := make(map[string]*answer.Given)
	for _, k := range st.kinds {
		for text := range k.names {
			if _, done := given[text]; done {
				continue
			}
			if g, ok := st.giveOne(snap, text, at); ok {
				given[text] = g
			}
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(st.kinds)), func(k *xdsKind) bool { return k.wildcard }) {
		return given
	}
	// Envoy asks for all clusters; those are the services, at the ports that they have by default.
	for _, zv := range snap.View.Zones {
		for _, svc := range zv.Zone.Services {
			text := strings.TrimSuffix(svc.Name, ".")
			if given[text] != nil {
				continue
			}
			if len(given) >= maxResources {
				return given
			}
			if g, ok := st.giveOne(snap, text, at); ok {
				given[text] = g
			}
		}
	}
	return given
}

// giveOne is what is given under a resource name.
func (st *xdsStream) giveOne(snap *answer.Snapshot, text string, at time.Time) (*answer.Given, bool) {
	host, _, ok := splitResource(text)
	if !ok {
		return nil, false
	}
	n, err := parseName(host)
	if err != nil {
		return nil, false
	}
	q := st.server.question(n, 0, st.client)
	if st.region != "" {
		q.Locator = &regionLocator{snap, st.region, q.Name, q.Locator}
	}
	g, ok := snap.Give(&q, at)
	if !ok || !addressed(&g) {
		return nil, false
	}
	return &g, true
}

// A regionLocator has a client be in a region, if the zone has one of that name and knows where it is.
type regionLocator struct {
	snap   *answer.Snapshot
	region string
	name   []byte
	other  steer.Locator
}

// Locate implements steer.Locator.
func (l *regionLocator) Locate(addr netip.Addr) *steer.Location {
	loc := new(steer.Location)
	if l.other != nil {
		*loc = *l.other.Locate(addr)
	}
	if z := l.snap.ZoneAt(l.name); z != nil {
		for _, r := range z.Regions {
			if r.Name == l.region && r.HasLocation {
				loc.Latitude, loc.Longitude, loc.HasPoint = r.Latitude, r.Longitude, true
			}
		}
	}
	return loc
}

// keys are the holdings that the stream's client uses once it has taken up given.
func (st *xdsStream) keys(l *ledger.Ledger, given map[string]*answer.Given) map[ledger.Key]bool {
	keys := make(map[ledger.Key]bool)
	for text, g := range given {
		of := make(map[ledger.Key]bool)
		g.Keys(l, of)
		g.KeysNext(l, of)
		st.was[text] = of
		maps.Copy(keys, of)
	}
	for text, of := range st.was {
		if given[text] == nil {
			maps.Copy(st.kept, of)
			delete(st.was, text)
		}
	}
	maps.Copy(keys, st.kept)
	return keys
}

// push hands over responses whose content is another one than was sent last. waits is set while the client has not taken up the last ones.
func (st *xdsStream) push(given map[string]*answer.Given, book *ledger.Ledger, version uint64, until time.Time) (pushed, waits bool) {
	var out []cache.Response
	for _, typ := range xdsTypes {
		k := st.kinds[typ]
		if k == nil {
			continue
		}
		hash := k.hashOf(typ, given)
		if hash == k.sentHash && k.sent != 0 {
			waits = waits || k.acked != k.pushed
			continue
		}
		if k.open == nil {
			// The client has to answer the last one first.
			waits = true
			continue
		}
		r, err := k.response(typ, versionText(st.server.opts.Hub.life, version), given)
		if err != nil {
			st.server.opts.Logger.Error("resources not encoded", "type", typ, "err", err)
			continue
		}
		k.open, k.pushed, k.hash = nil, version, hash
		out, pushed = append(out, r), true
	}
	if !pushed {
		return false, waits
	}
	st.server.opts.Hub.giving(st.sub, version, st.keys(book, given), until)
	for _, r := range out {
		// It holds one for each type, and there is one at most of each.
		st.to <- r
	}
	st.server.metrics.changes.Inc()
	return true, true
}

// hashOf tells two contents of a type apart.
func (k *xdsKind) hashOf(typ string, given map[string]*answer.Given) uint64 {
	h := fnv.New64a()
	for _, text := range k.wanted(given) {
		_, _ = h.Write([]byte(text))
		g := given[text]
		content := []uint64{1}
		if typ == resource.EndpointType {
			content = []uint64{g.Hash, g.NextHash}
		} else if g.Service != nil && g.Service.Sticky != nil {
			content[0] = 2
		}
		for _, c := range content {
			var b [8]byte
			for i := range b {
				b[i] = byte(c >> (8 * i))
			}
			_, _ = h.Write(b[:])
		}
	}
	return max(h.Sum64(), 1)
}

// wanted are the resource names of the type that are given, in order.
func (k *xdsKind) wanted(given map[string]*answer.Given) (names []string) {
	for text := range given {
		if _, named := k.names[text]; named || k.wildcard {
			names = append(names, text)
		}
	}
	slices.Sort(names)
	return names
}

// renewAfter is as for streams of events.
func (st *xdsStream) renewAfter(given map[string]*answer.Given) time.Duration {
	wait := renewMost
	for _, g := range given {
		wait = min(wait, time.Duration(g.TTL)*time.Second/renewPart)
	}
	return max(wait, 100*time.Millisecond)
}

// stamp notes that all of it may be kept for its TTL from now on.
func (st *xdsStream) stamp(book *ledger.Ledger, given map[string]*answer.Given) {
	st.server.workers.use(book, func(w *ledger.Worker) {
		now := book.Now()
		for _, g := range given {
			g.Stamp(w, now, g.TTL)
			g.StampNext(w, now, g.TTL)
		}
	})
}
