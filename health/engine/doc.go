// Package engine is the one writer: it folds observations, intents and new configuration into views and publishes them.
//
// Run's goroutine owns all state; everything that it publishes is immutable. Observe and SetModel may be called from any
// goroutine: they leave their argument in a mailbox of bounded size (one slot per target, one model) and return at once.
// The engine owns every goroutine below it (prober, configuration poll, persistence, compilation of whole models): they
// end before Run returns. It never dials, and knows no DNS.
package engine
