// The CRDs of the Gateway API, for tests: they are read, and nothing of it is built.
module github.com/fairlead-dns/fairlead/integration/kube/gateway

go 1.26.0

require sigs.k8s.io/gateway-api v1.6.3
