package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

const peersZone = "peers.example.org"

// A peer is one server of the comparison: what is written before it starts, and how it starts. In files and arguments DIR and PORT are
// replaced.
type peer struct {
	name  string
	files map[string]string
	args  []string
	env   []string
	// echo is set for the server that answers nothing of DNS.
	echo bool

	server string
	cmd    *exec.Cmd
	log    bytes.Buffer
	// loaded is how long it took from the start to the first answer, and loadCPU how many seconds of a processor.
	loaded  time.Duration
	loadCPU float64
}

// peerAddress is that of endpoint e of name n.
func peerAddress(n, e int) string {
	at := n*4 + e
	return fmt.Sprintf("127.%d.%d.%d", 100+at>>16, at>>8&255, at&255)
}

// peerWeights are 40:60 between two AZs of two endpoints each.
var peerWeights = [4]int{20, 30, 20, 30}

// lines joins what f says of each name.
func lines(names int, f func(n int) string) string {
	var b strings.Builder
	for n := range names {
		b.WriteString(f(n))
	}
	return b.String()
}

const peerHead = "$ORIGIN " + peersZone + ".\n$TTL 30\n@ SOA ns1 hostmaster 1 7200 1800 259200 60\n@ NS ns1\nns1 A 127.0.0.1\n"

// peersOf are the servers over a zone of so many names.
func peersOf(binary string, names, checkPort int) []*peer {
	static := peerHead + lines(names, func(n int) string { return fmt.Sprintf("n%d A %s\n", n, peerAddress(n, 0)) })
	fairlead := func(name, lane, more string) *peer {
		return &peer{name: name, args: []string{binary, "serve", "-quiet", "-conf", "DIR/Corefile"}, files: map[string]string{
			"Corefile":        fmt.Sprintf("%s:PORT {\n bind 127.0.0.1\n fairlead {\n  zones DIR/zones\n  state DIR/state\n  fastlane %s\n }\n %s\n}\n", peersZone, lane, more),
			"zones/peer.yaml": peerYAML(names, checkPort), "state/.keep": "",
		}}
	}
	self, _ := os.Executable()
	return []*peer{
		{name: "echo", args: []string{self, "-role", "echo"}, env: []string{"BENCH_LISTEN=127.0.0.1:PORT"}, echo: true},
		fairlead("fairlead", "auto", "prometheus 127.0.0.1:0\n errors"),
		fairlead("fairlead, ordinary path", "off", "prometheus 127.0.0.1:0\n errors"),
		{name: "gdnsd weighted", args: []string{"gdnsd", "-c", "DIR", "start"}, files: map[string]string{
			"config": "options => { listen => 127.0.0.1:PORT, run_dir => DIR/run, state_dir => DIR/state, udp_threads => 1, tcp_threads => 1 }\nplugins => { weighted => { service_types => up\n" +
				lines(names, func(n int) string {
					return fmt.Sprintf("n%d => { a = [%s, 20], b = [%s, 30], c = [%s, 20], d = [%s, 30] }\n", n, peerAddress(n, 0), peerAddress(n, 1), peerAddress(n, 2), peerAddress(n, 3))
				}) + "} }\n",
			"zones/" + peersZone: strings.Replace(peerHead, "$ORIGIN "+peersZone+".\n", "", 1) + lines(names, func(n int) string { return fmt.Sprintf("n%d 30 DYNA weighted!n%d\n", n, n) }),
			"run/.keep":          "", "state/.keep": "",
		}},
		{name: "knot geoip weighted", args: []string{"knotd", "-c", "DIR/knot.conf"}, files: map[string]string{
			"knot.conf": "server:\n  listen: 127.0.0.1@PORT\n  rundir: DIR\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n  user: root\ndatabase:\n  storage: DIR/db\n" +
				"mod-geoip:\n  - id: w\n    config-file: DIR/geo.conf\n    ttl: 30\n    mode: weighted\nzone:\n  - domain: " + peersZone + "\n    file: DIR/zone\n    module: mod-geoip/w\n",
			"geo.conf": lines(names, func(n int) string {
				s := fmt.Sprintf("n%d.%s:\n", n, peersZone)
				for e, w := range peerWeights {
					s += fmt.Sprintf("  - weight: %d\n    A: %s\n", w, peerAddress(n, e))
				}
				return s
			}),
			"zone": static, "db/.keep": "",
		}},
		{name: "pdns geoip weighted", args: []string{"pdns_server", "--config-dir=DIR"}, files: map[string]string{
			"pdns.conf": peerPDNS("geoip", "geoip-zones-file=DIR/zone.yaml"),
			"zone.yaml": "domains:\n- domain: " + peersZone + "\n  ttl: 30\n  records:\n    " + peersZone + ":\n      - soa: ns1." + peersZone + " hostmaster." + peersZone + " 1 7200 1800 259200 60\n      - ns: ns1." + peersZone + "\n" +
				lines(names, func(n int) string {
					s := fmt.Sprintf("    n%d.%s:\n", n, peersZone)
					for e, w := range peerWeights {
						s += fmt.Sprintf("      - a: {content: %s, weight: %d}\n", peerAddress(n, e), w)
					}
					return s
				}),
		}},
		{name: "pdns Lua pickwrandom", args: []string{"pdns_server", "--config-dir=DIR"}, files: map[string]string{
			"pdns.conf": peerPDNS("bind", "bind-config=DIR/named.conf\nenable-lua-records=shared"), "named.conf": peerNamedZone,
			"zone": peerHead + lines(names, func(n int) string {
				var picks []string
				for e, w := range peerWeights {
					picks = append(picks, fmt.Sprintf("{%d, '%s'}", w, peerAddress(n, e)))
				}
				return fmt.Sprintf("n%d LUA A \"pickwrandom({%s})\"\n", n, strings.Join(picks, ", "))
			}),
		}},
		{name: "nsd static", args: []string{"nsd", "-d", "-c", "DIR/nsd.conf"}, files: map[string]string{
			"nsd.conf": "server:\n ip-address: 127.0.0.1@PORT\n server-count: 1\n username: \"\"\n chroot: \"\"\n zonesdir: \"DIR\"\n database: \"\"\n pidfile: \"DIR/nsd.pid\"\n xfrdfile: \"DIR/xfrd\"\n zonelistfile: \"DIR/list\"\nremote-control:\n control-enable: no\nzone:\n name: " + peersZone + "\n zonefile: zone\n",
			"zone":     static,
		}},
		{name: "bind9 static", args: []string{"named", "-g", "-n", "1", "-c", "DIR/named.conf"}, files: map[string]string{
			"named.conf": "options { directory \"DIR\"; listen-on port PORT { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; recursion no; dnssec-validation no; session-keyfile none; };\ncontrols {};\n" + peerNamedZone,
			"zone":       static,
		}},
		{name: "CoreDNS file", args: []string{binary, "serve", "-quiet", "-conf", "DIR/Corefile"}, files: map[string]string{
			"Corefile": fmt.Sprintf("%s:PORT {\n bind 127.0.0.1\n file DIR/zone\n prometheus 127.0.0.1:0\n errors\n}\n", peersZone), "zone": static,
		}},
	}
}

