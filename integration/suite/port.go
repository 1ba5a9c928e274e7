package suite

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Ports of tests lie below those that the kernel hands out to whoever asks for any (net.ipv4.ip_local_port_range), which would be taken in
// the moment before the program under test has them.
const (
	firstPort = 10000
	ports     = 6000
)

// FreePort is a port on 127.0.0.1 that is free for UDP and TCP, and that no other test gets, of this process or another, until t ends.
func FreePort(t testing.TB) int {
	t.Helper()
	begin := rand.IntN(ports)
	for i := range ports {
		port := firstPort + (begin+i)%ports
		// A name without a file is free again when its process ends, however that ends.
		reserved, err := net.Listen("unix", fmt.Sprintf("@fairlead-test-port-%d", port))
		if err != nil {
			continue
		}
		if free(fmt.Sprintf("127.0.0.1:%d", port)) {
			t.Cleanup(func() { reserved.Close() })
			return port
		}
		reserved.Close()
	}
	t.Fatal("no free port")
	return 0
}

// free tells whether nobody has an address, in UDP and in TCP.
func free(address string) bool {
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	defer u.Close()
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	return l.Close() == nil
}
