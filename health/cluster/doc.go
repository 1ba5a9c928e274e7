// Package cluster is a node's part in a cluster of several, as far as that needs no verdict: the rounds by which nodes tell each other what
// they know.
//
// Whoever has something to tell registers a Part; what is in it is opaque here. A Rounds takes deliveries from any goroutine and never blocks
// them; all else is called by the one goroutine that owns what the parts speak of. The package makes no goroutine and knows no disk.
package cluster