const peerNamedZone = "zone \"" + peersZone + "\" { type master; file \"DIR/zone\"; };\n"

func peerPDNS(backend, more string) string {
	return "launch=" + backend + "\n" + more + "\nlocal-address=127.0.0.1\nlocal-port=PORT\nsocket-dir=DIR\ndaemon=no\nguardian=no\nreceiver-threads=1\ndistributor-threads=1\n" +
		"cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nloglevel=0\n"
}

// peerYAML is the zone of Fairlead: health, weights and the ledger are on.
func peerYAML(names, checkPort int) string {
	return fmt.Sprintf("zone: %s\nnameservers: [{name: ns1.%s, addresses: [127.0.0.1]}]\nregions: {eu: {azs: [a, b]}}\nchecks: {up: {type: tcp, port: %d, interval: 30s, timeout: 1s}}\npools:\n", peersZone, peersZone, checkPort) +
		lines(names, func(n int) string {
			s := fmt.Sprintf("  p%d:\n    region: eu\n    check: up\n    az_weights: {a: 40, b: 60}\n    endpoints:\n", n)
			for e := range 4 {
				s += fmt.Sprintf("      - {name: e%d, addresses: [%s], az: %c}\n", e, peerAddress(n, e), "ab"[e%2])
			}
			return s
		}) + "services:\n" + lines(names, func(n int) string { return fmt.Sprintf("  n%d: {tiers: [{p%d: 1}]}\n", n, n) })
}

// start writes the files and starts the server on core 0, and waits until it answers.
func (p *peer) start(dir string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	p.server = address
	port := address[strings.LastIndexByte(address, ':')+1:]
	fill := strings.NewReplacer("DIR", dir, "PORT", port)
	for name, text := range p.files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(fill.Replace(text)), 0o644); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	args := []string{"-c", "0"}
	for _, a := range p.args {
		args = append(args, fill.Replace(a))
	}
	p.cmd = exec.Command("taskset", args...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = &p.log, &p.log, dir
	for _, e := range p.env {
		p.cmd.Env = append(p.cmd.Environ(), fill.Replace(e))
	}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	client := dns.Client{Timeout: 200 * time.Millisecond}
	for end := begin.Add(patience); time.Now().Before(end); {
		select {
		case err := <-ended:
			return fmt.Errorf("%s ended: %w: %.2000s", p.name, err, p.log.String())
		default:
		}
		m, _, err := client.Exchange(new(dns.Msg).SetQuestion("n0."+peersZone+".", dns.TypeA), address)
		if err == nil && (p.echo || len(m.Answer) > 0) {
			p.loaded = time.Since(begin)
			user, system, err := cpuOfTree(p.cmd.Process.Pid)
			p.loadCPU = user + system
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s does not answer: %.2000s", p.name, p.log.String())
}

// stop ends the server and what it started.
func (p *peer) stop() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	for _, pid := range tree(p.cmd.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// tree is a process and those that it started, and so on.
func tree(pid int) []int {
	out := []int{pid}
	for i := 0; i < len(out); i++ {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", out[i]))
		for _, t := range tasks {
			raw, err := os.ReadFile(t)
			if err != nil {
				continue
			}
			for _, f := range strings.Fields(string(raw)) {
				if child, err := strconv.Atoi(f); err == nil {
					out = append(out, child)
				}
			}
		}
	}
	return out
}

// cpuOfTree is the user and system time of a process and those that it started, in seconds.
func cpuOfTree(pid int) (user, system float64, err error) {
	for _, p := range tree(pid) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
		if err != nil {
			return 0, 0, err
		}
		f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+2:]))
		u, err1 := strconv.ParseFloat(f[11], 64)
		s, err2 := strconv.ParseFloat(f[12], 64)
		if err := errors.Join(err1, err2); err != nil {
			return 0, 0, err
		}
		const ticks = 100 // USER_HZ on Linux
		user, system = user+u/ticks, system+s/ticks
	}
	return user, system, nil
}

// residentMiB is the memory of a process and those that it started.
func residentMiB(pid int) (mib float64) {
	for _, p := range tree(pid) {
		raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p))
		if f := strings.Fields(string(raw)); len(f) > 1 {
			pages, _ := strconv.ParseFloat(f[1], 64)
			mib += pages * float64(os.Getpagesize()) / (1 << 20)
		}
	}
	return mib
}
