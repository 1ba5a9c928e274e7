package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A scalar is a kind of single value: how it is checked, what it is called in messages, and its JSON Schema.
type scalar struct {
	want string
	// span is the range, in words; empty where there is none. free is set for text of any form.
	span string
	free bool
	// check returns what is wrong with n, which is a scalar node, and perhaps what to write instead.
	check  func(n *yamlNode) (msg, help string)
	schema map[string]any
}

var (
	integerText  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	durationText = regexp.MustCompile(`^([0-9]+d)?([0-9]+(\.[0-9]+)?(h|m|s|ms))*$`)
	percentText  = regexp.MustCompile(`^[0-9]{1,3}%$`)
	trickleText  = regexp.MustCompile(`^[0-9]{1,2}(\.[0-9]{1,2})?%$`)
	floatText    = regexp.MustCompile(`^-?[0-9]{1,3}(\.[0-9]{1,15})?$`)
	numberText   = regexp.MustCompile(`^[-+]?[0-9._]+$`)
)

// durationPattern is durationText for the JSON Schema, which cannot ask for a non-empty string in the same breath.
const durationPattern = `^([0-9]+d)?([0-9]+(\.[0-9]+)?(h|m|s|ms))*$`

// parseInteger is strict: decimal digits only, plain (not quoted).
func parseInteger(n *yamlNode) (int64, string, string) {
	text := n.Value
	switch {
	case n.quoted():
		return 0, fmt.Sprintf("want an integer, got the text %q", shorten(text)), "remove the quotes"
	case len(text) > 1 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'):
		return 0, fmt.Sprintf("%s is hexadecimal; want a decimal integer", shorten(text)), ""
	case len(text) > 1 && text[0] == '0' && (text[1] == 'o' || text[1] == 'O' || text[1] >= '0' && text[1] <= '9'):
		return 0, fmt.Sprintf("%s looks octal; want a decimal integer", shorten(text)), "remove the leading 0"
	case !integerText.MatchString(text):
		return 0, fmt.Sprintf("want an integer, got %s", valueText(n)), ""
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Sprintf("%s is too large", shorten(text)), ""
	}
	return v, "", ""
}

func valueText(n *yamlNode) string {
	if n.isNull() {
		return "nothing"
	}
	return strconv.Quote(shorten(n.Value))
}

// integer is an integer from low to high.
func integer(low, high int64) *shape {
	return &shape{scalar: &scalar{
		want: "an integer",
		check: func(n *yamlNode) (string, string) {
			v, msg, help := parseInteger(n)
			if msg == "" && (v < low || v > high) {
				msg = fmt.Sprintf("%d is out of range, want %d to %d", v, low, high)
			}
			return msg, help
		},
		schema: map[string]any{"type": "integer", "minimum": low, "maximum": high},
		span:   fmt.Sprintf("%d to %d", low, high),
	}}
}

