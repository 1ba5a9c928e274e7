//go:build !linux

package durable

import "errors"

// syncFS is of Linux alone.
func syncFS(string) error { return errors.ErrUnsupported }
