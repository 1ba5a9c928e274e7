package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
	"gopkg.in/yaml.v3"
)

// compositeKeys are the keys of which a composite has one, in the order of their operations.
var compositeKeys = []string{OpAll: "all", OpAny: "any", OpNot: "not", OpAtLeast: "at_least"}

func (b *builder) buildChecks() {
	b.checks = make(map[string]int)
	root := (*yamlPath)(nil).child("checks")
	section := field(b.root, "checks")
	b.checkNames = sharedCheckNames()
	var keys []*yamlNode
	for k, v := range entries(section) {
		if err := parseIdentifier(k.Value); err != nil {
			b.errorf(k, root.child(k.Value), "", "%s", err)
		}
		if _, dup := b.checks[k.Value]; dup {
			continue
		}
		b.checks[k.Value] = len(b.checkNodes)
		b.checkNodes, keys = append(b.checkNodes, v), append(keys, k)
	}
	for i, n := range b.checkNodes {
		b.zone.Checks = append(b.zone.Checks, b.check(keys[i], n, root.child(keys[i].Value)))
	}
	b.checkCycles(keys, root)
	b.digestChecks()
}

func (b *builder) check(k, n *yamlNode, at *yamlPath) *Check {
	c := &Check{Name: k.Value, Type: b.checkType(k, n, at)}
	b.checkKeysOf(n, c.Type, at)
	if c.Type == CheckComposite {
		c.Composite = b.composite(n, at)
		return c
	}
	if a, err := parseAddress(stringOf(field(n, "address"))); err == nil {
		c.Address = a
	}
	if c.Type.Takes("port") {
		c.Port = uint16(intOf(field(n, "port"), int(defaultPorts[c.Type])))
	}
	if c.Type == CheckTCP && field(n, "port") == nil {
		b.errorf(k, at, "as in port: 5432", "a tcp check needs a port")
	}
	if c.Type.Takes("interval") {
		b.timing(c, k, n, at)
	}
	c.Quorum = b.quorum(field(n, "quorum"))
	c.Vantages = b.vantages(field(n, "vantages"))
	b.checkQuorum(c, field(n, "quorum"), at.child("quorum"))
	if f := field(n, "flap"); f != nil {
		c.Flap = &Flap{
			Transitions: intOf(field(f, "transitions"), 0),
			Window:      durationOf(field(f, "window"), 0),
			Hold:        durationOf(field(f, "hold"), 0),
		}
	}
	b.checkDetails(c, k, n, at)
	return c
}

// checkType is the type in the file, or composite. It is empty when the file has none or an unknown one.
func (b *builder) checkType(k, n *yamlNode, at *yamlPath) CheckType {
	var found []string
	for _, key := range append([]string{"type"}, compositeKeys...) {
		if kn, _ := fieldOf(n, key); kn != nil {
			found = append(found, key)
		}
	}
	switch {
	case len(found) == 0:
		if n.Kind == yaml.MappingNode {
			b.errorf(k, at, "", "a check needs one of type, all, any, not, at_least")
		}
		return ""
	case len(found) > 1:
		kn, _ := fieldOf(n, found[1])
		b.errorf(kn, at.child(found[1]), "", "a check has one of type, all, any, not, at_least, this one has %s", strings.Join(found, " and "))
		return ""
	case found[0] != "type":
		return CheckComposite
	}
	t := CheckType(stringOf(field(n, "type")))
	if _, known := checkKeys[t]; !known || t == CheckComposite {
		return ""
	}
	return t
}

// checkKeysOf reports keys that the type does not take.
func (b *builder) checkKeysOf(n *yamlNode, t CheckType, at *yamlPath) {
	if t == "" {
		return
	}
	report := func(k *yamlNode, key string, at *yamlPath) {
		if !t.Takes(key) {
			b.errorf(k, at, "", "the key %q does not apply to a %s check", k.Value, t)
		}
	}
	for k, v := range entries(n) {
		if !slices.Contains(b.checkNames, k.Value) {
			continue
		}
		report(k, k.Value, at.child(k.Value))
		if k.Value != "expect" || !t.Takes("expect") {
			continue
		}
		for sub := range entries(v) {
			switch sub.Value {
			case "status", "body", "read", "rcode", "answer", "answered":
				report(sub, "expect."+sub.Value, at.at("expect", sub.Value))
			}
		}
	}
}

func (b *builder) timing(c *Check, k, n *yamlNode, at *yamlPath) {
	c.Interval = durationOf(field(n, "interval"), defaultInterval)
	otherwise := defaultTimeout
	if c.Interval <= otherwise {
		otherwise = c.Interval / 2
	}
	c.Timeout = durationOf(field(n, "timeout"), otherwise)
	c.Fall = intOf(field(n, "fall"), defaultFall)
	c.Rise = intOf(field(n, "rise"), defaultRise)
	if c.Timeout >= c.Interval {
		where := field(n, "timeout")
		if where == nil {
			where = k
		}
		b.errorf(where, at.child("timeout"), "probes of one endpoint must not overlap",
			"the timeout %s is not less than the interval %s", DurationText(c.Timeout), DurationText(c.Interval))
	}
}

func (b *builder) quorum(n *yamlNode) Quorum {
	if n == nil || stringOf(n) == "majority" {
		return Quorum{}
	}
	return Quorum(amountOf(n, 0))
}