// ParseDuration reads Go's durations without signs, and days in front of them.
func ParseDuration(text string) (time.Duration, bool) {
	if text == "" || !durationText.MatchString(text) {
		return 0, false
	}
	var days time.Duration
	if d, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseInt(d, 10, 32)
		if err != nil || n > int64(math.MaxInt64/(48*time.Hour)) {
			return 0, false
		}
		if days, text = time.Duration(n)*24*time.Hour, rest; text == "" {
			return days, true
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d > math.MaxInt64-days {
		return 0, false
	}
	return days + d, true
}

// duration is a duration from low to high.
func duration(low, high time.Duration) *shape {
	return &shape{scalar: &scalar{
		want: "a duration",
		check: func(n *yamlNode) (string, string) {
			d, ok := ParseDuration(n.Value)
			switch {
			case !ok && numberText.MatchString(n.Value):
				return fmt.Sprintf("want a duration, got the number %s", shorten(n.Value)),
					fmt.Sprintf("a duration needs a unit, as in %ss", shorten(n.Value))
			case !ok:
				return fmt.Sprintf("want a duration, got %s", valueText(n)), "as in 500ms, 5s, 1h30m or 7d"
			case d < low || d > high:
				return fmt.Sprintf("%s is out of range, want %s to %s", n.Value, DurationText(low), DurationText(high)), ""
			}
			return "", ""
		},
		schema: map[string]any{"type": "string", "pattern": durationPattern, "minLength": 2},
		span:   DurationText(low) + " to " + DurationText(high),
	}}
}

// DurationText is d as an operator would write it.
func DurationText(d time.Duration) string {
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// ttl is a duration of whole seconds from low to high seconds; with rung, one of the ladder.
func ttl(low, high uint32, rung bool) *shape {
	sh := duration(time.Duration(low)*time.Second, time.Duration(high)*time.Second)
	inner := sh.scalar.check
	sh.scalar.want = "a TTL"
	if high == math.MaxInt32 {
		sh.scalar.span = fmt.Sprintf("%ds or more", low)
	}
	sh.scalar.span += ", whole seconds"
	if rung {
		sh.scalar.span += ", a rung"
	}
	sh.scalar.check = func(n *yamlNode) (string, string) {
		if msg, help := inner(n); msg != "" {
			return msg, help
		}
		d, _ := ParseDuration(n.Value)
		if d%time.Second != 0 {
			return fmt.Sprintf("a TTL has whole seconds, got %s", n.Value), ""
		}
		if s := uint32(d / time.Second); rung && !IsRung(s) {
			return fmt.Sprintf("%s is not a rung of the TTL ladder", n.Value),
				fmt.Sprintf("the rung below it is %ds; the rungs are %s", Ladder(s), ladderText())
		}
		return "", ""
	}
	return sh
}

func parsePercent(text string) (int, bool) {
	if !percentText.MatchString(text) {
		return 0, false
	}
	v, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
	return v, err == nil
}

// percent is a share in whole percent.
func percent(low, high int) *shape {
	return &shape{scalar: &scalar{
		want: "a percentage",
		check: func(n *yamlNode) (string, string) {
			v, ok := parsePercent(n.Value)
			switch {
			case !ok && numberText.MatchString(n.Value):
				return fmt.Sprintf("want a percentage, got the number %s", shorten(n.Value)), "a percentage is written as 34%"
			case !ok:
				return fmt.Sprintf("want a percentage in whole percent, got %s", valueText(n)), "a percentage is written as 34%"
			case v < low || v > high:
				return fmt.Sprintf("%s is out of range, want %d%% to %d%%", n.Value, low, high), ""
			}
			return "", ""
		},
		schema: map[string]any{"type": "string", "pattern": percentText.String()},
		span:   fmt.Sprintf("%d%% to %d%%", low, high),
	}}
}

// orWord is sh or one of words.
func orWord(sh *shape, words ...string) *shape {
	inner := sh.scalar
	want := inner.want + " or " + strings.Join(words, ", ")
	return &shape{scalar: &scalar{
		want: want,
		check: func(n *yamlNode) (string, string) {
			if slices.Contains(words, n.Value) {
				return "", ""
			}
			msg, help := inner.check(n)
			if msg != "" && help == "" {
				help = didYouMean(n.Value, words, "or one of: "+strings.Join(words, ", "))
			}
			return msg, help
		},
		schema: map[string]any{"anyOf": []any{inner.schema, map[string]any{"enum": words}}},
		span:   inner.span + ", or " + strings.Join(words, ", "),
	}}
}

// orPercent is sh or a percentage.
func orPercent(sh *shape, low, high int) *shape {
	inner, share := sh.scalar, percent(low, high).scalar
	return &shape{scalar: &scalar{
		want: inner.want + " or " + share.want,
		check: func(n *yamlNode) (string, string) {
			if strings.HasSuffix(n.Value, "%") {
				return share.check(n)
			}
			return inner.check(n)
		},
		schema: map[string]any{"anyOf": []any{inner.schema, share.schema}},
		span:   inner.span + ", or " + share.span,
	}}
}
