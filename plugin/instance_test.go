package fairlead

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	_ "github.com/coredns/coredns/plugin/acl"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/bufsize"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/dnssec"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/multisocket"
	_ "github.com/coredns/coredns/plugin/nsid"
	_ "github.com/coredns/coredns/plugin/rewrite"
	_ "github.com/coredns/coredns/plugin/shed"
	_ "github.com/coredns/coredns/plugin/view"
	_ "github.com/coredns/coredns/plugin/whoami"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// patience is how long a test waits for what takes milliseconds on an idle machine.
const patience = 20 * time.Second

var directivesOnce sync.Once

func selectDirectives(t testing.TB) {
	directivesOnce.Do(func() {
		dnsserver.Quiet, caddy.Quiet = true, true
		require.NoError(t, dnsserver.SetDirectives([]string{
			"multisocket", "nsid", "bufsize", "bind", "shed", "prometheus", "errors", "log", "acl", "rewrite", "cache", "dnssec", pluginName, "whoami", "view",
		}))
	})
}

// A site is a directory with zones, state and a Corefile, and the instance that serves it.
type site struct {
	t        testing.TB
	dir      string
	port     int
	instance *caddy.Instance
}

func newSite(t testing.TB) *site {
	t.Helper()
	selectDirectives(t)
	s := &site{t: t, dir: t.TempDir(), port: suite.FreePort(t)}
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "zones"), 0o755))
	s.zone("a.yaml", 1)
	t.Cleanup(s.stop)
	return s
}

// zone writes a zone file of example.org whose www has the address 192.0.2.n; n = 0 makes it broken.
func (s *site) zone(file string, n int) {
	s.t.Helper()
	s.zoneOf(file, "example.org", n)
}

// zoneOf is zone for another one.
func (s *site) zoneOf(file, zone string, n int) {
	s.t.Helper()
	text := fmt.Sprintf(`zone: %[1]s
nameservers: [{name: ns1.%[1]s, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
checks: {c: {type: tcp, port: 9, interval: 1s, timeout: 500ms}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.%[2]d], az: eu-a}]}
  probed: {region: eu, check: c, endpoints: [{name: one, addresses: [127.0.0.1], az: eu-a}]}
services:
  www: {tiers: [{web: 1}]}
  probed: {tiers: [{probed: 1}]}
`, zone, n)
	if n == 0 {
		text = strings.Replace(text, "web: 1", "wob: 1", 1) + "more: 1\n"
	}
	require.NoError(s.t, os.MkdirAll(filepath.Dir(s.path(file)), 0o755))
	require.NoError(s.t, os.WriteFile(s.path(file), []byte(text), 0o644))
}

func (s *site) path(file string) string { return filepath.Join(s.dir, "zones", file) }

// corefile is the usual one with more options in the block and more text behind it.
func (s *site) corefile(block, more string) caddy.Input {
	text := fmt.Sprintf("example.org:%d {\nbind 127.0.0.1\nfairlead {\nzones %s\nstate %s\n}\nerrors\n%s\n}\n%s\n",
		s.port, filepath.Join(s.dir, "zones"), filepath.Join(s.dir, "state"), block, more)
	return caddy.CaddyfileInput{Filepath: "Corefile", Contents: []byte(text), ServerTypeName: "dns"}
}

func (s *site) start(c caddy.Input) error {
	s.t.Helper()
	i, err := caddy.Start(c)
	if err != nil {
		Abandon()
		return err
	}
	s.instance = i
	s.served()
	return nil
}

// served waits until both sockets are read: CoreDNS forgets to stop a server that has not begun when it is to end.
func (s *site) served() {
	s.t.Helper()
	for _, network := range []string{"udp", "tcp"} {
		eventually(s.t, network, func() bool { return s.ask(network) != nil })
	}
}

func (s *site) restart(c caddy.Input) error {
	s.t.Helper()
	i, err := s.instance.Restart(c)
	s.instance = i
	s.served()
	return err
}

func (s *site) stop() {
	if s.instance == nil {
		return
	}
	_ = s.instance.Stop()
	for _, err := range s.instance.ShutdownCallbacks() {
		s.t.Error(err)
	}
	s.instance = nil
}

// www is the address that is answered; empty if there is none.
func (s *site) www() string {
	if m := s.ask("udp"); m != nil && len(m.Answer) == 1 {
		return m.Answer[0].(*dns.A).A.String()
	}
	return ""
}

// ask asks for www; nil means no reply.
func (s *site) ask(network string) *dns.Msg {
	m, _, err := (&dns.Client{Net: network, Timeout: time.Second}).Exchange(new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA), "127.0.0.1:"+strconv.Itoa(s.port))
	if err != nil {
		return nil
	}
	return m
}

// eventually polls on the test's own goroutine: goroutines are counted.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited %v for %s", patience, what)
}

// usage is how many goroutines and open files the process has, after the collector closed what nobody holds.
func usage(t *testing.T) (goroutines, files int) {
	t.Helper()
	runtime.GC()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return runtime.NumGoroutine(), len(list)
}

// settled is the usage once it has been the same for a second: CoreDNS starts some of its goroutines after a restart has returned.
func settled(t *testing.T) (goroutines, files int) {
	t.Helper()
	since := time.Now()
	eventually(t, "goroutines and files that stay", func() bool {
		if g, f := usage(t); g != goroutines || f != files {
			goroutines, files, since = g, f, time.Now()
		}
		return time.Since(since) > time.Second
	})
	return goroutines, files
}

// server is the site's address as CoreDNS writes it.
func (s *site) server() string { return fmt.Sprintf("dns://127.0.0.1:%d", s.port) }
