// Package discover holds, as data, the members of pools that were found in clusters, and decides which of them stay.
//
// A Set is what one cluster gives, by the parts of pools that take from it. Decide folds what the cluster says now into the set before,
// purely: an address that the cluster stops naming leaves only when another has taken its place, when its object is gone and the pool can
// do without it, or when an operator lets go. Members turns sets into the endpoints of a zone. Sets are values and are never mutated.
//
// The package reads no cluster and has no goroutine; it never says that an endpoint is alive: probes alone do.
package discover
