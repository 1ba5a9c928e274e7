// Package gossip carries opaque state between the nodes of a cluster, by key. Once a second a node signs its whole state and
// sends it straight to its peers; a change sends one more round at once. hashicorp/memberlist gives membership, encryption,
// packets, streams and push/pull; its broadcast queue carries nothing of ours, because it gives up after four sends.
//
// The unit is the packet: some parts of one round, or shards of them, with the origin's name, incarnation and sequence
// number and its Ed25519 signature over all of that. A packet is useful without the others of its round. Relays pass packets
// on unchanged, with how long they held them. A receiver takes what is newer than what it has, by (incarnation, sequence) and
// for each shard of each key, and hands it to Deliver once. Nothing but a newer packet that its origin signed moves anything:
// a replay is old, and a stolen gossip key forges no other node's state.
//
// Membership is a means to push/pull and trusted for nothing else: memberlist does not see one-way cuts, forgets dead peers
// and believes whoever holds a key. Rounds go to the roster's addresses and to those that their origins signed, and
// [Peer.Heard] has the ages on the receiver's monotonic clock. No wall clock is read or sent.
//
// A Peer's methods may be called from any goroutine. [Peer.Run] owns all of its goroutines. Deliver is called by one
// goroutine, one round after the other; while it blocks, a bounded queue fills, and what does not fit is dropped and counted.
// memberlist's callbacks copy, enqueue and return.
//
// The package knows nothing of endpoints, verdicts or intents, keeps no file but the incarnation, and merges nothing.
package gossip
