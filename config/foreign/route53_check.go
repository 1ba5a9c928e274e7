package foreign

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// awsRegions are where regions of AWS are, about: latitude and longitude of the place that their name says.
var awsRegions = map[string][]float64{
	"us-east-1": {38.9, -77.5}, "us-east-2": {40.0, -83.0}, "us-west-1": {37.4, -122.0}, "us-west-2": {45.8, -119.7},
	"ca-central-1": {45.5, -73.6}, "ca-west-1": {51.0, -114.1}, "mx-central-1": {20.6, -100.4}, "sa-east-1": {-23.5, -46.6},
	"eu-west-1": {53.3, -6.3}, "eu-west-2": {51.5, -0.1}, "eu-west-3": {48.9, 2.4}, "eu-central-1": {50.1, 8.7}, "eu-central-2": {47.4, 8.5},
	"eu-north-1": {59.3, 18.1}, "eu-south-1": {45.5, 9.2}, "eu-south-2": {41.6, -0.9},
	"ap-east-1": {22.3, 114.2}, "ap-south-1": {19.1, 72.9}, "ap-south-2": {17.4, 78.5}, "ap-southeast-1": {1.3, 103.8}, "ap-southeast-2": {-33.9, 151.2},
	"ap-southeast-3": {-6.2, 106.8}, "ap-southeast-4": {-37.8, 145.0}, "ap-southeast-5": {3.1, 101.7}, "ap-southeast-7": {13.8, 100.5},
	"ap-northeast-1": {35.7, 139.7}, "ap-northeast-2": {37.6, 127.0}, "ap-northeast-3": {34.7, 135.5},
	"me-south-1": {26.1, 50.6}, "me-central-1": {24.4, 54.4}, "il-central-1": {32.1, 34.8}, "af-south-1": {-33.9, 18.4},
	"cn-north-1": {39.9, 116.4}, "cn-northwest-1": {37.5, 105.2}, "us-gov-east-1": {40.0, -83.0}, "us-gov-west-1": {45.8, -119.7},
}

// healthCheck is the check of a set, empty for none; values are what the set answers.
func (b *route53Service) healthCheck(set tree, values []string) string {
	id := set.get("HealthCheckId").str("")
	if id == "" {
		return ""
	}
	return b.checkOf(id, set, values, 0)
}

func (b *route53Service) checkOf(id string, set tree, values []string, depth int) string {
	c, known := b.checks[id]
	if !known {
		b.note(b.f.Name, set.line(), "%s: the health check %s is in none of the files: its endpoints are unmonitored", b.owner, id)
		return ""
	}
	if c.get("Disabled").bool(false) {
		b.note(b.f.Name, set.line(), "%s: the health check %s is disabled: its endpoints are unmonitored", b.owner, id)
		return ""
	}
	name := "hc-" + strings.ToLower(identifier(id)[:min(8, len(identifier(id)))])
	interval, timeout := c.get("RequestInterval").int(30), 4
	limit := c.get("FailureThreshold").int(3)
	timing := fmt.Sprintf("interval: %ds, timeout: %ds, fall: %d, rise: %d", interval, timeout, limit, limit)
	typ := c.get("Type").str("")
	out := ""
	switch typ {
	case "HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH":
		out = b.z.addCheck(name, b.http(c, set, values)+", "+timing)
	case "TCP":
		out = b.z.addCheck(name, fmt.Sprintf("type: tcp, %sport: %d, %s", b.address(c, set, values), c.get("Port").int(80), timing))
	case "CALCULATED":
		out = b.calculated(name, c, set, values, depth)
	default:
		b.note(b.f.Name, set.line(), "%s: health checks of type %s are not carried over: its endpoints are unmonitored; push takes reports", b.owner, typ)
	}
	if out != "" && c.get("Inverted").bool(false) {
		out = b.z.addCheck("not-"+out, "not: "+word(out))
	}
	return out
}

func (b *route53Service) calculated(name string, c, set tree, values []string, depth int) string {
	var of []string
	for _, child := range c.get("ChildHealthChecks").texts() {
		if depth >= maxAlias {
			break
		}
		if k := b.checkOf(child, set, values, depth+1); k != "" && !slices.Contains(of, k) {
			of = append(of, k)
		}
	}
	if len(of) == 0 {
		return ""
	}
	n := min(max(1, c.get("HealthThreshold").int(1)), len(of))
	return b.z.addCheck(name, fmt.Sprintf("at_least: {n: %d, of: %s}", n, words(of)))
}

// address is what is dialled, if that is not what is answered.
func (b *route53Service) address(c, set tree, values []string) string {
	ip := c.get("IPAddress").str("")
	if ip == "" {
		if _, err := netip.ParseAddr(values[0]); err == nil && c.get("FullyQualifiedDomainName").is() {
			b.note(b.f.Name, set.line(), "%s: its health check asks %s: the addresses that are answered are probed", b.owner, c.get("FullyQualifiedDomainName").str(""))
		}
		return ""
	}
	if slices.Contains(values, ip) {
		return ""
	}
	return "address: " + word(ip) + ", "
}

func (b *route53Service) http(c, set tree, values []string) string {
	typ, port := "http", 80
	if strings.HasPrefix(c.get("Type").str(""), "HTTPS") {
		typ, port = "https", 443
		b.note(b.f.Name, set.line(), "%s: certificates are verified here, by Route 53 they are not: name the CA as tls: {ca: FILE} if it is not the system's", b.owner)
	}
	host, expect := "", "status: [200-399]"
	if name := c.get("FullyQualifiedDomainName").str(""); name != "" {
		host = "host: " + word(name) + ", "
	}
	if text := c.get("SearchString").str(""); text != "" {
		expect += ", body: " + word(text)
	}
	path := c.get("ResourcePath").str("/")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return fmt.Sprintf("type: %s, %sport: %d, path: %s, %sexpect: {%s}", typ, b.address(c, set, values), c.get("Port").int(port), word(path), host, expect)
}
