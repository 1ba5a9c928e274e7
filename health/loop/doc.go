// Package loop is how other goroutines reach the one that owns something: they command it and wait, post to it and go on, or wake it.
//
// A Loop may be used from any goroutine but for Commands, Woken, DoPosted and Close, which are the owner's. It makes no goroutine but those
// of Beside, which end with the context of Run; it knows nothing of what it carries, and drops nothing while the owner turns.
package loop
