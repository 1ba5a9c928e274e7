package lifeboat

import (
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// inNamespace runs the test that calls it in a network of its own, as another process, and tells whether this is that process. A test that may not
// have one is left out.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const inside = "FAIRLEAD_TEST_INSIDE"
	if os.Getenv(inside) == t.Name() {
		return true
	}
	if testing.Short() {
		t.Skip("needs ip, and a network namespace")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), inside+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if _, ran := err.(*exec.ExitError); err != nil && !ran {
		t.Skipf("no network namespace: %v", err)
	}
	require.NoError(t, err, "%s", out)
	return false
}

// ip runs a command of iproute2.
func ip(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestForwardIPv6: connections, and clients of UDP, are forwarded by IPv6 as by IPv4; probes, and what was forwarded before, are not. Clients name where
// they come from: the kernel would choose any of the addresses.
func TestForwardIPv6(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	const here, there, client, prober = "fd00:7::1", "fd00:7::2", "fd00:7::50", "fd00:7::99"
	ip(t, "link", "set", "lo", "up")
	for _, a := range []string{here, there, client, prober} {
		ip(t, "addr", "add", a+"/128", "dev", "lo", "nodad")
	}
	port := echo(t, there)
	echoDatagrams(t, there, port)
	h := launch(t, here, []Port{{Number: port}, {Number: port, UDP: true}}, there)
	h.mu.Lock()
	h.nodes = []string{prober}
	h.mu.Unlock()
	h.depart(t)

	got, err := call(client, here, port)
	require.NoError(t, err)
	require.Equal(t, there+" hello", got)
	_, err = call(prober, here, port)
	require.Error(t, err)

	from := func(address string) net.Dialer { return net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(address)}} }
	eventually(t, "it answers", func() bool { return askDatagram(t, from(client), here, port) == nil })
	require.Error(t, askDatagram(t, from(prober), here, port))
	again := from(client)
	again.Control = markSocket
	require.Error(t, askDatagram(t, again, here, port))
	c := h.boat.counts.of(here)
	require.Equal(t, []uint64{1, 1}, []uint64{c.Refused[refusedProbe], c.Refused[refusedLoop]})
}
