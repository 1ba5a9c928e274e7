package config

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A FromKind is the kind of object in a cluster from which a pool takes its endpoints, as the key of the zone file spells it.
type FromKind string

// The kinds.
const (
	FromService       FromKind = "service"
	FromIngress       FromKind = "ingress"
	FromGateway       FromKind = "gateway"
	FromHTTPRoute     FromKind = "httproute"
	FromGRPCRoute     FromKind = "grpcroute"
	FromTLSRoute      FromKind = "tlsroute"
	FromDNSEndpoint   FromKind = "dnsendpoint"
	FromServiceImport FromKind = "serviceimport"
)

// FromKinds are all kinds, in the order of the documentation.
func FromKinds() []FromKind {
	return []FromKind{FromGateway, FromHTTPRoute, FromGRPCRoute, FromTLSRoute, FromIngress, FromService, FromServiceImport, FromDNSEndpoint}
}

// An AddressSource is where in a cluster the addresses of an object stand.
type AddressSource string

// The sources. The empty one follows the object: a Service of type LoadBalancer has its status, a headless one its EndpointSlices, one of
// type NodePort the nodes.
const (
	SourceDefault   AddressSource = ""
	SourceStatus    AddressSource = "status"
	SourceEndpoints AddressSource = "endpoints"
	SourceNodes     AddressSource = "nodes"
)

const (
	// defaultFromMax is how many endpoints one `from` gives at most; maxFromMax is as many as anybody has asked for, and more.
	defaultFromMax = 64
	maxFromMax     = 1000
	// defaultMinEndpoints keeps a pool from being emptied by what a cluster says.
	defaultMinEndpoints = 1
	// defaultSettle is how long an address stays at most that a cluster replaced, while no new one is up.
	defaultSettle = 5 * time.Minute
	// anyNamespace stands for all namespaces.
	anyNamespace = "*"
)

// A From is what a pool takes from clusters: the addresses of one object, or of those with certain labels.
type From struct {
	Clusters []string
	Kind     FromKind
	// Namespace is empty for all of them, which needs Labels. Name is empty where Labels choose.
	Namespace, Name string
	// Labels are those that an object must have; nil where Name says which one.
	Labels map[string]string
	// Addresses says where the addresses are read.
	Addresses AddressSource
	// Listener is a Gateway's listener that must be there; Port the name or number of a Service's port that is probed, where the address is
	// that of a node or a pod. Empty for none.
	Listener, Port string
	// Families are those whose addresses are taken.
	Families []Family
	// Target answers a load balancer's host name as CNAME, in the place of its addresses.
	Target bool
	// Weight is that of each endpoint; Ready stands in its place the number of ready endpoints behind the object.
	Weight int
	Ready  bool
	// AZ indexes Zone.AZs: where an address stands of which the cluster does not say it; -1 for what the node file says.
	AZ int
	// Max bounds the endpoints that it gives for one cluster.
	Max int
}

// Takes tells whether an object is one that f chooses.
func (f *From) Takes(kind FromKind, namespace, name string, labels map[string]string) bool {
	if kind != f.Kind || f.Namespace != "" && namespace != f.Namespace || f.Name != "" && name != f.Name {
		return false
	}
	for k, v := range f.Labels {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// String names what f chooses, as in service shop/web or gateway edge/* with app=web.
func (f *From) String() string {
	namespace, name := f.Namespace, f.Name
	if namespace == "" {
		namespace = anyNamespace
	}
	if name != "" {
		return fmt.Sprintf("%s %s/%s", f.Kind, namespace, name)
	}
	return fmt.Sprintf("%s %s with %s", f.Kind, namespace, f.Selector())
}

// Describe is all that f says, in one line.
func (f *From) Describe(z *Zone) string {
	text := fmt.Sprintf("%s of %s, at most %d", f, strings.Join(f.Clusters, ", "), f.Max)
	add := func(what, value string) {
		if value != "" {
			text += ", " + what + " " + value
		}
	}
	add("addresses", string(f.Addresses))
	add("listener", f.Listener)
	add("port", f.Port)
	for _, family := range f.Families {
		add("family", family.String())
	}
	if f.Target {
		add("hostname", "target")
	}
	if f.Ready {
		add("weight", "ready")
	}
	add("weight", fmt.Sprint(f.Weight))
	if f.AZ >= 0 {
		add("az", z.AZs[f.AZ].Name)
	}
	return text
}

// Selector is Labels as the API of Kubernetes has them.
func (f *From) Selector() string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(f.Labels)) {
		out = append(out, k+"="+f.Labels[k])
	}
	return strings.Join(out, ",")
}

