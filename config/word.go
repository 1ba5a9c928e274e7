package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// boolean is true or false, in these letters only: YAML 1.1's yes, no, on and off are mistakes waiting to happen.
func boolean() *shape {
	return &shape{scalar: &scalar{
		want: "true or false",
		check: func(n *yamlNode) (string, string) {
			if !n.quoted() && (n.Value == "true" || n.Value == "false") {
				return "", ""
			}
			return fmt.Sprintf("want true or false, got %s", valueText(n)), ""
		},
		schema: map[string]any{"type": "boolean"},
	}}
}

// enum is one of words.
func enum(words ...string) *shape {
	return &shape{scalar: &scalar{
		want: "one of " + strings.Join(words, ", "),
		check: func(n *yamlNode) (string, string) {
			for _, w := range words {
				if n.Value == w {
					return "", ""
				}
			}
			list := "one of: " + strings.Join(words, ", ")
			return "unknown value " + valueText(n), didYouMean(n.Value, words, list)
		},
		schema: map[string]any{"enum": words},
	}}
}

// text is a non-empty string that passes check; want says what it is.
func text(want string, check func(s string) error) *shape {
	return &shape{scalar: &scalar{
		want: want,
		check: func(n *yamlNode) (string, string) {
			if n.isNull() || n.Value == "" {
				return "want " + want + ", got nothing", ""
			}
			if err := check(n.Value); err != nil {
				return err.Error(), ""
			}
			return "", ""
		},
		// A bare number or true is text too where text is wanted.
		schema: map[string]any{"type": []string{"string", "number", "boolean"}},
		free:   true,
	}}
}

// maxText bounds strings that have no rule of their own.
const maxText = 4096

func anyText(s string) error {
	if len(s) > maxText {
		return fmt.Errorf("%d octets of text, at most %d fit", len(s), maxText)
	}
	return nil
}

// lineText is text without control characters: it goes into a protocol or a message.
func lineText(s string) error {
	if i := strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7F }); i >= 0 {
		return fmt.Errorf("the control character %q in the text", s[i])
	}
	return anyText(s)
}

// reference is the name of something else in the file; the builder looks it up.
func reference(want string) *shape { return text(want, lineText) }

// maxIdentifier bounds the names of pools, endpoints, checks, regions and AZs.
const maxIdentifier = 128

// parseIdentifier is for names that are no domain names: letters, digits and the usual joints, no spaces and no slash,
// since an endpoint is named zone/pool/endpoint.
func parseIdentifier(s string) error {
	if s == "" || len(s) > maxIdentifier {
		return fmt.Errorf("a name has 1 to %d octets, got %d", maxIdentifier, len(s))
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.:", r) {
			return fmt.Errorf("the character %q in the name %q", r, shorten(s))
		}
	}
	return nil
}

// parseAddress takes addresses that a client could be sent to.
func parseAddress(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil && strings.Contains(s, "/"):
		return netip.Addr{}, fmt.Errorf("want an address, got the prefix %s", shorten(s))
	case err != nil:
		return netip.Addr{}, fmt.Errorf("want an IPv4 or IPv6 address, got %q", shorten(s))
	case a.Zone() != "":
		return netip.Addr{}, fmt.Errorf("%s has an interface (%%%s); it means nothing to clients", s, a.Zone())
	case a.Is4In6():
		return netip.Addr{}, fmt.Errorf("%s is an IPv4-mapped IPv6 address; write %s", s, a.Unmap())
	case a.IsUnspecified():
		return netip.Addr{}, fmt.Errorf("%s is the unspecified address", s)
	case a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return netip.Addr{}, fmt.Errorf("%s is a multicast or broadcast address", s)
	}
	return a, nil
}

func address() *shape {
	return text("an IP address", func(s string) error { _, err := parseAddress(s); return err })
}

// parsePrefix takes CIDR prefixes without host bits.
func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("want a prefix as in 192.0.2.0/24, got %q", shorten(s))
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%s is an IPv4-mapped IPv6 prefix; write the IPv4 one", s)
	case p.Masked() != p:
		return netip.Prefix{}, fmt.Errorf("%s has bits beyond its length; write %s", s, p.Masked())
	}
	return p, nil
}

func prefix() *shape {
	return text("a CIDR prefix", func(s string) error { _, err := parsePrefix(s); return err })
}

// parseRange reads "A-B" or "A", both from low to high and A <= B.
func parseRange(s string, low, high int) (first, last int, err error) {
	a, b, found := strings.Cut(s, "-")
	if !found {
		b = a
	}
	for _, t := range []struct {
		text string
		to   *int
	}{{a, &first}, {b, &last}} {
		v, err := strconv.Atoi(t.text)
		if err != nil || !integerText.MatchString(t.text) {
			return 0, 0, fmt.Errorf("want a range as in %d-%d, got %q", low, high, shorten(s))
		}
		*t.to = v
	}
	if first < low || last > high {
		return 0, 0, fmt.Errorf("the range %s is not within %d to %d", s, low, high)
	}
	if first > last {
		return 0, 0, fmt.Errorf("the range %s runs backwards", s)
	}
	return first, last, nil
}

// rangeOf is a range or one number, from low to high.
func rangeOf(low, high int) *shape {
	sh := text("a range", func(s string) error { _, _, err := parseRange(s, low, high); return err })
	sh.scalar.span = fmt.Sprintf("within %d to %d", low, high)
	return sh
}

// coordinate is a decimal number of degrees from -limit to limit.
func coordinate(want string, limit float64) *shape {
	return &shape{scalar: &scalar{
		want: want,
		check: func(n *yamlNode) (string, string) {
			if !floatText.MatchString(n.Value) {
				return fmt.Sprintf("want %s in degrees, got %s", want, valueText(n)), "as in 53.35"
			}
			if v, err := strconv.ParseFloat(n.Value, 64); err != nil || v < -limit || v > limit {
				return fmt.Sprintf("%s is out of range, want -%g to %g", n.Value, limit, limit), ""
			}
			return "", ""
		},
		schema: map[string]any{"type": "number", "minimum": -limit, "maximum": limit},
		span:   fmt.Sprintf("-%g to %g", limit, limit),
	}}
}

// trickle is a share from 0.01% to 50%, kept in hundredths of a percent.
func trickle() *shape {
	return &shape{scalar: &scalar{
		want: "a percentage",
		check: func(n *yamlNode) (string, string) {
			v, ok := parseTrickle(n.Value)
			if !ok {
				return fmt.Sprintf("want a percentage, got %s", valueText(n)), "as in 1% or 0.5%"
			}
			if v < 1 || v > 5000 {
				return fmt.Sprintf("%s is out of range, want 0.01%% to 50%%", n.Value), ""
			}
			return "", ""
		},
		schema: map[string]any{"type": "string", "pattern": trickleText.String()},
		span:   "0.01% to 50%",
	}}
}

func parseTrickle(s string) (int, bool) {
	if !trickleText.MatchString(s) {
		return 0, false
	}
	whole, part, _ := strings.Cut(strings.TrimSuffix(s, "%"), ".")
	v, err := strconv.Atoi(whole + (part + "00")[:2])
	return v, err == nil
}
