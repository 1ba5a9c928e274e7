package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// startRivals starts all servers and waits until each answers with the primary. Those that run are returned also with an error.
func startRivals(binary, dir string) (rivals []*rival, err error) {
	for i, r := range []struct {
		name  string
		files map[string]string
		args  []string
	}{
		{"Fairlead", map[string]string{"Corefile": fairleadCorefile, "zones/failover.test.yaml": fairleadZone}, []string{binary, "serve", "-conf", "DIR/Corefile"}},
		{"Fairlead, horizon", map[string]string{"Corefile": fairleadCorefile, "zones/failover.test.yaml": strings.ReplaceAll(fairleadZone, "ceiling", "horizon")}, []string{binary, "serve", "-conf", "DIR/Corefile"}},
		{"gdnsd 3.8.1 simplefo", map[string]string{"config": gdnsdConfig, "zones/failover.test": gdnsdZone, "run/.keep": "", "state/.keep": ""}, []string{"gdnsd", "-c", "DIR", "start"}},
		{"PowerDNS 4.7.3 ifurlup", map[string]string{"pdns.conf": pdnsConf, "named.conf": pdnsNamed, "failover.test": pdnsZone}, []string{"pdns_server", "--config-dir=DIR"}},
	} {
		at := filepath.Join(dir, fmt.Sprint(i))
		port := 5410 + i
		fill := strings.NewReplacer("DIR", at, "DNSPORT", fmt.Sprint(port), "PRIMARY", primaryIP, "BACKUP", backupIP, "HTTPPORT", fmt.Sprint(failoverPort),
			"INTERVAL", fmt.Sprint(int(failoverInterval.Seconds())), "TIMEOUT", fmt.Sprint(int(failoverTimeout.Seconds())), "FALL", fmt.Sprint(failoverFall),
			"TTLMAX", fmt.Sprint(failoverTTL), "TTLMIN", fmt.Sprint(failoverFloor))
		for name, text := range r.files {
			path := filepath.Join(at, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return rivals, err
			}
			if err := os.WriteFile(path, []byte(fill.Replace(text)), 0o644); err != nil {
				return rivals, err
			}
		}
		var args []string
		for _, a := range r.args {
			args = append(args, fill.Replace(a))
		}
		v, err := startRival(r.name, fmt.Sprintf("127.0.0.1:%d", port), at, args)
		if v != nil {
			rivals = append(rivals, v)
		}
		if err != nil {
			return rivals, fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return rivals, nil
}

func startRival(name, server, dir string, args []string) (*rival, error) {
	if abs, err := filepath.Abs(args[0]); err == nil && strings.Contains(args[0], "/") {
		args[0] = abs
	}
	var log bytes.Buffer
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr, cmd.Dir = &log, &log, dir
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &rival{name: name, server: server, stop: func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}}
	client := dns.Client{Timeout: time.Second}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		m, _, err := client.Exchange(new(dns.Msg).SetQuestion(failoverName, dns.TypeA), server)
		if err == nil && len(m.Answer) == 1 {
			return r, nil
		}
	}
	r.stop()
	return nil, fmt.Errorf("does not answer: %.1500s", log.String())
}

const fairleadCorefile = `failover.test:DNSPORT {
    bind 127.0.0.1
    fairlead {
        zones DIR/zones
        state DIR/state
    }
    errors
}
`

const fairleadZone = `zone: failover.test
nameservers: [{name: ns1.failover.test, addresses: [127.0.0.1]}]
regions: {eu: {azs: [a]}, us: {azs: [b]}}
checks: {ready: {type: http, port: HTTPPORT, path: /, interval: INTERVALs, timeout: TIMEOUTs, fall: FALL, rise: 1}}
pools:
  primary: {region: eu, check: ready, endpoints: [{name: p, addresses: [PRIMARY], az: a}]}
  backup: {region: us, check: ready, endpoints: [{name: b, addresses: [BACKUP], az: b}]}
services:
  www: {tiers: [{primary: 1}, {backup: 1}], failback: {hold: 0s}, ttl: {mode: ceiling, max: TTLMAXs, min: TTLMINs}}
`

const gdnsdConfig = `options => { listen => 127.0.0.1:DNSPORT, run_dir => DIR/run, state_dir => DIR/state }
service_types => { web => { plugin => http_status, port => HTTPPORT, interval => INTERVAL, timeout => TIMEOUT, up_thresh => 1, ok_thresh => 1, down_thresh => FALL } }
plugins => { simplefo => { www => { service_types => web, primary => PRIMARY, secondary => BACKUP } } }
`

const gdnsdZone = `@ SOA ns1 hostmaster 1 7200 1800 259200 60
@ NS ns1
ns1 A 127.0.0.1
www TTLMAX/TTLMIN DYNA simplefo!www
`

const pdnsConf = `launch=bind
bind-config=DIR/named.conf
local-address=127.0.0.1
local-port=DNSPORT
socket-dir=DIR
enable-lua-records=yes
lua-health-checks-interval=INTERVAL
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
daemon=no
guardian=no
`

const pdnsNamed = `zone "failover.test" { type native; file "DIR/failover.test"; };
`

const pdnsZone = `$ORIGIN failover.test.
@ 60 IN SOA ns1.failover.test. hostmaster.failover.test. 1 7200 1800 259200 60
@ 60 IN NS ns1.failover.test.
ns1 60 IN A 127.0.0.1
www TTLMAX IN LUA A "ifurlup('http://www.failover.test:HTTPPORT/', {{'PRIMARY'}, {'BACKUP'}}, {timeout=TIMEOUT})"
`
