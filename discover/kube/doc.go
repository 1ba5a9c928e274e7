// Package kube reads what pools take from a cluster of Kubernetes. It is the only package that knows the API of Kubernetes.
//
// A Reader lists and watches the kinds of objects that the zone files ask for, and no others, over client-go's HTTP client. It has
// informers of its own instead of client-go's: those hide outages, and empty every pool when another store stands behind the URL. Before
// anything is taken, and each time that a watch begins, the UID of the namespace kube-system says that it is still the same cluster.
//
// A Reader has one goroutine for each kind and namespace, all of which end with Run; the other methods may be called by anyone. It writes
// nothing, reads no secret and no pod, and has no say: what is concluded from what it saw is for package discover.
package kube
