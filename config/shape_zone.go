package config

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"
)

// The ranges of durations. The low end keeps probes from becoming an attack, the high end catches slips of the unit.
const (
	minInterval = 100 * time.Millisecond
	maxInterval = 24 * time.Hour
	maxTTL      = uint32(MaxTTL / time.Second)
	minTimeout  = 10 * time.Millisecond
	maxHold     = 30 * 24 * time.Hour
)

func object(keys ...key) *shape          { return &shape{object: keys} }
func list(of *shape) *shape              { return &shape{list: of, least: 1} }
func dict(noun string, of *shape) *shape { return &shape{dict: of, noun: noun, least: 1} }
func either(of ...*shape) *shape         { return &shape{either: of} }

// zoneShape is the whole zone file. It is made for each caller, so that nobody can change it for another.
func zoneShape() *shape {
	return object(append([]key{
		required("zone", text("a domain name", zoneName)).says("The zone that is served, without services and records above it."),
		optional("serial", serial()).or("from the content").says("The SOA serial. Also soa.serial, but not both.").as("2026112901"),
		optional("soa", soaShape()).says("The SOA record; what it leaves out comes from `zonefile`, else from the defaults."),
		optional("nameservers", nameServersShape()).says("The NS records of the apex; needed, unless `zonefile` has them."),
		optional("ns_ttl", ttl(1, math.MaxInt32, false)).fills("Zone.NSTTL").or(seconds(defaultNSTTL)).says("The TTL of the apex's NS records and of their addresses."),
		optional("dnssec", dnssecShape()).or("not signed").says("Signs the zone. `fairlead dnssec keygen` makes keys."),
		optional("rrl", rrlShape()).or("no limit").says("Bounds how many replies over UDP a network gets that shows no DNS cookie."),
		optional("cookies", cookiesShape()).says("What DNS cookies (RFC 7873) are good for."),
		optional("transfer", transferShape()).or("refused").says("Lets secondaries that the Corefile names transfer the zone."),
	}, contentKeys()...)...)
}

// contentKeys are the keys of a zone file that say what is answered.
func contentKeys() []key {
	return []key{
		optional("records", list(recordShape())).says("Static records."),
		optional("delegations", dict("delegation", delegationShape())).says("Zones below this one that others serve, by their names in this one."),
		optional("zonefile", text("a file name", lineText)).says("A master file (RFC 1035) to import, below the directory of this file.").as("db.example.org"),
		optional("allow_shrink", boolean()).fills("Zone.AllowShrink").or(false).says("Lets a new version drop more than 30 % of the names or endpoints, and at least 10."),
		optional("regions", dict("region", regionShape())).says("Where endpoints stand: `topology.kubernetes.io/region` and its zones."),
		optional("checks", dict("check", checkShape())).says("How endpoints are probed, by a name of your choice."),
		optional("pools", dict("pool", poolShape())).says("Endpoints that back services in one region, by a name of your choice."),
		optional("services", dict("service", serviceShape())).
			says("What is answered, by owner name: relative to the zone, `@` for the apex, `*.apps` for a wildcard."),
	}
}

func serial() *shape { return integer(0, math.MaxUint32) }

func ttlAny() *shape { return ttl(0, math.MaxInt32, false) }

func soaShape() *shape {
	return object(
		optional("mname", text("a host name", hostName)).fills("SOA.MName").or("the first name server").says("The primary name server."),
		optional("rname", text("a mailbox as a domain name", mailbox)).fills("SOA.RName").or(defaultRName+".ZONE").says("Who is responsible: a dot stands for the @."),
		optional("negative_ttl", ttl(1, 86400, false)).fills("SOA.NegativeTTL").or(seconds(defaultNegativeTTL)).says("SOA MINIMUM: how long NXDOMAIN and NODATA are cached (RFC 2308)."),
		optional("refresh", ttlAny()).fills("SOA.Refresh").or(seconds(defaultRefresh)).says("How often secondaries ask for the serial."),
		optional("retry", ttlAny()).fills("SOA.Retry").or(seconds(defaultRetry)).says("How soon they ask again when nobody answered."),
		optional("expire", ttlAny()).fills("SOA.Expire").or(seconds(defaultExpire)).says("How long they go on answering without the primary."),
		optional("ttl", ttlAny()).fills("SOA.TTL").or("as negative_ttl").says("The TTL of the SOA record itself."),
		optional("serial", serial()).fills("SOA.Serial").or("from the content").says("The same as the key `serial` of the zone.").as("2026112901"),
	)
}

func dnssecShape() *shape {
	return object(
		required("keys", text("a directory", lineText)).says("The directory of BIND key files, below the zone file's directory."),
		optional("validity", duration(24*time.Hour, 90*24*time.Hour)).fills("DNSSEC.Validity").or(defaultValidity).says("How long signatures are valid; they are renewed after a quarter."),
		optional("ttl", ttl(1, 7*86400, false)).fills("DNSSEC.TTL").or(seconds(defaultNSTTL)).says("The TTL of DNSKEY, CDS and CDNSKEY."),
		optional("csync", boolean()).or(false).says("Publishes a CSYNC record: the parent is to take over name servers and their addresses."),
	)
}

func recordShape() *shape {
	return object(
		required("name", text("an owner name", lineText)).says("The owner name, relative to the zone; `@` is the apex."),
		required("type", text("a record type", lineText)).says("The type: a mnemonic, or TYPE65280 (RFC 3597)."),
		required("data", either(text("record data", lineText), list(text("record data", lineText)))).fills("Record.RData").says("The data as in a master file, one or several."),
		optional("ttl", ttlAny()).fills("Record.TTL").or(seconds(defaultRecordTTL)).says("The TTL of the RRset; of several entries for one RRset the least."),
	)
}

