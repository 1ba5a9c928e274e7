package delegation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
)

// server judges one address of a nameserver.
func (j *judgement) server(n *nameserver) {
	subject := j.subject(n)
	if noRoute(n.soa.err) && noRoute(n.soaTCP.err) {
		j.warn("udp", subject, "run the check from a machine that has the address family", "not asked: %s", j.plain(n.soa.err))
		return
	}
	for _, transport := range []struct {
		name string
		r    reply
	}{{"udp", n.soa}, {"tcp", n.soaTCP}} {
		if transport.r.err == nil {
			j.ok(transport.name, subject, "answers")
			continue
		}
		j.fail(transport.name, subject, fmt.Sprintf("see that the node runs, and that firewalls let port %d over %s through to %s",
			j.port, strings.ToUpper(transport.name), n.addr), "%s", j.plain(transport.r.err))
	}
	if n.reached() && j.authoritative(n) {
		j.edns(n)
		j.foreign(n)
	}
}

// authoritative judges the SOA reply, and tells whether it is good.
func (j *judgement) authoritative(n *nameserver) bool {
	const check = "authoritative"
	subject, m := j.subject(n), n.first().msg
	serve := fmt.Sprintf("serve %s there: its file in the directory `zones` of the Corefile, in a block for the zone or one above", terminal.Display(j.zone))
	serial, ok := n.serial(j.zone)
	switch {
	case ok:
		j.ok(check, subject, "AA, serial %d", serial)
	case m.Rcode != dns.RcodeSuccess:
		j.fail(check, subject, serve, "lame: answers %s", rcodeName(m.Rcode))
	case !m.Authoritative:
		j.fail(check, subject, serve, "lame: the reply has no AA")
	default:
		j.fail(check, subject, serve, "no SOA in the reply")
	}
	return ok
}

// edns judges what came of EDNS.
func (j *judgement) edns(n *nameserver) {
	if n.soa.err != nil {
		return // said already
	}
	const check = "edns"
	const remedy = "look for a firewall or proxy before the node that drops or changes EDNS"
	subject := j.subject(n)
	switch {
	case n.small.err != nil:
		j.fail(check, subject, remedy, "a query with EDNS: %s", j.plain(n.small.err))
	case n.small.msg.Rcode != dns.RcodeSuccess:
		j.fail(check, subject, remedy, "a query with EDNS is answered with %s", rcodeName(n.small.msg.Rcode))
	case n.small.msg.IsEdns0() == nil:
		j.fail(check, subject, remedy, "the reply to a query with EDNS has no OPT record")
	case n.small.size > smallSize:
		j.fail(check, subject, remedy, "%d octets where %d were asked for", n.small.size, smallSize)
	case n.badvers.err != nil:
		j.warn(check, subject, remedy, "EDNS version 1: %s", j.plain(n.badvers.err))
	case n.badvers.msg.Rcode != dns.RcodeBadVers:
		j.warn(check, subject, remedy, "EDNS version 1 is answered with %s, not with BADVERS", rcodeName(n.badvers.msg.Rcode))
	default:
		j.ok(check, subject, "version 0, at most %d octets as asked; BADVERS for version 1", smallSize)
	}
}

// foreign judges the reply for a name of nobody.
func (j *judgement) foreign(n *nameserver) {
	const check = "refused"
	subject, remedy := j.subject(n), "let the server answer for its own zones only: no `fallthrough`, and no block for \".\" that forwards"
	switch {
	case n.foreign.err != nil:
		j.warn(check, subject, remedy, "a name outside its zones: %s", j.plain(n.foreign.err))
	case n.foreign.msg.Rcode == dns.RcodeRefused:
		j.ok(check, subject, "REFUSED outside its zones")
	case n.foreign.msg.RecursionAvailable:
		j.warn(check, subject, remedy, "it resolves names of others: an open resolver")
	default:
		j.warn(check, subject, remedy, "answers %s outside its zones, not REFUSED", rcodeName(n.foreign.msg.Rcode))
	}
}

// serials compares the SOA serials.
func (j *judgement) serials() {
	const check = "serial"
	by := map[uint32][]string{}
	var order []uint32
	for _, n := range j.servers {
		if serial, ok := n.serial(j.zone); ok {
			if by[serial] = append(by[serial], j.subject(n)); len(by[serial]) == 1 {
				order = append(order, serial)
			}
		}
	}
	switch len(order) {
	case 0:
	case 1:
		j.ok(check, terminal.Display(j.zone), "%d on each nameserver", order[0])
	default:
		slices.Sort(order)
		parts := terminal.Each(order, func(serial uint32) string { return fmt.Sprintf("%d on %s", serial, andList(by[serial])) })
		j.fail(check, terminal.Display(j.zone), "give every node the same zone files; `fairlead nodes` shows whose differ", "%s", strings.Join(parts, "; "))
	}
}

// spare warns of a zone that hangs on one nameserver (RFC 2182 section 5).
func (j *judgement) spare() {
	addrs := map[string]bool{}
	for _, n := range j.servers {
		addrs[n.addr.String()] = true
	}
	if len(j.parentNames) < 2 || len(addrs) < 2 {
		j.warn("servers", terminal.Display(j.zone), "delegate the zone to two nodes at least, in networks that do not fail together",
			"nameservers in the parent: %d, addresses in all: %d", len(j.parentNames), len(addrs))
		return
	}
	j.ok("servers", terminal.Display(j.zone), "%d nameservers", len(j.parentNames))
}

