// Package hook tells other programs what happened, by webhooks: a standby is to be scaled, a database to be promoted. Each event
// is a CloudEvent (cloudevents.io, version 1.0) in JSON, signed, and delivered at least once and in order for each hook: retried
// with growing pauses, and kept as a dead letter when nothing helps. Positions and dead letters outlive restarts.
//
// A Sender owns a goroutine for each hook while Run runs. It dials what the node file names and follows no redirect.
package hook
