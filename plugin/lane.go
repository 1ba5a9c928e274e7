package fairlead

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/metrics"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/fastlane"
)

// The values of directive.lane that are no number of sockets.
const (
	laneAuto = 0
	laneOff  = -1
)

// lanes are the fast lanes of the process. They outlive instances and nodes.
var lanes fastlane.Runtime

// lanePlugins are the plugins that may stand in the block of a lane: they do nothing to a plain question that the lane does not do too.
// Those behind us see no question that we answer. All others, also those that nobody has heard of, must see every query, and turn the lane off.
var lanePlugins = map[string]bool{
	pluginName: true, "prometheus": true, "errors": true, "cache": true, "ready": true, "health": true, "debug": true, "pprof": true,
	"cancel": true, "shed": true, "metadata": true, "nsid": true, "bufsize": true, "any": true, "chaos": true, "transfer": true, "tsig": true,
}

// hookLane makes CoreDNS tell of each UDP socket that it serves. Another plugin may have asked for the same; it is told first.
func hookLane(config *dnsserver.Config, a *attachment) {
	before := config.UDPDecorateWriterFunc
	config.UDPDecorateWriterFunc = func(s *dnsserver.Server) (d dns.DecorateWriter) {
		if before != nil {
			d = before(s)
		}
		attachLane(a, s, max(1, config.NumSockets), d)
		return d
	}
}

// laneMetrics registers the metrics of lanes once in a process: counters do not go back when a node ends.
var laneMetrics sync.Once

// attachMu keeps servers of one address, which start at the same time, from telling the same twice. It guards attachment.released.
var attachMu sync.Mutex

// attachLane opens or keeps the lane of a server, or says in one line why it has none.
func attachLane(a *attachment, s *dnsserver.Server, core int, d dns.DecorateWriter) {
	attachMu.Lock()
	defer attachMu.Unlock()
	if a.released {
		return
	}
	laneMetrics.Do(func() {
		if err := lanes.Register(prometheus.DefaultRegisterer); err != nil {
			log.Errorf("metrics of the fast lane: %v", err)
		}
	})
	r, sockets, why := a.laneRoute(s)
	if why == "" {
		r.Decorate = d
		known := lanes.Has(s.Addr)
		err := lanes.Attach(a, r, core, sockets)
		if err == nil {
			if !known {
				log.Infof("fast lane on %s", s.Addr)
			}
			return
		}
		log.Warningf("no fast lane on %s, queries take the ordinary path: %v", s.Addr, err)
		return
	}
	deepStacks()
	if lanes.Detach(a, s.Addr, why) {
		log.Infof("no fast lane on %s, queries take the ordinary path: %s", s.Addr, why)
	}
}

// laneStates are the UDP addresses of the process.
func laneStates() (out []api.FastLane) {
	for _, s := range lanes.States() {
		out = append(out, api.FastLane{Address: s.Address, Sockets: s.Sockets, Reason: s.Reason})
	}
	return out
}

// releaseLanes closes what lanes a has: its instance has ended, although a socket of it may just begin.
func releaseLanes(a *attachment) {
	attachMu.Lock()
	a.released = true
	attachMu.Unlock()
	lanes.Release(a)
}

// laneRoute is what a lane on the address of s needs; why is what stands against one.
func (a *attachment) laneRoute(s *dnsserver.Server) (r *fastlane.Route, sockets int, why string) {
	zones, why := serverZones(s)
	if why != "" {
		return nil, 0, why
	}
	r = &fastlane.Route{Address: s.Addr, Server: s, Context: serverContext(s), Keys: tsigKeys(func() map[string]string { return s.TsigSecret })}
	for _, zone := range zones {
		b, i := fastlane.Block{Zone: zone.name, Ordinary: true}, -1
		if len(zone.handlers) == 1 {
			i = slices.IndexFunc(a.blocks, func(b block) bool { return reflect.ValueOf(b.handler).Pointer() == zone.handlers[0] })
		}
		if i >= 0 {
			own := a.blocks[i]
			if own.lane == laneOff {
				return nil, 0, "fastlane off"
			}
			if why := zone.obstacle(); why != "" {
				return nil, 0, why
			}
			sockets = max(sockets, own.lane)
			from := own.handler.backend()
			r.Node, r.Guards = from, from.Guards()
			b = own.laneBlock(zone.name)
			if m, ok := own.config.Handler("prometheus").(*metrics.Metrics); ok && m.Next != nil {
				b.Counted = m.Next.Name()
				r.Blocks = append(r.Blocks, elsewhere(m, zones, zone.name)...)
			}
		}
		r.Blocks = append(r.Blocks, b)
	}
	if r.Node == nil {
		return nil, 0, "no block of it is served by " + pluginName + " alone"
	}
	return r, sockets, ""
}

