package foreign

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A gdnsdReach says of a check how long a change takes at least while all is well, in seconds.
type gdnsdReach struct{ reach uint32 }

// checkOf is the check of the first pool of s; nil without one.
func (g *gdnsd) checkOf(z *zone, s *service) *gdnsdReach {
	if len(s.tiers) == 0 {
		return nil
	}
	for _, p := range z.pools {
		if p.name != s.tiers[0][0].pool || p.check == "" {
			continue
		}
		if t := g.types.get(p.check); t != nil {
			interval, fall := integer(t, "interval", 10), integer(t, "down_thresh", 10)
			return &gdnsdReach{uint32(interval * (fall - 1))}
		}
	}
	return nil
}

// check is the name of the check that is up while all of the service types are; empty where nothing is monitored.
func (g *gdnsd) check(z *zone, types []string, l line) string {
	var names []string
	for _, t := range types {
		if t == "up" || t == "default" && g.types.get(t) == nil {
			continue
		}
		if name := g.serviceType(z, t, l); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return z.allOf(names)
}

// serviceType is the check of one service type; empty if it cannot be.
func (g *gdnsd) serviceType(z *zone, name string, l line) string {
	if name == "down" {
		g.note(l.file, l.at, "%s: the service type down: give the endpoints weight 0", l.owner)
		return ""
	}
	t := g.types.get(name)
	if t == nil {
		g.note(l.file, l.at, "the service type %s is not in the configuration", name)
		return ""
	}
	interval := integer(t, "interval", 10)
	timeout := fmt.Sprintf("%ds", integer(t, "timeout", interval/2))
	if t.get("timeout") == nil {
		timeout = fmt.Sprintf("%dms", interval*500)
	}
	timing := fmt.Sprintf("interval: %ds, timeout: %s, fall: %d, rise: %d",
		interval, timeout, g.thresh(t, "down_thresh", 10), g.thresh(t, "up_thresh", 20))
	if t.get("ok_thresh") != nil {
		g.note(t.file, t.line, "%s: ok_thresh is not carried over: failures count here when they are in a row", name)
	}
	switch plugin := t.get("plugin").str(""); plugin {
	case "tcp_connect":
		return z.addCheck(name, fmt.Sprintf("type: tcp, port: %d, %s", integer(t, "port", 0), timing))
	case "http_status":
		var codes []string
		for _, c := range t.get("ok_codes").items() {
			codes = append(codes, c.text)
		}
		if codes == nil {
			codes = []string{"200"}
		}
		host := ""
		if vhost := t.get("vhost").str(""); vhost != "" {
			host = "host: " + word(vhost) + ", "
		}
		return z.addCheck(name, fmt.Sprintf("type: http, port: %d, path: %s, %sexpect: {status: [%s]}, %s",
			integer(t, "port", 80), word(t.get("url_path").str("/")), host, strings.Join(codes, ", "), timing))
	case "extmon":
		return g.extmon(z, t, name, timing)
	default:
		g.note(t.file, t.line, "%s: the monitor %s is not carried over: its endpoints are unmonitored", name, plugin)
	}
	return ""
}

// extmon is a program that exits with 0 for up.
func (g *gdnsd) extmon(z *zone, t *vscf, name, timing string) string {
	var command []string
	for _, c := range t.get("cmd").items() {
		text := strings.ReplaceAll(c.text, "%%ITEM%%", "{address}")
		command = append(command, strings.ReplaceAll(text, "%%IPADDR%%", "{address}"))
	}
	if len(command) == 0 || !strings.HasPrefix(command[0], "/") {
		g.note(t.file, t.line, "%s: extmon without the absolute path of a program", name)
		return ""
	}
	g.note(t.file, t.line, "%s: checks of type exec run only where the node file has probe: {exec: true}", name)
	return z.addCheck(name, fmt.Sprintf("type: exec, command: %s, %s", words(command), timing))
}

func integer(v *vscf, key string, otherwise int) int {
	if n, err := strconv.Atoi(v.get(key).str("")); err == nil {
		return n
	}
	return otherwise
}

// maxThresh is the greatest fall and rise.
const maxThresh = 100

func (g *gdnsd) thresh(v *vscf, key string, otherwise int) int {
	n := integer(v, key, otherwise)
	if n > maxThresh {
		g.note(v.file, v.line, "%s %d is cut to %d", key, n, maxThresh)
	}
	return min(max(n, 1), maxThresh)
}
