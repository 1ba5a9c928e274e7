package kube

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/discover"
)

// needs are the kinds and namespaces that the parts need, by what has been read so far.
func (r *Reader) needs() map[feedKey]bool {
	r.mu.Lock()
	wants := r.wants
	r.mu.Unlock()
	out := make(map[feedKey]bool)
	add := func(res *resource, namespace string) {
		if res.whole {
			namespace = ""
		}
		out[feedKey{res, namespace}] = true
	}
	if z := r.opts.Cluster.Zones; z != nil {
		add(zoneObjects, z.Namespace)
	}
	for _, w := range wants {
		f := w.Select
		add(resourceOf(f.Kind), f.Namespace)
		for _, o := range r.chosen(f) {
			switch addressSource(f, o) {
			case config.SourceEndpoints:
				add(slicesResource, o.Metadata.Namespace)
			case config.SourceNodes:
				add(nodes, "")
			}
			if w.Ready {
				add(slicesResource, o.Metadata.Namespace)
			}
			for _, ref := range gatewaysOf(f.Kind, o) {
				add(gateways, ref.Namespace)
			}
		}
	}
	// One for all namespaces takes the place of those for some.
	for key := range out {
		if key.namespace != "" && out[feedKey{resource: key.resource}] {
			delete(out, key)
		}
	}
	return out
}

// chosen are the objects that a selector chooses, in the order of their names.
func (r *Reader) chosen(f *config.From) (out []*object) {
	r.read(resourceOf(f.Kind), f.Namespace, func(o *object) {
		if !o.Metadata.leaving() && f.Takes(f.Kind, o.Metadata.Namespace, o.Metadata.Name, o.Metadata.Labels) {
			out = append(out, o)
		}
	})
	slices.SortFunc(out, func(a, b *object) int { return strings.Compare(a.Metadata.key(), b.Metadata.key()) })
	return out
}

// addressSource is where the addresses of an object stand.
func addressSource(f *config.From, o *object) config.AddressSource {
	switch {
	case f.Addresses != config.SourceDefault:
		return f.Addresses
	case f.Kind == config.FromServiceImport && o.Spec.Type == "Headless":
		return config.SourceEndpoints
	case f.Kind != config.FromService:
		return config.SourceStatus
	case o.Spec.Type == "NodePort":
		return config.SourceNodes
	case o.Spec.ClusterIP == "None":
		return config.SourceEndpoints
	}
	return config.SourceStatus
}

// A finding is a part on its way.
type finding struct {
	r        *Reader
	want     discover.Want
	seen     discover.Seen
	problems []string
}

// seen is what the cluster says of one part.
func (r *Reader) seen(w discover.Want) (discover.Seen, []string) {
	f := &finding{r: r, want: w, seen: discover.Seen{Key: w.Key}}
	f.seen.Known = r.read(resourceOf(w.Select.Kind), w.Select.Namespace, func(*object) {})
	objects := r.chosen(w.Select)
	if f.seen.Known && len(objects) == 0 {
		f.problem("names nothing")
	}
	for _, o := range objects {
		addresses := f.addresses(o)
		slices.SortFunc(addresses, func(a, b discover.Address) int { return strings.Compare(a.RData(), b.RData()) })
		f.seen.Objects = append(f.seen.Objects, discover.Object{Name: o.Metadata.key(), Addresses: addresses})
	}
	return f.seen, f.problems
}

func (f *finding) problem(format string, args ...any) {
	f.problems = append(f.problems, fmt.Sprintf(format, args...))
}

// addresses are those of one object.
func (f *finding) addresses(o *object) (out []discover.Address) {
	region, az := o.Metadata.Labels[regionLabel], o.Metadata.Labels[zoneLabel]
	add := func(a discover.Address) { out = append(out, a) }
	if given := o.Metadata.Annotations[addressesAnnotation]; given != "" {
		for text := range strings.SplitSeq(given, ",") {
			f.text(o, strings.TrimSpace(text), nil, func(a discover.Address) {
				a.Region, a.AZ = region, az
				add(a)
			})
		}
	} else {
		switch addressSource(f.want.Select, o) {
		case config.SourceEndpoints:
			f.endpoints(o, add)
		case config.SourceNodes:
			f.nodes(o, add)
		default:
			for _, text := range f.status(o) {
				f.text(o, text, f.r.opts.Cluster.Expose, func(a discover.Address) {
					a.Region, a.AZ = region, az
					add(a)
				})
			}
		}
	}
	if f.want.Ready {
		ready := 1
		if addressSource(f.want.Select, o) != config.SourceEndpoints {
			ready = f.ready(o)
		}
		for i := range out {
			out[i].Ready = ready
		}
	}
	return out
}

