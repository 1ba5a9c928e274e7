package config

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"
)

// notSupported is said of keys that the design names and that this version refuses, rather than "unknown key".
const notSupported = "not supported by this version"

// The ranges of durations. The low end keeps probes from becoming an attack, the high end catches slips of the unit.
const (
	minInterval = 100 * time.Millisecond
	maxInterval = 24 * time.Hour
	maxTTL      = uint32(MaxTTL / time.Second)
	minTimeout  = 10 * time.Millisecond
	maxHold     = 30 * 24 * time.Hour
)

func required(name string, sh *shape) key { return key{name: name, shape: sh, required: true} }
func optional(name string, sh *shape) key { return key{name: name, shape: sh} }
func object(keys ...key) *shape           { return &shape{object: keys} }
func list(of *shape) *shape               { return &shape{list: of, least: 1} }
func dict(noun string, of *shape) *shape  { return &shape{dict: of, noun: noun, least: 1} }
func either(of ...*shape) *shape          { return &shape{either: of} }

func (sh *shape) describe(doc string) *shape {
	sh.doc = doc
	return sh
}

// zoneShape is the whole zone file. It is made for each caller, so that nobody can change it for another.
func zoneShape() *shape {
	ttlAny := func() *shape { return ttl(0, math.MaxInt32, false) }
	serial := func() *shape { return integer(0, math.MaxUint32) }
	return object(
		required("zone", text("a domain name", zoneName)),
		optional("serial", serial().describe("The SOA serial; default: from the content. Also soa.serial, but not both.")),
		optional("soa", object(
			optional("mname", text("a host name", hostName)),
			optional("rname", text("a mailbox as a domain name", mailbox)),
			optional("negative_ttl", ttl(1, 86400, false)),
			optional("refresh", ttlAny()),
			optional("retry", ttlAny()),
			optional("expire", ttlAny()),
			optional("ttl", ttlAny()),
			optional("serial", serial()),
		)),
		optional("nameservers", nameServersShape().describe("Of the apex; needed, unless the zonefile has its NS records.")),
		optional("ns_ttl", ttl(1, math.MaxInt32, false)),
		optional("dnssec", object(
			required("keys", text("a directory", lineText).describe("Of BIND key files, below the zone file's directory.")),
			optional("validity", duration(24*time.Hour, 90*24*time.Hour)),
			optional("ttl", ttl(1, 7*86400, false)),
		)),
		key{name: "rrl", refused: notSupported},
		key{name: "cookies", refused: notSupported},
		optional("records", list(object(
			required("name", text("an owner name", lineText)),
			required("type", text("a record type", lineText)),
			required("data", either(text("record data", lineText), list(text("record data", lineText)))),
			optional("ttl", ttlAny()),
		))),
		optional("delegations", dict("delegation", object(
			required("nameservers", nameServersShape()),
			optional("ds", list(text("DS data", lineText))),
			optional("ttl", ttlAny()),
		))),
		optional("zonefile", text("a file name", lineText).describe("A zone file in the format of RFC 1035 to import.")),
		optional("allow_shrink", boolean()),
		optional("regions", dict("region", object(
			optional("location", &shape{list: coordinate("a latitude or longitude", 180), least: 2, most: 2}),
			required("azs", list(text("an AZ name", parseIdentifier))),
		))),
		optional("checks", dict("check", checkShape())),
		optional("pools", dict("pool", poolShape())),
		optional("services", dict("service", serviceShape())),
	)
}

// nameServersShape is a list of names, each alone or with its addresses.
func nameServersShape() *shape {
	return list(either(text("a host name", hostName), object(
		required("name", text("a host name", hostName)),
		optional("addresses", list(address())),
	)))
}

func poolShape() *shape {
	return object(
		required("region", reference("a region")),
		optional("check", reference("a check")),
		optional("needs", list(reference("a check"))),
		optional("az_weights", dict("AZ", weight())),
		optional("min_healthy", orPercent(integer(1, 1_000_000), 1, 100)),
		optional("max_share", percent(1, 100)),
		optional("stateful", boolean()),
		optional("fence", boolean()),
		optional("gate", text(`"manual" or a check`, lineText)),
		optional("on_vantages_lost", enum("keep", "down").describe("What the pool is once none of the nodes that probe it is heard. Default: keep.")),
		optional("late_hits", hitCounterShape()),
		optional("from", list(fromShape()).describe("Endpoints that clusters give, beside or instead of `endpoints`.")),
		optional("min_endpoints", integer(0, 1000).describe("What clusters say never takes the pool below it. Default: 1.")),
		optional("settle", duration(0, 24*time.Hour).describe("How long a replaced address stays while no new one is up. Default: 5m.")),
		optional("endpoints", list(object(
			required("name", text("an endpoint name", parseIdentifier)),
			optional("addresses", list(address())),
			optional("target", text("a host name", hostName)),
			required("az", reference("an AZ")),
			optional("weight", weight()),
			optional("probe", object(
				optional("address", address()),
				optional("port", port()),
			)),
			optional("late_hits", hitCounterShape()),
		))),
	)
}