// vantages reads a count, or a mapping with a count and the places of those that probe.
func (b *builder) vantages(n *yamlNode) Vantages {
	if n == nil || n.Kind == yaml.ScalarNode {
		return Vantages{Count: intOf(n, 0)}
	}
	names := func(key string) []string {
		var out []string
		for _, item := range items(field(n, key)) {
			out = append(out, stringOf(item))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	return Vantages{Count: intOf(field(n, "count"), 0), AZs: names("az"), Regions: names("region"), Nodes: names("nodes")}
}

// checkQuorum judges a quorum of N by what the file alone says of the vantages: how many are to probe, or their names.
func (b *builder) checkQuorum(c *Check, n *yamlNode, at *yamlPath) {
	most := c.Vantages.Most()
	switch q := c.Quorum; {
	case q.Percent || q.N == 0 || most == 0:
	case q.N > most:
		b.errorf(n, at, "so many can never say down", "%d of %d vantages", q.N, most)
	case q.N == most && most > 1:
		b.node(n, Warning, at.String(), fmt.Sprintf("%d of %d vantages: one that sees it up keeps it in service", q.N, most), "majority is the default")
	}
}

// checkDetails reads what belongs to one type only.
func (b *builder) checkDetails(c *Check, k, n *yamlNode, at *yamlPath) {
	expect := field(n, "expect")
	host := strings.TrimSuffix(stringOf(field(n, "host")), ".")
	switch c.Type {
	case CheckHTTP, CheckHTTPS:
		c.HTTP = b.httpCheck(n, expect, host, at)
	case CheckTCP, CheckTLS:
		send, read := stringOf(field(n, "send")), stringOf(field(expect, "read"))
		if c.Type == CheckTCP || send != "" || read != "" {
			c.TCP = &TCPCheck{Send: send, Read: read}
		}
	case CheckGRPC:
		c.GRPC = &GRPCCheck{Service: stringOf(field(n, "service"))}
	case CheckDNS:
		c.DNS = b.dnsCheck(n, expect, k, at)
	case CheckExec:
		c.Exec = b.execCheck(n, at)
		if field(n, "command") == nil {
			b.errorf(k, at, "", "an exec check needs a command")
		}
	case CheckFleet:
		b.fleetCheck(c, k, n, at)
	case CheckLag:
		b.lagCheck(c, k, n, at)
	case CheckPush:
		c.Push = &PushCheck{Lease: durationOf(field(n, "lease"), defaultLease), OnExpiry: SilenceDown}
		if stringOf(field(n, "on_expiry")) == "keep" {
			c.Push.OnExpiry = SilenceKeep
		}
	}
	if tls := field(n, "tls"); c.Type == CheckHTTPS || c.Type == CheckTLS || c.Type == CheckFleet || c.Type == CheckGRPC && tls != nil {
		c.TLS = b.tlsCheck(tls, host, at.child("tls"))
	}
}

func (b *builder) execCheck(n *yamlNode, at *yamlPath) *ExecCheck {
	e := &ExecCheck{}
	for i, word := range items(field(n, "command")) {
		if s := stringOf(word); i == 0 && !strings.HasPrefix(s, "/") {
			b.errorf(word, at.at("command", 0), "", "the program %q is not an absolute path", shorten(s))
		}
		e.Command = append(e.Command, stringOf(word))
	}
	return e
}

func (b *builder) httpCheck(n, expect *yamlNode, host string, at *yamlPath) *HTTPCheck {
	h := &HTTPCheck{Method: defaultMethod, Path: defaultPath, Host: host, Body: stringOf(field(expect, "body")), HTTP2: boolOf(field(n, "http2"))}
	if s := stringOf(field(n, "method")); s != "" {
		h.Method = s
	}
	if s := stringOf(field(n, "path")); s != "" {
		h.Path = s
	}
	h.Headers = b.headers(n, at)
	for _, s := range items(field(expect, "status")) {
		if first, last, err := parseRange(stringOf(s), 100, 599); err == nil {
			h.Status = append(h.Status, StatusRange{First: first, Last: last})
		}
	}
	if h.Status == nil {
		h.Status = []StatusRange{{First: defaultStatusFirst, Last: defaultStatusLast}}
	}
	return h
}

func (b *builder) dnsCheck(n, expect, k *yamlNode, at *yamlPath) *DNSCheck {
	d := &DNSCheck{QType: dns.TypeA, Answer: stringOf(field(expect, "answer")), TCP: boolOf(field(n, "tcp"))}
	if t, ok := parseType(stringOf(field(n, "qtype"))); ok {
		d.QType = t
	}
	d.RCode, d.Answered = dns.StringToRcode[stringOf(field(expect, "rcode"))], boolOf(field(expect, "answered"))
	if d.Answered && d.RCode != dns.RcodeSuccess {
		b.errorf(field(expect, "answered"), at.at("expect", "answered"), "", "an answer of RCODE %s has no record", dns.RcodeToString[d.RCode])
	}
	if field(n, "name") == nil {
		b.errorf(k, at, "", "a dns check needs a name to ask for")
	}
	d.Name, _ = parseName(stringOf(field(n, "name")), ".")
	return d
}

func (b *builder) tlsCheck(n *yamlNode, host string, at *yamlPath) *TLSCheck {
	t := &TLSCheck{ServerName: host, WarnBefore: durationOf(field(n, "warn_before"), defaultWarnBefore)}
	for _, f := range []struct {
		key string
		to  *[]byte
	}{{"ca", &t.CA}, {"client_cert", &t.ClientCert}, {"client_key", &t.ClientKey}} {
		v := field(n, f.key)
		if stringOf(v) == "" {
			continue
		}
		content, err := b.files.get(stringOf(v))
		if err == nil {
			err = checkPEM(f.key, content)
		}
		if err != nil {
			b.errorf(v, at.child(f.key), "", "%s", err)
		}
		*f.to = content
	}
	b.keyPair(n, t, at)
	return t
}