// ttls judges the TTL of the NS set in the zone; that of the parent is shown, and is the parent's business.
func (j *judgement) ttls() {
	const check = "ns-ttl"
	var parent uint32
	for _, r := range j.referrals {
		parent = max(parent, r.ttl)
	}
	var ttls []uint32
	for _, n := range j.servers {
		if n.ns.ok() {
			for _, rr := range n.ns.msg.Answer {
				ttls = append(ttls, rr.Header().Ttl)
			}
		}
	}
	if len(ttls) == 0 {
		return
	}
	slices.Sort(ttls)
	least, most := ttls[0], ttls[len(ttls)-1]
	switch {
	case least != most:
		j.warn(check, terminal.Display(j.zone), "set the same `ns_ttl` on every node", "between %s and %s", terminal.Seconds(float64(least)), terminal.Seconds(float64(most)))
	case least < minNSTTL:
		j.warn(check, terminal.Display(j.zone), "set `ns_ttl` to an hour or more", "%s: resolvers ask for the nameservers again and again", terminal.Seconds(float64(least)))
	case most > maxNSTTL:
		j.warn(check, terminal.Display(j.zone), "set `ns_ttl` to a day or less", "%s: a nameserver that is replaced is asked for so long", terminal.Seconds(float64(most)))
	default:
		j.ok(check, terminal.Display(j.zone), "%s in the zone, %s in the parent", terminal.Seconds(float64(least)), terminal.Seconds(float64(parent)))
	}
}

// secure judges the DS records of the parent against the DNSKEYs of each nameserver.
func (j *judgement) secure() {
	const check = "ds"
	var ds []*dns.DS
	asked := false
	for _, r := range j.referrals {
		if r.ds.err != nil || r.ds.msg == nil || r.ds.msg.Rcode != dns.RcodeSuccess {
			continue
		}
		asked = true
		for _, rr := range r.ds.msg.Answer {
			if d, ok := rr.(*dns.DS); ok && dns.CanonicalName(d.Hdr.Name) == j.zone {
				ds = append(ds, d)
			}
		}
	}
	if !asked {
		j.warn(check, terminal.Display(j.zone), "ask another server of the parent with --parent", "no server of the parent says whether it has DS records")
		return
	}
	for _, n := range j.servers {
		if _, ok := n.serial(j.zone); ok {
			j.secureServer(n, ds)
		}
	}
}

// secureServer judges the DNSKEYs of one nameserver.
func (j *judgement) secureServer(n *nameserver, ds []*dns.DS) {
	const check = "ds"
	subject := j.subject(n)
	if !n.key.ok() {
		if len(ds) > 0 {
			j.fail(check, subject, "see why the nameserver does not answer for DNSKEY", "the parent has DS records; no answer for DNSKEY")
		}
		return
	}
	var keys []dns.RR
	trusted := map[uint16]*dns.DNSKEY{}
	for _, rr := range n.key.msg.Answer {
		key, ok := rr.(*dns.DNSKEY)
		if !ok {
			continue
		}
		keys = append(keys, key)
		for _, d := range ds {
			if made := key.ToDS(d.DigestType); made != nil && made.KeyTag == d.KeyTag && made.Algorithm == d.Algorithm && strings.EqualFold(made.Digest, d.Digest) {
				trusted[key.KeyTag()] = key
			}
		}
	}
	switch {
	case len(ds) == 0 && len(keys) == 0:
		j.ok(check, subject, "unsigned, and no DS record in the parent")
	case len(ds) == 0:
		j.warn(check, subject, "publish a DS record of the key-signing key in "+j.parentName(), "signed, but no DS record in the parent: nobody validates it")
	case len(keys) == 0:
		j.fail(check, subject, fmt.Sprintf("remove the DS record of %s from %s", terminal.Display(j.zone), j.parentName()),
			"the parent has a DS record, the zone no DNSKEY: resolvers that validate answer SERVFAIL")
	case len(trusted) == 0:
		j.fail(check, subject, fmt.Sprintf("replace the DS record of %s in %s by one of its key-signing key", terminal.Display(j.zone), j.parentName()),
			"no DS record of the parent fits a DNSKEY of the zone: resolvers that validate answer SERVFAIL")
	case !signed(n.key.msg.Answer, keys, trusted, time.Now()):
		j.fail(check, subject, "sign the zone again with the key that the DS record names", "no valid signature over the DNSKEYs by a key that the parent's DS names")
	default:
		j.ok(check, subject, "a DS record of the parent fits a DNSKEY, which signs the zone's keys")
	}
}

// signed tells whether one of the trusted keys signs the keys, and is valid now.
func signed(answer, keys []dns.RR, trusted map[uint16]*dns.DNSKEY, now time.Time) bool {
	for _, rr := range answer {
		sig, ok := rr.(*dns.RRSIG)
		if !ok || sig.TypeCovered != dns.TypeDNSKEY || trusted[sig.KeyTag] == nil {
			continue
		}
		if sig.ValidityPeriod(now) && sig.Verify(trusted[sig.KeyTag], keys) == nil {
			return true
		}
	}
	return false
}
