package config

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// maxNameOctets is the length of a name in wire format (RFC 1035 section 2.3.4), maxLabelOctets that of one label.
const (
	maxNameOctets  = 255
	maxLabelOctets = 63
)

// parseName checks the syntax of a name as operators write it and returns it in lower case with the final dot. A name
// without a final dot is relative to origin; "@" is origin itself. With origin "." every name is absolute.
// Labels hold letters, digits, hyphens and underscores; the first may be "*".
func parseName(text, origin string) (string, error) {
	if text == "@" && origin != "." {
		return origin, nil
	}
	if text == "" {
		return "", fmt.Errorf("an empty name")
	}
	name := strings.ToLower(text)
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

// within tells whether name is zone or lies below it; both in lower case with the final dot.
func within(name, zone string) bool {
	return zone == "." || name == zone || strings.HasSuffix(name, zone) && name[len(name)-len(zone)-1] == '.'
}

func shorten(s string) string {
	if len(s) <= 60 {
		return s
	}
	return strings.ToValidUTF8(s[:60], "") + "…"
}
