// Package lifeboat forwards, at a site that has left the answers, those who arrive late to who is in service, until the ledger says that no
// honest cache sends anybody there any more.
//
// Whether an address has departed, to whom its arrivals go and until when is what a node says (api.Lifeboat); the package decides nothing of
// it. It carries an address only while the node says "departed", never takes one up again that was answered meanwhile, and goes on without a
// node until the last instant that it was told, or for a bounded grace where it was told none. It forwards in userspace (splice(2) for TCP),
// so that it knows which connections are open and tries the next endpoint where one does not answer; nftables, where that is allowed, hands it
// the new connections while the application goes on with those that it has.
//
// Loops: it connects to no address of its own machine, marks what it forwards (mark in gate.go), and refuses what bears the mark. What comes from an
// address from which nodes probe is a probe, and never forwarded: else the dead would look alive.
//
// A Boat is owned by the goroutine of Run; connections have goroutines of their own, which end with Run.
package lifeboat
