// Package cluster is a node's part in a cluster of several, as far as that needs no verdict: Members are who is configured and who is heard, Rounds
// how nodes tell each other what they know, Barrier and Lease when this one may answer, Lives what disks keep of answers and remember of other
// disks, Words what the nodes say of what has left, and the keyring encrypts all of it.
//
// Whoever has something to tell registers a Part; what is in it is opaque here. Rounds take deliveries from any goroutine and never block
// them; all else of them, of Members, Barrier, Lives and Words, and Lease.Renew, is called by the one goroutine that owns what the parts speak
// of. A Keyring may be used from any goroutine, and writes its file there; the package makes no goroutine that outlives a call, but for those that
// its owner's loop waits for.
package cluster
