//go:build !race

package suite

// Race tells whether the tests were built with the race detector.
const Race = false
