// Package runner carries out runs of plans (docs/plans.md) on the node that owns them, and says what plans there are, what a run would come to,
// and what has become of those that began. What a run is, and what is to be done next in it, says package health/run.
//
// One goroutine looks at the plans and the runs, and does what is to be done: each hook is called on a goroutine of its own, of which Run waits
// for the end. The methods of the admin API may be called from any goroutine. A node that does not hear a majority of the nodes carries out
// nothing.
package runner
