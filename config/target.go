package config

import (
	"fmt"

	"github.com/miekg/dns"
)

// A targetNode is where the target of an endpoint stands that lies in the zone.
type targetNode struct {
	node *yamlNode
	at   *yamlPath
	name string
}

// checkTargets warns of endpoints that send clients to a name of the zone under which no addresses are: whoever follows gets nothing.
func (b *builder) checkTargets() {
	if len(b.targetNodes) == 0 {
		return
	}
	exists := b.existing()
	for _, t := range b.targetNodes {
		if !b.answersAddresses(t.name, exists) {
			b.node(t.node, Warning, t.at.String(), fmt.Sprintf("nothing in this zone has addresses under the target %s: clients get none", t.name), "")
		}
	}
}

// existing are all owner names, and those above them (empty non-terminals, RFC 4592 section 2.2.2).
func (b *builder) existing() map[string]bool {
	names := map[string]bool{b.zone.Name: true}
	for name := range b.owners {
		for ; !names[name]; name = parentOf(name) {
			names[name] = true
		}
	}
	return names
}

// answersAddresses tells whether somebody who asks for addresses of name, which lies in the zone, may get any, by another name or from
// another server too.
func (b *builder) answersAddresses(name string, exists map[string]bool) bool {
	for up := name; up != b.zone.Name; up = parentOf(up) {
		if own := b.owners[up]; own != nil && (own.records[dns.TypeNS] != nil || up != name && own.records[dns.TypeDNAME] != nil) {
			return true
		}
	}
	if b.zone.Name != name && b.owners[b.zone.Name] != nil && b.owners[b.zone.Name].records[dns.TypeDNAME] != nil {
		return true
	}
	if !exists[name] {
		encloser := name
		for !exists[encloser] {
			encloser = parentOf(encloser)
		}
		name = "*." + encloser
	}
	own := b.owners[name]
	return own != nil && (own.main != nil || own.records[dns.TypeA] != nil || own.records[dns.TypeAAAA] != nil || own.records[dns.TypeCNAME] != nil)
}
