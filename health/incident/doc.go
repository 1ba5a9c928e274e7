// Package incident keeps what happened: one incident for each cause, with the times of each service that it touched, from the last good
// probe, an order, or a version of a file until the last honest cache has forgotten what left and all of it has come back.
//
// A Log is owned by one goroutine, the engine's; what Incidents returns is never changed. Writing is done beside it (Run). The package
// decides nothing: what is answered, and what caches hold, it is told by its World.
package incident
