// CRDs of what pools take endpoints from, for tests: they are read, and nothing of these modules is built.
module github.com/fairlead-dns/fairlead/integration/kube/crds

go 1.26.0

require (
	sigs.k8s.io/external-dns v0.19.0
	sigs.k8s.io/gateway-api v1.6.3
	sigs.k8s.io/mcs-api v0.5.2
)
