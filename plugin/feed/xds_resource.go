package feed

import (
	"math"
	"math/bits"
	"net"
	"strconv"
	"strings"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/miekg/dns"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fairlead-dns/fairlead/plugin/answer"
)

const (
	// defaultPort is that of a service whose resource name has none, and which has no records that name one.
	defaultPort = 443
	// maxWeights bounds the sum of the weights of one priority, which has to fit in 32 bits; less leaves room for rounding.
	maxWeights = math.MaxUint32 / 2
)

// splitResource is a resource name NAME or NAME:PORT; port is 0 where there is none.
func splitResource(text string) (host string, port uint32, ok bool) {
	host, digits, has := strings.Cut(text, ":")
	if !has {
		return host, 0, host != ""
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		return host, 0, false
	}
	return host, uint32(n), host != ""
}

// portOf is the port of what is given under a resource name.
func portOf(text string, g *answer.Given) uint32 {
	_, port, _ := splitResource(text)
	switch {
	case port > 0:
		return port
	case g.Service != nil && g.Service.SRV != nil:
		return uint32(g.Service.SRV.Port)
	case g.Service != nil && g.Service.HTTPS != nil && g.Service.HTTPS.Port > 0:
		return uint32(g.Service.HTTPS.Port)
	}
	return defaultPort
}

// addressed tells whether xDS can carry what is given: addresses, or nothing at the moment. CNAME targets it can not.
func addressed(g *answer.Given) bool {
	for _, set := range g.Sets {
		if set.Type == dns.TypeCNAME {
			return false
		}
	}
	return true
}

// response are the resources of a type that the stream wants.
func (k *xdsKind) response(typ, version string, given map[string]*answer.Given) (cache.Response, error) {
	out := &cache.PassthroughResponse{
		Request:           k.open,
		DiscoveryResponse: &discovery.DiscoveryResponse{VersionInfo: version, TypeUrl: typ},
		ReturnedResources: make(map[string]string),
	}
	for _, text := range k.wanted(given) {
		m, err := resourceOf(typ, text, given[text])
		if err != nil {
			return nil, err
		}
		packed, err := anypb.New(m)
		if err != nil {
			return nil, err
		}
		out.DiscoveryResponse.Resources = append(out.DiscoveryResponse.Resources, packed)
		out.ReturnedResources[text] = version
	}
	return out, nil
}

// resourceOf is one resource.
func resourceOf(typ, text string, g *answer.Given) (proto.Message, error) {
	switch typ {
	case resource.ListenerType:
		return listenerOf(text)
	case resource.RouteType:
		return routesOf(text, g), nil
	case resource.ClusterType:
		return clusterOf(text, g), nil
	}
	return assignmentOf(text, g), nil
}

// ads says that something comes by the same stream.
func viaADS() *core.ConfigSource {
	return &core.ConfigSource{
		ResourceApiVersion: core.ApiVersion_V3, ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}},
	}
}

// listenerOf is what a gRPC client asks for by the name of its target.
func listenerOf(text string) (*listener.Listener, error) {
	last, err := anypb.New(&router.Router{})
	if err != nil {
		return nil, err
	}
	manager, err := anypb.New(&hcm.HttpConnectionManager{
		RouteSpecifier: &hcm.HttpConnectionManager_Rds{Rds: &hcm.Rds{ConfigSource: viaADS(), RouteConfigName: text}},
		HttpFilters:    []*hcm.HttpFilter{{Name: "router", ConfigType: &hcm.HttpFilter_TypedConfig{TypedConfig: last}}},
	})
	if err != nil {
		return nil, err
	}
	return &listener.Listener{Name: text, ApiListener: &listener.ApiListener{ApiListener: manager}}, nil
}

