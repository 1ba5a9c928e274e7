package stream

import "golang.org/x/sys/unix"

const (
	// maxConns bounds the automatic number of connections: each may cost 160 kB, most of it in the kernel.
	maxConns = 1024
	// minConns keeps TCP working on a node with a tiny limit of descriptors.
	minConns = 16
	// clients is how many clients can have as many connections as one of them may, by default.
	clients = 8
	// minPerClient is for resolvers that share an address.
	minPerClient = 8
)

// Limits bound connections. Zero is the default.
type Limits struct {
	// Conns is how many there are at once. *Default*: a quarter of the process's limit of open files (half is for probes), 1024 at
	// the most.
	Conns int
	// PerClient is how many one client has: an IPv4 address, or an IPv6 /64. *Default*: an eighth of Conns, at least 8.
	PerClient int
}

// or is l with its defaults.
func (l Limits) or() Limits {
	if l.Conns == 0 {
		l.Conns = maxConns
		var files unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err == nil {
			l.Conns = int(max(min(files.Cur/4, maxConns), minConns))
		}
	}
	if l.PerClient == 0 {
		l.PerClient = max(l.Conns/clients, minPerClient)
	}
	l.PerClient = min(l.PerClient, l.Conns)
	return l
}
