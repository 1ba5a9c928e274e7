//go:build !linux

package stream

import (
	"errors"
	"net"
)

// Join is for Linux alone.
func Join(string, int) (net.Listener, error) {
	return nil, errors.New("only Linux chooses among listeners of one address")
}