// laneBlock is how questions of a zone of the block are answered.
func (b *block) laneBlock(zone string) fastlane.Block {
	out := fastlane.Block{Zone: zone, Files: b.handler.files, Explains: b.explains}
	out.NSID, out.ANY = b.config.Handler("nsid") != nil, b.config.Handler("any") != nil
	if h := b.config.Handler("bufsize"); h != nil {
		// Not importing the plugin keeps it out of programs that do not want it.
		if size := reflect.Indirect(reflect.ValueOf(h)).FieldByName("Size"); size.CanInt() {
			out.MaxSize = int(size.Int())
		}
	}
	return out
}

// elsewhere are zones below zone that the metrics of its block know, but the server does not: what is asked there counts under another
// label, which is left to the ordinary path.
func elsewhere(m *metrics.Metrics, zones []serverZone, zone string) (out []fastlane.Block) {
	for _, name := range m.ZoneNames() {
		if name != zone && plugin.Name(zone).Matches(name) && !slices.ContainsFunc(zones, func(z serverZone) bool { return z.name == name }) {
			out = append(out, fastlane.Block{Zone: name, Ordinary: true})
		}
	}
	return out
}

// serverContext is what CoreDNS gives to each question of its own sockets.
func serverContext(s *dnsserver.Server) context.Context {
	return context.WithValue(context.WithValue(context.Background(), dnsserver.Key{}, s), dnsserver.LoopKey{}, 0)
}

// A serverZone is one zone of a server of CoreDNS, with everything that can answer there.
type serverZone struct {
	name string
	// handlers are the addresses of the blocks' handlers of ours, 0 for a block without one.
	handlers []uintptr
	plugins  []string
	// filtered is set when a plugin chooses among blocks, proxied when clients are named by a proxy, signed where the plugin tsig wants
	// plain questions signed.
	filtered, proxied, signed bool
}

// obstacle is what turns the lane of a zone of ours off.
func (z *serverZone) obstacle() string {
	switch {
	case z.proxied:
		return "the plugin proxyproto must see every query"
	case z.signed:
		return "the plugin tsig must see every query"
	}
	for _, name := range z.plugins {
		if !lanePlugins[name] && !behind(name) {
			return "the plugin " + name + " must see every query"
		}
	}
	if z.filtered {
		return "the plugin view must see every query"
	}
	return ""
}

// behind tells whether a plugin comes after ours.
func behind(name string) bool {
	ours := slices.Index(dnsserver.Directives, pluginName)
	return ours >= 0 && slices.Index(dnsserver.Directives, name) > ours
}

// serverZones are the zones of s. CoreDNS does not show them, but nothing hides them either: they are read, and never written. If
// another version of CoreDNS calls them otherwise there is no lane.
func serverZones(s *dnsserver.Server) (out []serverZone, why string) {
	defer func() {
		if r := recover(); r != nil {
			out, why = nil, fmt.Sprintf("this version of CoreDNS is not known: %v", r)
		}
	}()
	server := reflect.ValueOf(s).Elem()
	if server.FieldByName("allowedOpcodes").Len() > 0 {
		return nil, "a plugin takes other opcodes than QUERY and NOTIFY"
	}
	for zones := server.FieldByName("zones").MapRange(); zones.Next(); {
		z := serverZone{name: zones.Key().String()}
		for i := range zones.Value().Len() {
			config := zones.Value().Index(i).Elem()
			z.filtered = z.filtered || config.FieldByName("FilterFuncs").Len() > 0
			z.proxied = z.proxied || !config.FieldByName("ProxyProtoConnPolicy").IsNil()
			var ours uintptr
			for plugins := config.FieldByName("registry").MapRange(); plugins.Next(); {
				name := plugins.Key().String()
				z.plugins = append(z.plugins, name)
				if name == "tsig" {
					z.signed = z.signed || signsPlain(plugins.Value().Elem())
				}
				if name == pluginName {
					ours = plugins.Value().Elem().Pointer()
				}
			}
			z.handlers = append(z.handlers, ours)
		}
		slices.Sort(z.plugins)
		out = append(out, z)
	}
	slices.SortFunc(out, func(a, b serverZone) int { return strings.Compare(a.name, b.name) })
	return out, ""
}
