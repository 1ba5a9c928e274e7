package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// checkShape has the keys of all types; checkKeys says which type takes which.
func checkShape() *shape {
	return object(slices.Concat(dialKeys(), fleetKeys(), judgeKeys())...)
}

// dialKeys are the keys of a check that say what is sent, and what must come back.
func dialKeys() []key {
	return []key{
		optional("type", enum("http", "https", "tcp", "tls", "grpc", "dns", "icmp", "exec", "push", "lag", "fleet")).fills("Check.Type").says("How it probes. Either this, or one of all, any, not, at_least."),
		optional("address", address()).fills("Check.Address").or("each address of the endpoint").says("What is dialled instead of the endpoint: of what many endpoints depend on."),
		optional("port", port()).fills("Check.Port").or("80 for http, 443 for https, tls and grpc, 53 for dns; required for tcp").says("The port that is dialled; `probe.port` of an endpoint goes before it."),
		optional("method", enum("GET", "HEAD", "POST", "PUT", "OPTIONS")).fills("HTTPCheck.Method").value(defaultMethod).says("The method of http and https."),
		optional("path", text("a path", urlPath)).fills("HTTPCheck.Path").value(defaultPath).says("The path of http and https."),
		optional("host", text("a host name", checkHost)).fills("HTTPCheck.Host").or("the endpoint's address").says("The Host header, and the server name (SNI) of TLS."),
		optional("http2", boolean()).fills("HTTPCheck.HTTP2").or(false).says("Asks by HTTP/2."),
		optional("headers", dict("header", text("a header value", lineText))).fills("HTTPCheck.Headers").says("Headers of the request, so that an endpoint can tell probes from traffic."),
		optional("expect", expectShape()).says("What counts as a success."),
		optional("send", text("text", anyText)).fills("TCPCheck.Send").or("nothing").says("What tcp and tls write first.").as(`"PING\r\n"`),
		optional("tls", object(
			optional("ca", text("a file name", lineText)).fills("TLSCheck.CA").or("those of the system").says("The CAs in PEM, below the zone file's directory."),
			optional("client_cert", text("a file name", lineText)).fills("TLSCheck.ClientCert").or("none").says("The certificate to show."),
			optional("client_key", text("a file name", lineText)).fills("TLSCheck.ClientKey").or("none").says("Its key."),
			optional("warn_before", duration(0, 3650*24*time.Hour)).fills("TLSCheck.WarnBefore").or(defaultWarnBefore).says("How long before a certificate expires there is a warning; expired is a failure."),
		)).says("The certificates of https, tls and grpc; with it, grpc is spoken over TLS."),
		optional("service", text("a gRPC service", lineText)).fills("GRPCCheck.Service").or("the whole server").says("Whose health grpc asks for (grpc.health.v1)."),
		optional("name", text("a domain name", zoneName)).fills("DNSCheck.Name").says("The name that dns asks for; required there."),
		optional("qtype", text("a record type", recordType)).fills("DNSCheck.QType").value("A").says("The type that dns asks for."),
		optional("tcp", boolean()).fills("DNSCheck.TCP").or(false).says("dns asks by TCP."),
		optional("command", list(text("a word of the command", anyText))).fills("ExecCheck.Command").
			says("The program of exec, by its absolute path, and its arguments; {address} and the like stand for the endpoint's. The node file has to allow it."),
		optional("source", hitCounterShape()).says("Where lag finds its number: in what a Prometheus server or a JSON document says. Either this, or `command`, or `lease` for reports. Of the words in braces {address} alone stands for something.").as("{json: \"http://{address}:8008/lag\", path: $.seconds}"),
		optional("unit", enum("seconds", "bytes")).fills("LagCheck.Unit").or("it is in seconds").says("What the number of lag counts.").as("bytes"),
		optional("age", duration(0, time.Hour)).fills("LagCheck.Age").or("1m for Prometheus, 0s for the others").says("How old what lag reads may be by itself: the scrape interval of Prometheus.").as("15s"),
		optional("lease", duration(time.Second, 24*time.Hour)).fills("PushCheck.Lease").or(defaultLease).says("How long a report is good that push, or lag, was told."),
		optional("on_expiry", enum("down", "keep")).fills("PushCheck.OnExpiry").or("down").says("What a target is that has reported and whose lease has run out."),
	}
}

func expectShape() *shape {
	return object(
		optional("status", either(rangeOf(100, 599), list(rangeOf(100, 599)))).fills("HTTPCheck.Status").value(fmt.Sprintf("%d-%d", defaultStatusFirst, defaultStatusLast)).says("Status codes of http and https; redirects are not followed."),
		optional("body", text("text", anyText)).fills("HTTPCheck.Body").or("anything").says("Text that stands in the body."),
		optional("read", text("text", anyText)).fills("TCPCheck.Read").or("anything").says("Text that stands in what tcp and tls read."),
		optional("rcode", text("an RCODE", rcode)).fills("DNSCheck.RCode").value("NOERROR").says("The RCODE of the answer."),
		optional("answer", text("record data", lineText)).fills("DNSCheck.Answer").or("anything").says("One record of the answer has this data.").as("192.0.2.1"),
		optional("answered", boolean()).fills("DNSCheck.Answered").or(false).says("At least one record of qtype is in the answer."),
	)
}

