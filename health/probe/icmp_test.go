package probe

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fairlead-dns/fairlead/config"
)

func icmpCheck() *config.Check {
	return sealed(config.Check{Name: "ping", Type: config.CheckICMP, Interval: 20 * time.Second, Timeout: 500 * time.Millisecond,
		Fall: 3, Rise: 2})
}

// A pinged is what a probe in a network namespace gave.
type pinged struct {
	// Setup says why there was no probe.
	Setup string
	Kind  uint8
	Text  string
	Took  time.Duration
	// Raw tells which socket it was.
	Raw bool
}

// pingIn is what probeNamespace is to do.
type pingIn struct {
	Host, Source string
	// Group opens ping sockets for us; Capable keeps CAP_NET_RAW.
	Group, Capable bool
	// Before are commands of ip that come first.
	Before [][]string
}

// inNamespace probes in a child that has a network namespace of its own.
func inNamespace(t *testing.T, in pingIn) pinged {
	t.Helper()
	job, err := json.Marshal(in)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), namespaceEnv+"="+string(job))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("this system lets us have no network namespace: %v", err)
	}
	var got pinged
	require.NoError(t, json.Unmarshal(out, &got), "%s", out)
	if got.Setup != "" {
		t.Skipf("the network namespace cannot be set up: %s", got.Setup)
	}
	return got
}

// probeNamespace is the main of such a child.
func probeNamespace(job string) {
	var in pingIn
	var out pinged
	if err := json.Unmarshal([]byte(job), &in); err != nil {
		out.Setup = err.Error()
	}
	// Capabilities are those of a thread.
	runtime.LockOSThread()
	if out.Setup = in.setup(); out.Setup == "" {
		check := icmpCheck()
		start := time.Now()
		source, _ := netip.ParseAddr(in.Source)
		r := Once(context.Background(), target(check, in.Host, 0), Options{Source: Source{V4: source}})
		out.Kind, out.Text, out.Took = uint8(r.Reason.Kind), r.Reason.Text, time.Since(start)
		if s, err := newPingSocket(netip.MustParseAddr(in.Host), netip.Addr{}); err == nil {
			out.Raw = s.raw
			s.file.Close()
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(out)
}

// setup returns what went wrong.
func (in pingIn) setup() string {
	for _, line := range append([][]string{{"link", "set", "lo", "up"}}, in.Before...) {
		if out, err := exec.Command("ip", line...).CombinedOutput(); err != nil {
			return "ip: " + err.Error() + ": " + string(out)
		}
	}
	if in.Group { // a new namespace has "1 0": nobody
		if err := os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 0"), 0); err != nil {
			return err.Error()
		}
	}
	if in.Capable {
		return ""
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil {
		return "capget: " + err.Error()
	}
	caps[0].Effective &^= 1 << unix.CAP_NET_RAW
	caps[0].Permitted &^= 1 << unix.CAP_NET_RAW
	if err := unix.Capset(&header, &caps[0]); err != nil {
		return "capset: " + err.Error()
	}
	return ""
}

func TestICMP(t *testing.T) {
	hole := [][]string{
		{"link", "add", "hole0", "type", "veth", "peer", "name", "hole1"},
		{"link", "set", "hole0", "arp", "off", "up"},
		{"link", "set", "hole1", "up"},
		{"address", "add", "192.0.2.1/24", "dev", "hole0"},
	}
	for _, test := range []struct {
		name string
		in   pingIn
		raw  bool
		kind Kind
		text string
	}{
		{"ping socket, IPv4", pingIn{Host: "127.0.0.1", Group: true}, false, None, ""},
		{"ping socket, IPv6", pingIn{Host: "::1", Group: true}, false, None, ""},
		{"ping socket before raw", pingIn{Host: "127.0.0.1", Group: true, Capable: true}, false, None, ""},
		{"raw socket, IPv4", pingIn{Host: "127.0.0.1", Capable: true}, true, None, ""},
		{"raw socket, IPv6", pingIn{Host: "::1", Capable: true}, true, None, ""},
		{"from a source", pingIn{Host: "127.0.0.1", Source: "127.0.0.5", Group: true}, false, None, ""},
		{"from a source, raw", pingIn{Host: "127.0.0.1", Source: "127.0.0.5", Capable: true}, true, None, ""},

		{"no reply", pingIn{Host: "192.0.2.9", Group: true, Before: hole}, false, NoAnswer, "no echo reply within 500ms"},
		{"no reply, raw", pingIn{Host: "192.0.2.9", Capable: true, Before: hole}, true, NoAnswer, "no echo reply within 500ms"},
		{"no network", pingIn{Host: "198.51.100.1", Group: true}, false, Unreachable, "network unreachable"},
		{"no route", pingIn{Host: "198.51.100.1", Group: true,
			Before: [][]string{{"route", "add", "unreachable", "198.51.100.0/24"}}}, false, Unreachable, "no route to host"},
		{"forbidden", pingIn{Host: "127.0.0.1"}, false, Unsupported, errNotPermitted.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := inNamespace(t, test.in)
			assert.Equal(t, Reason{test.kind, test.text}, Reason{Kind(got.Kind), got.Text})
			assert.Less(t, got.Took, 1500*time.Millisecond)
			if test.kind == None {
				assert.Equal(t, test.raw, got.Raw, "raw socket")
			}
		})
	}
	assert.False(t, Unsupported.Evidence(), "what this node may not do is no evidence")
}

func TestChecksum(t *testing.T) {
	// The example of RFC 1071 section 3.
	assert.Equal(t, ^uint16(0xddf2), checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}))
}