func delegationShape() *shape {
	return object(
		required("nameservers", nameServersShape()).says("Who serves the zone below."),
		optional("ds", list(text("DS data", lineText))).or("not signed").says("DS records of a signed zone below, as in a master file."),
		optional("ttl", ttlAny()).or(seconds(defaultNSTTL)).says("The TTL of its NS and DS records and addresses."),
	)
}

func regionShape() *shape {
	return object(
		optional("location", &shape{list: coordinate("a latitude or longitude", 180), least: 2, most: 2}).
			says("Latitude and longitude in degrees; needed for `order: nearest`."),
		required("azs", list(text("an AZ name", parseIdentifier))).says("The AZs of the region; one name is in one region only."),
	)
}

// nameServersShape is a list of names, each alone or with its addresses.
func nameServersShape() *shape {
	return list(either(text("a host name", hostName), object(
		required("name", text("a host name", hostName)).says("The name, always absolute."),
		optional("addresses", list(address())).says("Its addresses, for a name in the zone: they are answered as glue."),
	)))
}

func poolShape() *shape {
	return object(
		required("region", reference("a region")).fills("Pool.Region").says("The region in which all of its endpoints stand."),
		optional("check", reference("a check")).fills("Pool.Check").or("unmonitored: always up").says("How its endpoints are probed."),
		optional("needs", list(reference("a check"))).fills("Pool.Needs").says("Checks of what the pool depends on: it is down while one of them is."),
		optional("az_weights", dict("AZ", weight())).fills("Pool.AZWeights").or("the sum of the AZ's eligible endpoints").
			says("How the pool's share is divided among AZs; 0 is never answered, still probed. Every AZ of the pool has to be named."),
		optional("min_healthy", orPercent(integer(1, 1_000_000), 1, 100)).fills("Pool.MinHealthy").or(defaultMinHealthy).says("How many endpoints must be up, or which share, for the pool to answer."),
		optional("max_share", percent(1, 100)).fills("Pool.MaxShare").or("no limit").says("The greatest share of a service's traffic; the rest goes to the next tier."),
		optional("capacity", integer(1, maxRequests)).fills("Pool.Capacity").or("not known").says("How many requests a second its endpoints carry together: of a service with a `demand` it gets no greater share than that, and the rest goes to the next tier.").as("1000"),
		optional("stateful", boolean()).fills("Pool.Stateful").or(false).says("It holds data: never answered outside its turn, and failback is manual."),
		optional("fence", boolean()).fills("Pool.Fence").or(false).says("As stateful, and its shards of `cells` never leave it."),
		optional("gate", text(`"manual" or a check`, lineText)).or("open").
			says("Keeps the pool out of service, whatever its health: `manual` until `fairlead ready POOL`, or until a check is up on one of its endpoints."),
		optional("lag", reference("a check")).fills("Pool.Lag", "Pool.HasLag").or("not known").says("The check of type lag that says how far its data is behind: what `rpo` of a service is held against.").as("replication"),
		optional("on_vantages_lost", enum("keep", "down")).fills("Pool.OnVantagesLost").or("keep").says("What the pool is once none of the nodes that probe it is heard."),
		optional("late_hits", hitCounterShape()).says("Where the endpoints' own counts of requests are read, to be laid over the bound."),
		optional("from", list(fromShape())).says("Endpoints that clusters of Kubernetes give, beside or instead of `endpoints`."),
		optional("min_endpoints", integer(0, 1000)).fills("Pool.MinEndpoints").or(defaultMinEndpoints).says("What clusters say never takes the pool below it."),
		optional("settle", duration(0, 24*time.Hour)).fills("Pool.Settle").or(defaultSettle).says("How long an address stays that a cluster, or a `host`, replaced while no new one is up."),
		optional("endpoints", list(endpointShape())).says("The endpoints; needed, unless `from` gives some."),
	)
}

func endpointShape() *shape {
	return object(
		required("name", text("an endpoint name", parseIdentifier)).says("Its name in the pool: commands name it ZONE/POOL/ENDPOINT."),
		optional("addresses", list(address())).says("At most one IPv4 and one IPv6 address. Either this, `target` or `host`."),
		optional("target", text("a host name", hostName)).fills("Endpoint.Target").says("A host name that is answered as CNAME."),
		optional("host", text("a host name", hostName)).says("A host name that the nodes resolve: each of its addresses is probed, and answered, as an endpoint NAME.ADDRESS."),
		optional("family", enum("ipv4", "ipv6")).or("both").says("With `host`: the addresses of one family alone."),
		required("az", reference("an AZ")).fills("Endpoint.AZ").says("The AZ in which it stands, one of the pool's region."),
		optional("weight", weight()).fills("Endpoint.Weight").or(defaultWeight).says("Its share among the endpoints of its AZ; 0 is never answered, still probed. Each address of a `host` has it."),
		optional("probe", object(
			optional("address", address()).or("each of its addresses").says("What is dialled in the place of its addresses."),
			optional("port", port()).fills("Endpoint.ProbePort").or("the check's").says("The port that is dialled."),
		)).says("Where this endpoint is probed, if not where it is answered."),
		optional("late_hits", hitCounterShape()).or("the pool's").says("Where this endpoint's own count of requests is read."),
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
