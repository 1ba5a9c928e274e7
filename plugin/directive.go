package fairlead

import (
	"net/netip"
	"path/filepath"
	"strconv"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/fall"
)

// pluginName is the directive.
const pluginName = "fairlead"

// A directive is what one `fairlead` block of the Corefile says.
type directive struct {
	// origins are the names of the server block, lower-case FQDNs.
	origins []string
	// zones is the directory of zone files, node the node file (empty for none), state the state directory.
	zones, node, state string
	// lane is how many sockets the fast lane has, or laneAuto or laneOff.
	lane int
	// explain are the clients that may ask for explanations by TXT.
	explain []netip.Prefix
	fall    fall.F
}

// parseDirective reads the block. It opens nothing.
func parseDirective(c *caddy.Controller) (*directive, error) {
	d := &directive{origins: plugin.OriginsFromArgsOrServerBlock(nil, c.ServerBlockKeys), explain: loopback()}
	blocks := 0
	for c.Next() {
		if blocks++; blocks > 1 {
			return nil, c.Errf("a second %s in one server block", pluginName)
		}
		if len(c.RemainingArgs()) > 0 {
			return nil, c.Errf("%s takes no arguments on its own line: options stand in braces", pluginName)
		}
		seen := make(map[string]bool)
		for c.NextBlock() {
			option := c.Val()
			if seen[option] {
				return nil, c.Errf("option %q given twice", option)
			}
			seen[option] = true
			if err := d.option(c, option); err != nil {
				return nil, err
			}
		}
	}
	for _, required := range []struct{ name, value string }{{"zones", d.zones}, {"state", d.state}} {
		if required.value == "" {
			return nil, c.Errf("option %q is missing: %s PATH", required.name, required.name)
		}
	}
	return d, nil
}

func (d *directive) option(c *caddy.Controller, option string) error {
	args := c.RemainingArgs()
	switch option {
	case "zones":
		return onePath(c, args, &d.zones)
	case "node":
		return onePath(c, args, &d.node)
	case "state":
		return onePath(c, args, &d.state)
	case "fastlane":
		return d.fastlane(c, args)
	case "explain":
		return d.explainers(c, args)
	case "fallthrough":
		d.fall.SetZonesFromArgs(args)
		return nil
	}
	return c.Errf("unknown option %q: want zones, node, state, fastlane, explain or fallthrough", option)
}

// below makes relative paths relative to root, if there is one.
func (d *directive) below(root string) {
	for _, path := range []*string{&d.zones, &d.node, &d.state} {
		if root != "" && *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(root, *path)
		}
	}
}

func onePath(c *caddy.Controller, args []string, to *string) error {
	if len(args) != 1 || args[0] == "" {
		return c.ArgErr()
	}
	*to = args[0]
	return nil
}

// explainers reads who may ask for explanations: prefixes, addresses, or off.
func (d *directive) explainers(c *caddy.Controller, args []string) error {
	if len(args) == 0 {
		return c.ArgErr()
	}
	d.explain = nil
	if len(args) == 1 && args[0] == "off" {
		return nil
	}
	for _, text := range args {
		p, err := netip.ParsePrefix(text)
		if addr, errAddr := netip.ParseAddr(text); err != nil && errAddr == nil {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return c.Errf("explain %q: want prefixes as in 192.0.2.0/24, addresses, or off", text)
		}
		d.explain = append(d.explain, p.Masked())
	}
	return nil
}

// maxLanes bounds the sockets of a fast lane.
const maxLanes = 1024

// fastlane reads how many sockets the fast lane has.
func (d *directive) fastlane(c *caddy.Controller, args []string) error {
	if len(args) != 1 {
		return c.ArgErr()
	}
	switch args[0] {
	case "auto":
		d.lane = laneAuto
		return nil
	case "off":
		d.lane = laneOff
		return nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return c.Errf("fastlane %q: want auto, off or a number of sockets", args[0])
	}
	if n < 1 || n > maxLanes {
		return c.Errf("fastlane %d: want 1 to %d sockets", n, maxLanes)
	}
	d.lane = n
	return nil
}