// routesOf leads everything to the cluster of the same name. Who is to stay with one member hashes by its channel, or its address.
func routesOf(text string, g *answer.Given) *route.RouteConfiguration {
	action := &route.RouteAction{ClusterSpecifier: &route.RouteAction_Cluster{Cluster: text}}
	if sticky(g) {
		action.HashPolicy = []*route.RouteAction_HashPolicy{
			{PolicySpecifier: &route.RouteAction_HashPolicy_FilterState_{FilterState: &route.RouteAction_HashPolicy_FilterState{Key: "io.grpc.channel_id"}}},
			{PolicySpecifier: &route.RouteAction_HashPolicy_ConnectionProperties_{ConnectionProperties: &route.RouteAction_HashPolicy_ConnectionProperties{SourceIp: true}}},
		}
	}
	return &route.RouteConfiguration{Name: text, VirtualHosts: []*route.VirtualHost{{
		Name: text, Domains: []string{"*"},
		Routes: []*route.Route{{
			Match:  &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: ""}},
			Action: &route.Route_Route{Route: action},
		}},
	}}}
}

func sticky(g *answer.Given) bool { return g.Service != nil && g.Service.Sticky != nil }

// clusterOf balances by the weights of localities, of which each member is one, or by a ring for who is to stay with one member.
func clusterOf(text string, g *answer.Given) *cluster.Cluster {
	out := &cluster.Cluster{
		Name: text, ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_EDS},
		EdsClusterConfig: &cluster.Cluster_EdsClusterConfig{EdsConfig: viaADS(), ServiceName: text},
	}
	if sticky(g) {
		out.LbPolicy = cluster.Cluster_RING_HASH
		return out
	}
	out.LbPolicy = cluster.Cluster_ROUND_ROBIN
	out.CommonLbConfig = &cluster.Cluster_CommonLbConfig{LocalityConfigSpecifier: &cluster.Cluster_CommonLbConfig_LocalityWeightedLbConfig_{
		LocalityWeightedLbConfig: &cluster.Cluster_CommonLbConfig_LocalityWeightedLbConfig{},
	}}
	return out
}

// assignmentOf are the endpoints: what is answered now at priority 0, what would be answered next at 1.
func assignmentOf(text string, g *answer.Given) *endpoint.ClusterLoadAssignment {
	out := &endpoint.ClusterLoadAssignment{ClusterName: text}
	now := membersOf(g)
	out.Endpoints = append(out.Endpoints, localitiesOf(text, g, now, 0)...)
	if len(now) > 0 {
		out.Endpoints = append(out.Endpoints, localitiesOf(text, g, g.Next, 1)...)
	}
	return out
}

// membersOf are those of IPv4, or of IPv6 where there are none.
func membersOf(g *answer.Given) []answer.GivenMember {
	for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA} {
		for _, set := range g.Sets {
			if set.Type == typ && len(set.Members) > 0 {
				return set.Members
			}
		}
	}
	return nil
}

// localitiesOf has one locality for each member: clients share by the weights of localities, and many of them inside of one equally.
func localitiesOf(text string, g *answer.Given, members []answer.GivenMember, priority uint32) (out []*endpoint.LocalityLbEndpoints) {
	shift := shiftOf(members)
	for i := range members {
		m := &members[i]
		address := &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
			Address: m.Address.String(), PortSpecifier: &core.SocketAddress_PortValue{PortValue: portOf(text, g)},
		}}}
		weight := wrapperspb.UInt32(uint32(max(m.Weight>>shift, 1)))
		one := &endpoint.LbEndpoint{HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: address}}, HealthStatus: core.HealthStatus_HEALTHY}
		l := &endpoint.LocalityLbEndpoints{Locality: localityOf(g, m), LbEndpoints: []*endpoint.LbEndpoint{one}, LoadBalancingWeight: weight, Priority: priority}
		if sticky(g) {
			// On a ring it is the endpoint whose weight counts.
			one.LoadBalancingWeight, l.LoadBalancingWeight = weight, wrapperspb.UInt32(1)
		}
		out = append(out, l)
	}
	return out
}

// shiftOf is by how many bits weights are to be cut for their sum to fit.
func shiftOf(members []answer.GivenMember) int {
	var sum uint64
	for i := range members {
		sum += min(members[i].Weight, math.MaxUint64-sum)
	}
	return max(0, bits.Len64(sum/maxWeights))
}

// localityOf is region, AZ and endpoint of a member. No two members have the same.
func localityOf(g *answer.Given, m *answer.GivenMember) *core.Locality {
	if m.Pool < 0 {
		return &core.Locality{SubZone: net.JoinHostPort(m.Data, "fixed")}
	}
	name, region, az := placeOf(g, m)
	return &core.Locality{Region: region, Zone: az, SubZone: name}
}
