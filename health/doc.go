// Package health is the vocabulary of everything that watches endpoints: what is dialled (Target), what one node saw
// (Observation), what the cluster believes (Verdict), what operators asked (Intent) and all of it at one instant (View).
//
// It holds values only: nothing here dials, keeps time or starts a goroutine. A published View and all that it points to
// is never written again, so any goroutine may read it without a lock.
package health
