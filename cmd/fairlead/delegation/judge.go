package delegation

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
)

// Outside of these a TTL of the NS set is a warning, in seconds: less makes every resolver ask the parent again and again, more
// keeps a nameserver in use for days after it was replaced.
const minNSTTL, maxNSTTL = 300, 2 * 86400

// A judgement collects what is said of a delegation.
type judgement struct {
	*delegation
	checks []delegationCheck
}

func (j *judgement) ok(check, subject, format string, args ...any) {
	j.checks = append(j.checks, delegationCheck{Check: check, Subject: subject, Result: resultOK, Seen: fmt.Sprintf(format, args...)})
}

func (j *judgement) warn(check, subject, remedy, format string, args ...any) {
	j.checks = append(j.checks, delegationCheck{Check: check, Subject: subject, Result: resultWarning, Seen: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (j *judgement) fail(check, subject, remedy, format string, args ...any) {
	j.checks = append(j.checks, delegationCheck{Check: check, Subject: subject, Result: resultError, Seen: fmt.Sprintf(format, args...), Remedy: remedy})
}

// report judges what was found.
func (d *delegation) report() *delegationReport {
	j := &judgement{delegation: d}
	j.parents()
	if len(d.parentNames) > 0 {
		j.nsSets()
		for _, name := range d.names {
			j.addressesOfName(name)
		}
		for _, n := range d.servers {
			j.server(n)
		}
		j.serials()
		j.spare()
		j.ttls()
		j.secure()
	}
	r := &delegationReport{Zone: terminal.Display(d.zone), Parent: terminal.Display(d.parent), ParentServers: d.parentServers, Nameservers: []delegationServer{}, Result: resultOK, Checks: j.checks}
	for _, n := range d.servers {
		s := delegationServer{Name: terminal.Display(n.name), Address: n.addr.String()}
		if serial, ok := n.serial(d.zone); ok {
			s.Serial = &serial
		}
		r.Nameservers = append(r.Nameservers, s)
	}
	for _, c := range j.checks {
		r.Result = worst(r.Result, c.Result)
	}
	return r
}

// parentName is the parent for a sentence.
func (j *judgement) parentName() string {
	if j.parent == "" {
		return "the parent zone"
	}
	return j.parent
}

// parents judges the replies of the parent's servers.
func (j *judgement) parents() {
	delegating := 0
	for _, r := range j.referrals {
		if len(r.names) > 0 {
			delegating++
		}
	}
	for _, r := range j.referrals {
		j.parentServer(r, delegating > 0)
	}
}

// parentServer judges one of them; others tells whether any server delegates the zone.
func (j *judgement) parentServer(r *referral, others bool) {
	const check = "parent"
	complain := j.fail
	if others {
		complain = j.warn
	}
	remedy := "ask whoever runs the servers of " + j.parentName() + ", or name another one with --parent"
	switch {
	case r.ns.err != nil:
		complain(check, r.server, remedy, "%s", j.plain(r.ns.err))
	case len(r.names) == 0 && (r.ns.msg.Rcode == dns.RcodeNameError || r.ns.msg.Rcode == dns.RcodeSuccess && r.ns.msg.Authoritative):
		complain(check, r.server, fmt.Sprintf("publish NS records for %s in %s", terminal.Display(j.zone), j.parentName()), "does not delegate the zone")
	case len(r.names) == 0 && r.ns.msg.Rcode == dns.RcodeSuccess:
		complain(check, r.server, "name a server of the zone right above with --parent", "refers to the servers of another zone%s", referredTo(r.ns.msg))
	case len(r.names) == 0:
		complain(check, r.server, remedy, "answers %s", rcodeName(r.ns.msg.Rcode))
	case !slices.Equal(r.names, j.parentNames):
		j.warn(check, r.server, "wait until the parent's secondaries have transferred its zone; if that does not help, ask whoever runs them",
			"delegates to %s only, others to more", andList(displayAll(r.names)))
	case len(r.ns.msg.Answer) > 0:
		j.warn(check, r.server, "see that the parent zone itself has the NS records: a server that serves both zones does not show them",
			"serves %s itself", terminal.Display(j.zone))
	default:
		j.ok(check, r.server, "delegates to %s", andList(displayAll(r.names)))
	}
}

// referredTo is whose servers a referral names.
func referredTo(m *dns.Msg) string {
	for _, rr := range m.Ns {
		if rr.Header().Rrtype == dns.TypeNS {
			return ", " + rr.Header().Name
		}
	}
	return ""
}

func displayAll(names []string) []string { return terminal.Each(names, terminal.Display) }

// without are those of a that b has not.
func without[T comparable](a, b []T) []T {
	return slices.DeleteFunc(slices.Clone(a), func(x T) bool { return slices.Contains(b, x) })
}

// nsSets compares the NS set of the parent with that of each nameserver.
func (j *judgement) nsSets() {
	for _, n := range j.servers {
		names, subject := nsNames(n.ns, j.zone), j.subject(n)
		if len(names) == 0 {
			continue // not authoritative, which is said there
		}
		extra, missing := without(j.parentNames, names), without(names, j.parentNames)
		switch {
		case len(extra) > 0:
			j.fail("ns", subject, fmt.Sprintf("remove the NS record of %s from %s, or add it to `nameservers` in the zone file",
				andList(displayAll(extra)), j.parentName()), "the parent names %s too, the zone does not", andList(displayAll(extra)))
		case len(missing) > 0:
			j.warn("ns", subject, fmt.Sprintf("publish the NS record of %s in %s, or remove it from `nameservers` in the zone file",
				andList(displayAll(missing)), j.parentName()), "the zone names %s too, the parent does not", andList(displayAll(missing)))
		default:
			j.ok("ns", subject, "the same NS set as in the parent")
		}
	}
}

// subject is a nameserver and the address by which it was asked.
func (j *judgement) subject(n *nameserver) string {
	return terminal.Display(n.name) + " " + n.addr.String()
}

// addressesOfName judges where a nameserver's addresses come from.
func (j *judgement) addressesOfName(name string) {
	subject := terminal.Display(name)
	if !dns.IsSubDomain(j.zone, name) {
		switch err := j.addrErrs[name]; {
		case len(j.addrs[name]) > 0:
			j.ok("address", subject, "%s", addressList(j.addrs[name]))
		case err != nil:
			j.fail("address", subject, "see that the name resolves; --resolver asks another resolver", "%s", j.plain(err))
		default:
			j.fail("address", subject, fmt.Sprintf("publish an A or AAAA record for %s where its zone is served", subject), "the name has no address")
		}
		return
	}
	if slices.Contains(j.parentNames, name) {
		j.glueOf(name)
	}
}

// glueOf compares the glue of a name with what the zone answers, as each nameserver has it.
func (j *judgement) glueOf(name string) {
	subject, glue := terminal.Display(name), j.glue[name]
	var own []netip.Addr
	answered := false
	for _, n := range j.servers {
		if got, ok := n.own[name]; ok {
			own, answered = append(own, got...), true
		}
	}
	own = sortedSet(own)
	stale, lacking := without(glue, own), without(own, glue)
	switch {
	case len(glue) == 0 && len(own) > 0:
		j.fail("glue", subject, publishGlue(name, own, j.parentName()), "no address in the parent: nobody can find it")
	case len(glue) == 0:
		j.fail("glue", subject, fmt.Sprintf("publish an A or AAAA record for %s in %s, and give it `addresses` in the zone file", subject, j.parentName()),
			"no address in the parent: nobody can find it")
	case !answered:
		j.warn("glue", subject, "see the nameservers' errors", "%s in the parent; no nameserver says what the zone has", addressList(glue))
	case len(stale) > 0:
		j.fail("glue", subject, fmt.Sprintf("replace %s for %s in %s by what the zone has (%s), or add it to the nameserver's `addresses`",
			addressList(stale), subject, j.parentName(), addressList(own)), "the parent has %s, which the zone does not answer", addressList(stale))
	case len(lacking) > 0:
		j.warn("glue", subject, publishGlue(name, lacking, j.parentName()), "the zone answers %s too, the parent does not have it", addressList(lacking))
	default:
		j.ok("glue", subject, "%s, as in the zone", addressList(glue))
	}
}

// publishGlue tells which records to publish.
func publishGlue(name string, addrs []netip.Addr, parent string) string {
	var records []string
	for _, a := range addrs {
		kind := "AAAA"
		if a.Is4() {
			kind = "A"
		}
		records = append(records, fmt.Sprintf("%s %s", kind, a))
	}
	return fmt.Sprintf("publish for %s in %s: %s", terminal.Display(name), parent, strings.Join(records, ", "))
}

func addressList(addrs []netip.Addr) string { return andList(terminal.Each(addrs, netip.Addr.String)) }
