// Package event keeps what happened on this node, in order: states that moved, orders, nodes that fell silent, incidents. Readers
// follow it by number, so that nobody who was away misses what is still kept.
//
// A Log is safe for concurrent use. Add never waits for the disk: Run writes behind it, and a crash may lose the last second.
// Numbers grow over restarts and are never used twice. The log decides nothing, and nothing is asked of it on the query path.
package event
