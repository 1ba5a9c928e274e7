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
	return object(
		optional("type", enum("http", "https", "tcp", "tls", "grpc", "dns", "icmp", "exec", "push")),
		optional("address", address()),
		optional("port", port()),
		optional("method", enum("GET", "HEAD", "POST", "PUT", "OPTIONS")),
		optional("path", text("a path", urlPath)),
		optional("host", text("a host name", checkHost)),
		optional("http2", boolean()),
		optional("headers", dict("header", text("a header value", lineText))),
		optional("expect", object(
			optional("status", either(rangeOf(100, 599), list(rangeOf(100, 599)))),
			optional("body", text("text", anyText)),
			optional("read", text("text", anyText)),
			optional("rcode", text("an RCODE", rcode)),
			optional("answer", text("record data", lineText)),
			optional("answered", boolean().describe("At least one record of qtype is in the answer. Default: false.")),
		)),
		optional("send", text("text", anyText)),
		optional("tls", object(
			optional("ca", text("a file name", lineText)),
			optional("client_cert", text("a file name", lineText)),
			optional("client_key", text("a file name", lineText)),
			optional("warn_before", duration(0, 3650*24*time.Hour)),
		)),
		optional("service", text("a gRPC service", lineText)),
		optional("name", text("a domain name", zoneName)),
		optional("qtype", text("a record type", recordType)),
		optional("tcp", boolean()),
		optional("command", list(text("a word of the command", anyText))),
		optional("lease", duration(time.Second, 24*time.Hour)),
		optional("on_expiry", enum("down", "keep").describe("What a target is that has reported and whose lease has run out. Default: down.")),
		optional("interval", duration(minInterval, maxInterval)),
		optional("timeout", duration(minTimeout, maxInterval)),
		optional("fall", integer(1, 100)),
		optional("rise", integer(1, 100)),
		optional("quorum", orWord(orPercent(integer(1, 1000), 1, 99), "majority")),
		optional("vantages", either(integer(1, 1000), object(
			optional("count", integer(1, 1000)),
			optional("az", list(text("an AZ name", parseIdentifier))),
			optional("region", list(text("a region name", parseIdentifier))),
			optional("nodes", list(text("a node name", nodeName))),
		).describe("Which nodes probe: those in one of the AZs or regions, or with one of the names; of these count. Default: all."))),
		optional("flap", object(
			required("transitions", integer(2, 1000)),
			required("window", duration(time.Second, 24*time.Hour)),
			required("hold", duration(time.Second, 24*time.Hour)),
		)),
		optional("all", list(reference("a check"))),
		optional("any", list(reference("a check"))),
		optional("not", reference("a check")),
		optional("at_least", object(
			required("n", integer(1, 1000)),
			required("of", list(reference("a check"))),
		)),
	)
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
	CheckComposite: {"all", "any", "not", "at_least"},
}

// takes tells whether checks of type t have the key.
func (t CheckType) takes(key string) bool {
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
