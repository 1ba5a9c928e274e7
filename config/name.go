package config

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
	"golang.org/x/net/idna"
)

// maxNameOctets is the length of a name in wire format (RFC 1035 section 2.3.4), maxLabelOctets that of one label.
const (
	maxNameOctets  = 255
	maxLabelOctets = 63
)

// parseName checks the syntax of a name as operators write it and returns it in lower case with the final dot. A name
// without a final dot is relative to origin; "@" is origin itself. With origin "." every name is absolute.
// Labels hold letters, digits, hyphens and underscores; the first may be "*". Labels in other scripts (U-labels) become A-labels.
func parseName(text, origin string) (string, error) {
	if text == "@" && origin != "." {
		return origin, nil
	}
	if text == "" {
		return "", fmt.Errorf("an empty name")
	}
	name, err := toASCII(strings.ToLower(text))
	if err != nil {
		return "", err
	}
	for i, label := range strings.Split(strings.TrimSuffix(name, "."), ".") {
		if label == "*" && i == 0 {
			continue
		}
		if err := checkLabel(label); err != nil {
			return "", fmt.Errorf("%s in the name %q", err, text)
		}
	}
	if !strings.HasSuffix(name, ".") {
		name += "."
		if origin != "." {
			name += origin
		}
	}
	// Without escapes, wire format has one octet more than the text with its final dot.
	if len(name)+1 > maxNameOctets {
		return "", fmt.Errorf("the name %q has %d octets, at most %d fit", shorten(name), len(name)+1, maxNameOctets)
	}
	if _, ok := dns.IsDomainName(name); !ok {
		return "", fmt.Errorf("%q is not a domain name", shorten(name))
	}
	return name, nil
}

// checkLabel checks one label in lower case.
func checkLabel(label string) error {
	switch {
	case label == "":
		return fmt.Errorf("an empty label")
	case len(label) > maxLabelOctets:
		return fmt.Errorf("a label of %d octets, at most %d fit,", len(label), maxLabelOctets)
	case label[0] == '-' || label[len(label)-1] == '-':
		return fmt.Errorf("a label with a hyphen at its end")
	}
	for _, r := range label {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return fmt.Errorf("the character %q", r)
		}
	}
	return nil
}

// ParseHostName takes the host name of a load balancer, with or without the final dot. The result has it.
func ParseHostName(text string) (string, error) { return parseHostName(text) }

// parseHostName is parseName for names that stand alone, such as name servers and CNAME targets: always absolute, with
// or without the final dot, without a wildcard and with at least two labels.
func parseHostName(text string) (string, error) {
	name, err := parseName(text, ".")
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(name, "*") {
		return "", fmt.Errorf("a wildcard is not a host name")
	}
	if strings.Count(name, ".") < 2 {
		return "", fmt.Errorf("%q is one label; this name is not relative to the zone", text)
	}
	return name, nil
}

// parseOwnerName is parseName for the owners of records: labels may hold any octets, escaped as in RFC 1035 section 5.1.
func parseOwnerName(text, origin string) (string, error) {
	if text == "@" {
		return origin, nil
	}
	name, err := toASCII(text)
	if err != nil {
		return "", err
	}
	if _, ok := dns.IsDomainName(text); !ok {
		return "", fmt.Errorf("%q is not a domain name", shorten(text))
	}
	if !dns.IsFqdn(name) {
		name += "."
		if origin != "." {
			name += origin
		}
	}
	return canonicalName(name)
}

// plainName matches names whose text is the same in every spelling but for the case.
func plainName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '*', c == '/':
		default:
			return false
		}
	}
	return true
}

// canonicalName is the one spelling of an FQDN that the program knows: lower case, escapes only where the text needs them.
func canonicalName(name string) (string, error) {
	var buf [maxNameOctets + 1]byte
	n, err := dns.PackDomainName(name, buf[:], 0, nil, false)
	if err != nil {
		return "", fmt.Errorf("%q is not a domain name", shorten(name))
	}
	if plainName(name) {
		return strings.ToLower(name), nil
	}
	for i, c := range buf[:n] {
		// The octets that give the lengths of labels are below 64.
		if 'A' <= c && c <= 'Z' {
			buf[i] = c + 'a' - 'A'
		}
	}
	text, _, err := dns.UnpackDomainName(buf[:n], 0)
	if err != nil {
		return "", fmt.Errorf("%q is not a domain name", shorten(name))
	}
	return text, nil
}

// toASCII replaces the U-labels of a name by A-labels (RFC 5890 section 2.3.2.1).
func toASCII(name string) (string, error) {
	if isASCII(name) {
		return name, nil
	}
	labels := strings.Split(name, ".")
	for i, label := range labels {
		if isASCII(label) {
			continue
		}
		a, err := idna.Lookup.ToASCII(label)
		if err != nil {
			return "", fmt.Errorf("%q is no label of an internationalized name: %s", shorten(label), strings.TrimPrefix(err.Error(), "idna: "))
		}
		labels[i] = a
	}
	return strings.Join(labels, "."), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Unicode is a name with its A-labels as U-labels; empty where that is the same.
func Unicode(name string) string {
	if !strings.Contains(name, "xn--") {
		return ""
	}
	if u, err := idna.Display.ToUnicode(name); err == nil && u != name {
		return u
	}
	return ""
}

// Within tells whether name is zone or lies below it; both in lower case with the final dot.
func Within(name, zone string) bool {
	if zone == "." || name == zone {
		return true
	}
	above := len(name) - len(zone) - 1
	if above < 0 || !strings.HasSuffix(name, zone) || name[above] != '.' {
		return false
	}
	// An escaped dot is no border of labels.
	escapes := 0
	for above--; above >= 0 && name[above] == '\\'; above-- {
		escapes++
	}
	return escapes%2 == 0
}

// parentOf is a name without its first label.
func parentOf(name string) string {
	i, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[i:]
}

func shorten(s string) string {
	if len(s) <= 60 {
		return s
	}
	return strings.ToValidUTF8(s[:60], "") + "…"
}

// ZoneName is the name of a zone as the program has it: in lower case with the final dot.
func ZoneName(text string) (string, error) {
	if err := zoneName(text); err != nil {
		return "", err
	}
	return parseName(text, ".")
}
