package kube

import (
	"net/netip"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/discover"
)

// The labels by which EndpointSlices name what they belong to.
const (
	serviceNameLabel = "kubernetes.io/service-name"
	importNameLabel  = "multicluster.kubernetes.io/service-name"
)

// excludeLabel takes a node out of load balancers.
const excludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"

// slices calls do with the endpoints of a Service or ServiceImport. Terminating ones are on their way out, and left out. Those that are not
// ready are not: whether an endpoint lives is for probes to say.
func (f *finding) slices(o *object, do func(slice *object, e *sliceEndpoint)) {
	label := serviceNameLabel
	if f.want.Select.Kind == config.FromServiceImport {
		label = importNameLabel
	}
	known := f.r.read(slicesResource, o.Metadata.Namespace, func(s *object) {
		if s.Metadata.Labels[label] != o.Metadata.Name || s.Metadata.DeletionTimestamp != "" {
			return
		}
		for i := range s.Endpoints {
			if t := s.Endpoints[i].Conditions.Terminating; t == nil || !*t {
				do(s, &s.Endpoints[i])
			}
		}
	})
	f.seen.Known = f.seen.Known && known
}

// endpoints are the pods behind an object.
func (f *finding) endpoints(o *object, add func(discover.Address)) {
	named := make(map[netip.Addr]bool)
	f.slices(o, func(s *object, e *sliceEndpoint) {
		for _, text := range e.Addresses {
			ip, err := netip.ParseAddr(text)
			if err != nil || s.AddressType == "FQDN" {
				continue
			}
			ip = config.Translate(f.r.opts.Cluster.Expose, ip.Unmap())
			if !usable(ip) || named[ip] || f.want.Select.Target {
				continue
			}
			named[ip] = true
			a := discover.Address{IP: ip, AZ: e.Zone}
			for _, p := range s.Ports {
				if f.want.Select.Port != "" && portOf(f.want.Select.Port, p.Name, p.Port) {
					a.Port = p.Port
				}
			}
			add(a)
		}
	})
}

// nodes are the addresses of the cluster's nodes, with the port under which they lead to a Service: the external addresses, or the internal
// ones where there are none.
func (f *finding) nodes(o *object, add func(discover.Address)) {
	port := uint16(0)
	for _, p := range o.Spec.Ports {
		if port == 0 && (f.want.Select.Port == "" || portOf(f.want.Select.Port, p.Name, p.Port) || portOf(f.want.Select.Port, p.Name, p.NodePort)) {
			port = p.NodePort
		}
	}
	if port == 0 {
		f.problem("%s: the Service has no node port %s", o.Metadata.key(), f.want.Select.Port)
		return
	}
	known := f.r.read(nodes, "", func(n *object) {
		if _, excluded := n.Metadata.Labels[excludeLabel]; excluded || n.Metadata.leaving() {
			return
		}
		for _, kind := range []string{"ExternalIP", "InternalIP"} {
			found := false
			for _, a := range n.Status.Addresses {
				ip, err := netip.ParseAddr(a.Address)
				if a.Type != kind || err != nil {
					continue
				}
				found = true
				if ip = config.Translate(f.r.opts.Cluster.Expose, ip.Unmap()); usable(ip) && !f.want.Select.Target {
					add(discover.Address{IP: ip, Region: n.Metadata.Labels[regionLabel], AZ: n.Metadata.Labels[zoneLabel], Port: port})
				}
			}
			if found {
				break
			}
		}
	})
	f.seen.Known = f.seen.Known && known
}

// ready is how many endpoints behind an object say that they are ready.
func (f *finding) ready(o *object) (n int) {
	f.slices(o, func(_ *object, e *sliceEndpoint) {
		if r := e.Conditions.Ready; r == nil || *r {
			n++
		}
	})
	return n
}