func fromShape() *shape {
	keys := []key{
		required("cluster", either(text("the name of a cluster", clusterName), list(text("the name of a cluster", clusterName)))).
			says("As the node files name it: the nodes that can reach the cluster read it, and tell the others."),
	}
	for _, kind := range FromKinds() {
		keys = append(keys, optional(string(kind), text("NAMESPACE/NAME, or NAMESPACE or * with a selector", objectName)).says(kind.doc()).as("shop/web"))
	}
	return object(append(keys,
		optional("selector", dict("label", text("a value of a label", labelValue))).says("Labels of the objects, in the place of NAME."),
		optional("addresses", enum(string(SourceStatus), string(SourceEndpoints), string(SourceNodes))).
			or("by the type of the Service; status of everything else").says("Where the addresses stand in the cluster."),
		optional("listener", text("the name of a listener", lineText)).says("The listener of a Gateway that must be there."),
		optional("port", &shape{scalar: orName(port())}).or("the check's").says("The port of a Service, by name or number, whose node or target port is probed."),
		optional("family", enum("ipv4", "ipv6")).or("both").says("The addresses of one family alone."),
		optional("hostname", enum("resolve", "target")).or("resolve").says("Host names of load balancers: their addresses, or the name as CNAME."),
		optional("weight", orWord(weight(), "ready")).or(defaultWeight).says("Of each endpoint; ready: as many as are ready behind the object."),
		optional("az", reference("an AZ")).or("what the node file says").says("Of addresses of which the cluster does not say one."),
		optional("max", integer(1, maxFromMax)).or(defaultFromMax).says("How many endpoints it gives for one cluster."),
	)...)
}

// doc describes the key of the kind.
func (k FromKind) doc() string {
	switch k {
	case FromService:
		return "A Service: the addresses of its status, its EndpointSlices, or nodes."
	case FromServiceImport:
		return "A ServiceImport of the Multi-Cluster Services API: its addresses."
	case FromDNSEndpoint:
		return "A DNSEndpoint of ExternalDNS: the targets of its A, AAAA and CNAME records."
	case FromIngress:
		return "An Ingress: the addresses of its status."
	case FromGateway:
		return "A Gateway: the addresses of its status."
	}
	return "A route of the Gateway API: the addresses of the Gateways that have accepted it."
}

// orName is a number of sh or a name.
func orName(sh *shape) *scalar {
	inner := sh.scalar
	return &scalar{
		want: inner.want + " or a name",
		check: func(n *yamlNode) (string, string) {
			if parseIdentifier(n.Value) == nil && !integerText.MatchString(n.Value) {
				return "", ""
			}
			return inner.check(n)
		},
		span:   inner.span + ", or a name",
		schema: map[string]any{"anyOf": []any{inner.schema, map[string]any{"type": "string", "pattern": `^[A-Za-z_.:-]*[A-Za-z][A-Za-z0-9_.:-]*$`}}},
	}
}

// maxClusterName leaves room for an address behind it in the name of an endpoint, which is a label where it leads SRV records.
const maxClusterName = 63

func clusterName(s string) error {
	if len(s) > maxClusterName {
		return fmt.Errorf("the name of a cluster has at most %d octets, got %d", maxClusterName, len(s))
	}
	return checkLabel(strings.ToLower(s))
}

func labelValue(s string) error {
	if len(s) > 63 {
		return fmt.Errorf("a value of a label has at most 63 octets, got %d", len(s))
	}
	if strings.ContainsAny(s, ",=!() ") {
		return errors.New("one value of a label: sets and inequalities are not known here")
	}
	return lineText(s)
}

// objectName takes NAMESPACE/NAME, and NAMESPACE or * alone.
func objectName(s string) error {
	namespace, name, both := strings.Cut(s, "/")
	if both && namespace == anyNamespace {
		return fmt.Errorf("%s: a name has one namespace", shorten(s))
	}
	for _, part := range []string{namespace, name} {
		switch {
		case part == anyNamespace && !both, part == "" && !both:
		case part == "" || len(part) > 253 || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "":
			return fmt.Errorf("want NAMESPACE/NAME, got %q", shorten(s))
		}
	}
	return nil
}