func serviceShape() *shape {
	return object(
		optional("also", list(enum("region", "az"))),
		required("tiers", tiersShape()),
		optional("answers", orWord(integer(1, 1000), "all")),
		optional("ttl", object(
			optional("mode", enum("ceiling", "horizon")),
			optional("max", ttl(1, maxTTL, true)),
			optional("min", ttl(1, maxTTL, true)),
		)),
		optional("staleness", object(
			optional("target", duration(time.Second, maxHold)),
			optional("rto", duration(time.Second, maxHold)),
		)),
		optional("on_all_down", either(enum("last_good", "all", "nodata"), list(address()))),
		optional("failback", object(
			optional("mode", enum("auto", "manual", "never")),
			optional("hold", duration(0, maxHold)),
			optional("ramp", list(percent(1, 100))),
			optional("step", duration(time.Second, 24*time.Hour)),
		)),
		optional("safety", object(
			optional("keep_regions", integer(0, 1000)),
			optional("keep_azs", integer(0, 1000)),
			optional("max_drained", percent(1, 100)),
		)),
		optional("health", object(
			optional("max_removal", percent(1, 100)),
			optional("panic_below", percent(0, 100)),
		)),
		optional("standby", object(required("trickle", trickle()))),
		optional("clients", list(clientShape())),
		optional("order", enum("nearest")),
		optional("ecs", boolean()),
		optional("sticky", object(
			optional("v4", integer(1, 32)),
			optional("v6", integer(1, 128)),
		)),
		optional("cells", object(
			required("shards", integer(1, maxShards)),
			required("home", dict("pool", rangeOf(0, maxShards-1))),
			optional("failover", dict("pool", list(reference("a pool")))),
		)),
		optional("srv", object(
			required("port", port()),
			optional("priority", integer(0, math.MaxUint16)),
		)),
		optional("https", object(
			optional("priority", integer(1, math.MaxUint16)),
			optional("alpn", list(text("an ALPN protocol", alpn))),
			optional("port", port()),
		)),
	)
}

// maxShards bounds the cells of a service: as many as a shard in 16 bits.
const maxShards = 65536

func tiersShape() *shape { return list(dict("pool", weight())) }

func clientShape() *shape {
	return object(
		required("match", object(
			optional("cidr", list(prefix())),
			optional("continent", list(enum("AF", "AN", "AS", "EU", "NA", "OC", "SA"))),
			optional("country", list(text("a country code", countryCode))),
			optional("subdivision", list(text("a subdivision code", subdivisionCode))),
			optional("asn", list(integer(1, math.MaxUint32))),
		)),
		required("tiers", tiersShape()),
		optional("strict", boolean()),
	)
}

// weight is the range of every weight (docs/design.md section 3).
func weight() *shape { return integer(0, math.MaxUint16) }

func port() *shape { return integer(1, math.MaxUint16) }

func zoneName(s string) error {
	if s == "." {
		return fmt.Errorf("the root cannot be served")
	}
	name, err := parseName(s, ".")
	if err == nil && strings.HasPrefix(name, "*") {
		err = fmt.Errorf("a zone cannot be a wildcard")
	}
	return err
}

func hostName(s string) error {
	_, err := parseHostName(s)
	return err
}

// mailbox is a mailbox in the form of RFC 1035 section 8, where a dot stands for the @.
func mailbox(s string) error {
	if local, host, ok := strings.Cut(s, "@"); ok {
		return fmt.Errorf("an address in DNS form has a dot for the @: %s.%s", strings.ReplaceAll(shorten(local), ".", `\.`), shorten(host))
	}
	_, err := parseMailbox(s)
	return err
}

// parseMailbox takes escaped dots in the first label, as in first\.last.example.org.
func parseMailbox(s string) (string, error) {
	local, host := s, ""
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		} else if s[i] == '.' {
			local, host = s[:i], s[i+1:]
			break
		}
	}
	plain := strings.ToLower(strings.ReplaceAll(local, `\.`, "."))
	for label := range strings.SplitSeq(plain, ".") {
		if err := checkLabel(label); err != nil {
			return "", fmt.Errorf("%s in the mailbox %q", err, shorten(s))
		}
	}
	if len(plain) > maxLabelOctets {
		return "", fmt.Errorf("the mailbox %q is too long", shorten(s))
	}
	name, err := parseHostName(host)
	if err != nil {
		return "", err
	}
	return strings.ToLower(local) + "." + name, nil
}

func countryCode(s string) error {
	if len(s) != 2 || !upperASCII(s) {
		return fmt.Errorf("want an ISO 3166-1 code as in DE, got %q", shorten(s))
	}
	return nil
}

func subdivisionCode(s string) error {
	country, rest, ok := strings.Cut(s, "-")
	if !ok || countryCode(country) != nil || rest == "" || len(rest) > 3 || strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return fmt.Errorf("want an ISO 3166-2 code as in US-CA, got %q", shorten(s))
	}
	return nil
}

func upperASCII(s string) bool { return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" }

func alpn(s string) error {
	if len(s) > 255 {
		return fmt.Errorf("an ALPN protocol has at most 255 octets")
	}
	return lineText(s)
}

func urlPath(s string) error {
	if !strings.HasPrefix(s, "/") {
		return fmt.Errorf("a path begins with /, got %q", shorten(s))
	}
	if strings.ContainsAny(s, " #") {
		return fmt.Errorf("a space or # in the path %q", shorten(s))
	}
	if _, err := url.ParseRequestURI(s); err != nil {
		return fmt.Errorf("%q is not a path of a URL", shorten(s))
	}
	return lineText(s)
}
