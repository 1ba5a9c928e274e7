package kube

import (
	"net/http"

	"github.com/fairlead-dns/fairlead/config"
)

// A resource is a kind of objects as the API names it.
type resource struct {
	group, plural string
	// versions are those that are tried, the best first.
	versions []string
	// whole is set where objects stand in no namespace, raw where they are kept as they came.
	whole, raw bool
}

// String is the resource as RBAC and kubectl name it.
func (r *resource) String() string {
	if r.group == "" {
		return r.plural
	}
	return r.plural + "." + r.group
}

// path is that of a version of the resource in a namespace; empty for all of them.
func (r *resource) path(version, namespace string) string {
	path := "/apis/" + r.group + "/" + version
	if r.group == "" {
		path = "/api/" + version
	}
	if namespace != "" {
		path += "/namespaces/" + namespace
	}
	return path + "/" + r.plural
}

const gatewayGroup = "gateway.networking.k8s.io"

// The resources; values, never changed.
var (
	services       = &resource{plural: "services", versions: []string{"v1"}}
	nodes          = &resource{plural: "nodes", versions: []string{"v1"}, whole: true}
	slicesResource = &resource{group: "discovery.k8s.io", plural: "endpointslices", versions: []string{"v1"}}
	ingresses      = &resource{group: "networking.k8s.io", plural: "ingresses", versions: []string{"v1"}}
	gateways       = &resource{group: gatewayGroup, plural: "gateways", versions: []string{"v1", "v1beta1"}}
	httpRoutes     = &resource{group: gatewayGroup, plural: "httproutes", versions: []string{"v1", "v1beta1"}}
	grpcRoutes     = &resource{group: gatewayGroup, plural: "grpcroutes", versions: []string{"v1"}}
	tlsRoutes      = &resource{group: gatewayGroup, plural: "tlsroutes", versions: []string{"v1", "v1alpha3", "v1alpha2"}}
	serviceImports = &resource{group: "multicluster.x-k8s.io", plural: "serviceimports", versions: []string{"v1beta1", "v1alpha1"}}
	dnsEndpoints   = &resource{group: "externaldns.k8s.io", plural: "dnsendpoints", versions: []string{"v1alpha1"}}
)

// resourceOf is where the objects of a kind are.
func resourceOf(kind config.FromKind) *resource {
	switch kind {
	case config.FromService:
		return services
	case config.FromIngress:
		return ingresses
	case config.FromGateway:
		return gateways
	case config.FromHTTPRoute:
		return httpRoutes
	case config.FromGRPCRoute:
		return grpcRoutes
	case config.FromTLSRoute:
		return tlsRoutes
	case config.FromServiceImport:
		return serviceImports
	case config.FromDNSEndpoint:
		return dnsEndpoints
	}
	return nil
}

// missing tells whether err says that the API does not know the resource: its CRD, or this version of it, is not installed.
func missing(err error) bool { return code(err) == http.StatusNotFound }
