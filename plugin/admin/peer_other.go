//go:build !linux

package admin

import "net"

func unixPeer(*net.UnixConn) string { return "unix" }
