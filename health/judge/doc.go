// Package judge turns observations and intents into verdicts. It is pure: the same observations, the same earlier view and
// the same instant give the same verdict, on every node. It keeps no state and starts nothing; hysteresis over single
// probes lives at the vantage (health/probe), holds over whole pools and AZs live in the views that it returns.
//
// A target is judged by a jury of vantages (Target), which the roster chooses (Bench); Change says until when its verdict stands.
package judge
