//go:build !linux

package feed

import (
	"net"
	"time"
)

// A promptListener is only on Linux prompt.
type promptListener struct {
	net.Listener
	within time.Duration
}