// judgeKeys are the keys of a check that say what probes mean, and checks that are made of others.
func judgeKeys() []key {
	return []key{
		optional("interval", duration(minInterval, maxInterval)).fills("Check.Interval").or(defaultInterval).says("From start to start of two probes of one node, with 10 % jitter."),
		optional("timeout", duration(minTimeout, maxInterval)).fills("Check.Timeout").or(defaultTimeout).says("How long one probe may take; less than the interval. Where that is 1s or less, half of it."),
		optional("fall", integer(1, 100)).fills("Check.Fall").or(defaultFall).says("Failures in a row until a node takes what was up for down."),
		optional("rise", integer(1, 100)).fills("Check.Rise").or(defaultRise).says("Successes in a row until a node takes what was down for up."),
		optional("quorum", orWord(orPercent(integer(1, 1000), 1, 99), "majority")).fills("Check.Quorum").or("majority").says("How many of the nodes that are heard and probe it have to say down."),
		optional("vantages", either(integer(1, 1000), object(
			optional("count", integer(1, 1000)).fills("Vantages.Count").or("all of them").says("How many of these nodes probe each target."),
			optional("az", list(text("an AZ name", parseIdentifier))).fills("Vantages.AZs").says("Nodes in one of these AZs."),
			optional("region", list(text("a region name", parseIdentifier))).fills("Vantages.Regions").says("Nodes in one of these regions."),
			optional("nodes", list(text("a node name", nodeName))).fills("Vantages.Nodes").says("Nodes of these names."),
		))).or("all nodes").says("Which nodes probe: a number, or those in one of the AZs or regions, or with one of the names; of these `count`."),
		optional("flap", object(
			required("transitions", integer(2, 1000)).fills("Flap.Transitions").says("More changes of state than this ..."),
			required("window", duration(time.Second, 24*time.Hour)).fills("Flap.Window").says("... within this time ..."),
			required("hold", duration(time.Second, 24*time.Hour)).fills("Flap.Hold").says("... keep the target down for this long."),
		)).or("no damping").says("Keeps out what changes its state too often."),
		optional("all", list(reference("a check"))).says("Up while all of these checks are; at least one.").as("[ready, ping]"),
		optional("any", list(reference("a check"))).says("Up while one of these checks is."),
		optional("not", reference("a check")).says("Up while this check is down.").as("maintenance"),
		optional("at_least", object(
			required("n", integer(1, 1000)).says("How many.").as("2"),
			required("of", list(reference("a check"))).says("Of which.").as("[a, b, c]"),
		)).says("Up while at least `n` of the checks `of` are."),
	}
}

// countingKeys are of all checks that are probed; vantageKeys of all that have verdicts of their own.
var (
	countingKeys = []string{"address", "interval", "timeout", "fall", "rise"}
	vantageKeys  = []string{"type", "quorum", "vantages", "flap"}
)

// checkKeys are the keys that each type takes besides countingKeys and vantageKeys; expect.X stands for a key of expect.
var checkKeys = map[CheckType][]string{
	CheckHTTP:      {"port", "method", "path", "host", "headers", "expect", "expect.status", "expect.body"},
	CheckHTTPS:     {"port", "method", "path", "host", "http2", "headers", "expect", "expect.status", "expect.body", "tls"},
	CheckTCP:       {"port", "send", "expect", "expect.read"},
	CheckTLS:       {"port", "host", "send", "expect", "expect.read", "tls"},
	CheckGRPC:      {"port", "host", "service", "tls"},
	CheckDNS:       {"port", "name", "qtype", "tcp", "expect", "expect.rcode", "expect.answer", "expect.answered"},
	CheckICMP:      {},
	CheckExec:      {"port", "command"},
	CheckPush:      {"lease", "on_expiry"},
	CheckLag:       {"port", "source", "command", "lease", "unit", "age"},
	CheckFleet:     {"urls", "keys", "bound", "headers", "tls"},
	CheckComposite: {"all", "any", "not", "at_least"},
}

// Takes tells whether checks of type t have the key.
func (t CheckType) Takes(key string) bool {
	if slices.Contains(checkKeys[t], key) {
		return true
	}
	switch t {
	case CheckComposite:
		return false
	case CheckPush:
		return slices.Contains(vantageKeys, key)
	default:
		return slices.Contains(vantageKeys, key) || slices.Contains(countingKeys, key)
	}
}

func checkHost(s string) error {
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	_, err := parseName(s, ".")
	return err
}

func rcode(s string) error {
	if _, ok := dns.StringToRcode[s]; !ok {
		return fmt.Errorf("unknown RCODE %q, want a name as in NOERROR", shorten(s))
	}
	return nil
}

func recordType(s string) error {
	if _, ok := parseType(s); !ok {
		return fmt.Errorf("unknown record type %q", shorten(s))
	}
	return nil
}

// parseType reads a type's mnemonic, in any case, or TYPE12345 (RFC 3597 section 5).
func parseType(s string) (uint16, bool) {
	s = strings.ToUpper(s)
	if t, ok := dns.StringToType[s]; ok {
		return t, true
	}
	digits, ok := strings.CutPrefix(s, "TYPE")
	if !ok || !integerText.MatchString(digits) {
		return 0, false
	}
	var t uint16
	_, err := fmt.Sscanf(digits, "%d", &t)
	return t, err == nil
}

// headerName is an HTTP token (RFC 9110 section 5.1).
func headerName(s string) error {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) {
			return fmt.Errorf("the character %q in the header name %q", r, shorten(s))
		}
	}
	if strings.EqualFold(s, "host") {
		return fmt.Errorf("the Host header is set by the key host")
	}
	return nil
}
