// Package order is what operators order: whether an order may be, its way to the disk and to the other nodes, what of it is in force, and what has
// become of it.
//
// Orders are what stands; they belong to the goroutine that turns the loop, wait for no disk, and publish nothing: they say that something moved,
// and the owner brings it into force before anybody is answered. A Desk is where other goroutines give orders and ask for them; its calls wait for
// the owner, and those that order for the disk.
package order
