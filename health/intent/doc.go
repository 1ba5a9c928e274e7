// Package intent keeps what operators asked for: an add-wins set of intents with ids, and the file that lets it outlive a
// crash.
//
// A Set is a value that merges: Merge is idempotent, commutative and associative, so the order in which nodes hear of each
// other does not matter. An end names the ids that it has seen, so an intent that was made at the same time elsewhere
// survives it. No wall clock decides anything: instants are on this process's clock, and what travels or is kept in the file
// is how long there is until a start or an end.
//
// A Store is one node's Set with its file. It is owned by one goroutine, starts none, and knows no configuration: whether a
// scope names anything, and which of the intents are effective, is for others to say.
package intent