// fromParts reads the parts of a pool that come from clusters.
func (b *builder) fromParts(p *Pool, n *yamlNode, at *yamlPath) {
	for i, item := range items(n) {
		at := at.item(i)
		f := &From{Weight: defaultWeight, Max: intOf(field(item, "max"), defaultFromMax), AZ: -1, Listener: stringOf(field(item, "listener")), Port: stringOf(field(item, "port"))}
		for _, c := range items(field(item, "cluster")) {
			if name := stringOf(c); slices.Contains(f.Clusters, name) {
				b.errorf(c, at.child("cluster"), "", "duplicate cluster %q", shorten(name))
			} else if name != "" {
				f.Clusters = append(f.Clusters, name)
			}
		}
		b.fromObject(f, item, at)
		f.Addresses = AddressSource(stringOf(field(item, "addresses")))
		f.Families = familiesOf(field(item, "family"))
		f.Target = stringOf(field(item, "hostname")) == "target"
		w := field(item, "weight")
		f.Ready, f.Weight = stringOf(w) == "ready", intOf(w, defaultWeight)
		if az := field(item, "az"); az != nil {
			f.AZ = b.refer(az, at.child("az"), "AZ", b.azs)
			b.inRegion(p, f.AZ, item, at)
		}
		b.checkFrom(f, item, at)
		p.From = append(p.From, f)
	}
}

// fromObject reads which objects f chooses.
func (b *builder) fromObject(f *From, item *yamlNode, at *yamlPath) {
	var where *yamlNode
	for _, kind := range FromKinds() {
		v := field(item, string(kind))
		switch {
		case v == nil:
		case where != nil:
			b.errorf(v, at.child(string(kind)), "one more entry of `from` takes it", "%s and %s in one entry", f.Kind, kind)
		default:
			f.Kind, where = kind, v
		}
	}
	if where == nil {
		b.errorf(item, at, "one of gateway, httproute, grpcroute, tlsroute, ingress, service, serviceimport, dnsendpoint", "what is taken from the cluster is missing")
		return
	}
	f.Namespace, f.Name, _ = strings.Cut(stringOf(where), "/")
	if f.Namespace == anyNamespace {
		f.Namespace = ""
	}
	selector := field(item, "selector")
	for k, v := range entries(selector) {
		if f.Labels == nil {
			f.Labels = make(map[string]string)
		}
		f.Labels[k.Value] = stringOf(v)
	}
	switch {
	case f.Name == "" && selector == nil:
		b.errorf(where, at.child(string(f.Kind)), "NAMESPACE/NAME, or a selector beside it", "which %s is not said", f.Kind)
	case f.Name != "" && selector != nil:
		b.errorf(selector, at.child("selector"), "", "a name and a selector")
	}
}

// checkFrom says what of f does not go together.
func (b *builder) checkFrom(f *From, item *yamlNode, at *yamlPath) {
	wrong := func(name, format string, args ...any) {
		b.errorf(field(item, name), at.child(name), "", format, args...)
	}
	service := f.Kind == FromService
	if f.Addresses != SourceDefault && f.Addresses != SourceStatus && !service && f.Kind != FromServiceImport {
		wrong("addresses", "%s of a %s: it has its status alone", f.Addresses, f.Kind)
	}
	if f.Listener != "" && f.Kind != FromGateway {
		wrong("listener", "a listener of a %s: gateways have them", f.Kind)
	}
	if f.Port != "" && !service && f.Kind != FromServiceImport {
		wrong("port", "a port of a %s: services have them", f.Kind)
	}
	if f.Ready && !service && f.Kind != FromServiceImport {
		wrong("weight", "nothing is ready behind a %s: services have EndpointSlices", f.Kind)
	}
	if f.Target && (len(f.Families) == 1 || f.Addresses == SourceEndpoints || f.Addresses == SourceNodes) {
		wrong("hostname", "a target beside addresses of one kind: it has none")
	}
}

// An Expose is a prefix of addresses in a cluster and the one, of the same length, under which clients reach them.
type Expose struct{ Inside, Outside netip.Prefix }

// Translate is the address under which clients reach a: a itself where nothing is said of it.
func Translate(rules []Expose, a netip.Addr) netip.Addr {
	for _, r := range rules {
		if !r.Inside.Contains(a) {
			continue
		}
		bits := a.AsSlice()
		out := r.Outside.Addr().AsSlice()
		for i := range out {
			// Of each octet the front belongs to the prefix.
			network := min(8, max(0, r.Outside.Bits()-8*i))
			mask := byte(0xFF) >> network
			out[i] = out[i]&^mask | bits[i]&mask
		}
		moved, _ := netip.AddrFromSlice(out)
		return moved
	}
	return a
}