// text is what an address or host name of a status comes to.
func (f *finding) text(o *object, text string, expose []config.Expose, add func(discover.Address)) {
	if ip, err := netip.ParseAddr(text); err == nil {
		ip = config.Translate(expose, ip.Unmap())
		if !usable(ip) {
			f.problem("%s: %s is no address for clients", o.Metadata.key(), ip)
			return
		}
		if !f.want.Select.Target {
			add(discover.Address{IP: ip})
		}
		return
	}
	name, err := config.ParseHostName(text)
	if err != nil {
		f.problem("%s: %v", o.Metadata.key(), err)
		return
	}
	if f.want.Select.Target {
		add(discover.Address{Host: name})
		return
	}
	found, known, err := f.r.lookup(name)
	if err != nil {
		f.problem("%s: host name %s: %v", o.Metadata.key(), name, err)
	}
	f.seen.Known = f.seen.Known && known
	for _, ip := range found {
		if ip = config.Translate(expose, ip); usable(ip) {
			add(discover.Address{IP: ip})
		}
	}
}

// usable tells whether a client could be sent to an address.
func usable(ip netip.Addr) bool {
	return ip.IsValid() && ip.Zone() == "" && !ip.IsUnspecified() && !ip.IsMulticast() && !ip.IsLinkLocalUnicast() && ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// status are the addresses and host names that the status of an object has, or of the gateways of a route.
func (f *finding) status(o *object) (out []string) {
	points := func(list []ingressPoint) {
		for _, p := range list {
			if p.IP != "" {
				out = append(out, p.IP)
			} else if p.Hostname != "" {
				out = append(out, p.Hostname)
			}
		}
	}
	switch f.want.Select.Kind {
	case config.FromService:
		switch {
		case o.Spec.Type == "ExternalName" && o.Spec.ExternalName != "":
			out = append(out, o.Spec.ExternalName)
		case o.Spec.Type != "LoadBalancer":
			f.problem("%s: a Service of type %s has no address for clients: LoadBalancer, NodePort and headless ones have", o.Metadata.key(), o.Spec.Type)
		}
		points(o.Status.LoadBalancer.Ingress)
	case config.FromIngress:
		points(o.Status.LoadBalancer.Ingress)
	case config.FromServiceImport:
		out = append(out, o.Spec.IPs...)
	case config.FromDNSEndpoint:
		for _, e := range o.Spec.Endpoints {
			if slices.Contains([]string{"A", "AAAA", "CNAME"}, e.RecordType) {
				out = append(out, e.Targets...)
			}
		}
	case config.FromGateway:
		return f.gateway(o, f.want.Select.Listener)
	default:
		return f.route(o)
	}
	return out
}

// gateway are the addresses of a Gateway that has a listener; empty for any.
func (f *finding) gateway(o *object, listener string) (out []string) {
	if listener != "" {
		has := false
		for _, l := range o.Spec.Listeners {
			has = has || l.Name == listener
		}
		if !has {
			f.problem("%s: the Gateway has no listener %s", o.Metadata.key(), listener)
			return nil
		}
	}
	for _, a := range o.Status.Addresses {
		out = append(out, a.Value)
	}
	return out
}

// gatewaysOf are the Gateways that have accepted a route, with their namespaces filled in.
func gatewaysOf(kind config.FromKind, o *object) (out []parentRef) {
	if kind != config.FromHTTPRoute && kind != config.FromGRPCRoute && kind != config.FromTLSRoute {
		return nil
	}
	for _, p := range o.Status.Parents {
		ref := p.ParentRef
		if ref.Kind != "" && ref.Kind != "Gateway" || ref.Group != "" && ref.Group != gatewayGroup {
			continue
		}
		if !slices.Contains(p.Conditions, condition{"Accepted", "True"}) {
			continue
		}
		if ref.Namespace == "" {
			ref.Namespace = o.Metadata.Namespace
		}
		out = append(out, ref)
	}
	return out
}

// route are the addresses of the Gateways that have accepted a route.
func (f *finding) route(o *object) (out []string) {
	refs := gatewaysOf(f.want.Select.Kind, o)
	if len(refs) == 0 {
		f.problem("%s: no Gateway has accepted the route", o.Metadata.key())
	}
	for _, ref := range refs {
		there := false
		known := f.r.read(gateways, ref.Namespace, func(g *object) {
			if g.Metadata.Name == ref.Name && g.Metadata.Namespace == ref.Namespace && !g.Metadata.leaving() {
				there = true
				out = append(out, f.gateway(g, ref.SectionName)...)
			}
		})
		f.seen.Known = f.seen.Known && known
		if known && !there {
			f.problem("%s: the Gateway %s/%s is not there", o.Metadata.key(), ref.Namespace, ref.Name)
		}
	}
	return out
}

// portOf is the number of a port that the selector names, among those of a list by name and number; 0 for none.
func portOf(want string, name string, number uint16) bool {
	return want == name || want == strconv.Itoa(int(number))
}
