//go:build !linux

package main

// monotonicUsec is for systemd, which is Linux's.
func monotonicUsec() (int64, bool) { return 0, false }
