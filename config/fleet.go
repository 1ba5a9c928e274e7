package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"
)

const (
	// maxFleetURLs bounds the nodes of another fleet that are asked.
	maxFleetURLs = 16
	// maxFleetBound is the greatest bound that may be asked of another fleet.
	maxFleetBound = 24 * time.Hour
)

// A FleetCheck is set for checks of type fleet: what another cluster says of the service to which the endpoint's target leads.
type FleetCheck struct {
	// URLs are the admin APIs of nodes of the fleet, one of which has to answer. Keys are the public keys of those that may.
	URLs []string
	Keys []ed25519.PublicKey
	// Bound is the greatest bound that the fleet may have for the service: what it adds to the bound here.
	Bound time.Duration
	// Headers go with each request: a token of a viewer.
	Headers []Header
}

// fleetKeys are the keys of a check that are those of type fleet alone.
func fleetKeys() []key {
	return []key{
		optional("urls", &shape{list: text("an https URL", fleetURL), least: 1, most: maxFleetURLs}).fills("FleetCheck.URLs").
			says("Where fleet asks: the admin APIs of nodes of another Fairlead cluster, one of which has to answer; required there.").as("[https://b1.example.net:8443]"),
		optional("keys", list(text("a public key in base64, as `fairlead nodes identity show` prints it", publicKey))).fills("FleetCheck.Keys").
			says("The identities of those nodes: what none of them has signed is no answer; required there.").as("[\"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"]"),
		optional("bound", duration(time.Second, maxFleetBound)).fills("FleetCheck.Bound").
			says("The greatest bound that fleet accepts of the service there, and adds to the bound here; required there.").as("60s"),
	}
}

func fleetURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return fmt.Errorf("want a URL as in https://b1.example.net:8443, got %q", shorten(s))
	}
	return nil
}

func (b *builder) fleetCheck(c *Check, k, n *yamlNode, at *yamlPath) {
	c.Fleet = &FleetCheck{Bound: durationOf(field(n, "bound"), 0)}
	for _, needed := range []string{"urls", "keys", "bound"} {
		if field(n, needed) == nil {
			b.errorf(k, at, "", "a fleet check needs %s", needed)
		}
	}
	if v := field(n, "address"); v != nil {
		b.errorf(v, at.child("address"), "", "the key %q does not apply to a fleet check", "address")
	}
	for _, item := range items(field(n, "urls")) {
		c.Fleet.URLs = append(c.Fleet.URLs, stringOf(item))
	}
	for _, item := range items(field(n, "keys")) {
		if raw, err := base64.StdEncoding.DecodeString(stringOf(item)); err == nil && len(raw) == ed25519.PublicKeySize {
			c.Fleet.Keys = append(c.Fleet.Keys, raw)
		}
	}
	c.Fleet.Headers = b.headers(n, at)
}

// headers are those of a check's requests.
func (b *builder) headers(n *yamlNode, at *yamlPath) (list []Header) {
	for k, v := range entries(field(n, "headers")) {
		if err := headerName(k.Value); err != nil {
			b.errorf(k, at.at("headers", k.Value), "", "%s", err)
		}
		list = append(list, Header{Name: k.Value, Value: stringOf(v)})
	}
	return list
}

// poolFleet refuses a check of type fleet for endpoints that lead to no service of another fleet.
func (b *builder) poolFleet(p *Pool, n *yamlNode, at *yamlPath) {
	if len(p.Watched()) == 0 {
		return
	}
	for _, check := range p.Watched() {
		for _, leaf := range b.leavesOf(check) {
			if b.zone.Checks[leaf].Type != CheckFleet {
				continue
			}
			for i, e := range p.Endpoints {
				if e.Target == "" {
					b.errorf(n, at, "as in target: www.b.example.net", "the check %q is of type fleet, and endpoint %d has no target: it asks about the name that the target is",
						b.zone.Checks[leaf].Name, i+1)
				}
			}
		}
	}
}
