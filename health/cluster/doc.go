// Package cluster is a node's part in a cluster of several, as far as that needs no verdict: the rounds by which nodes tell each other what
// they know, the lease by which one that nobody hears stops answering, and the keyring that encrypts all of it.
//
// Whoever has something to tell registers a Part; what is in it is opaque here. Rounds take deliveries from any goroutine and never block
// them; all else of them, and Lease.Renew, is called by the one goroutine that owns what the parts speak of. A Keyring may be used from any
// goroutine, and writes its file there; the package makes no goroutine that outlives a call.
package cluster
