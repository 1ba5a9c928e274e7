package probe

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestKindsHaveLabels(t *testing.T) {
	seen := map[string]bool{}
	for k := range kinds {
		label := k.String()
		assert.Regexp(t, `^[a-z_]+$`, label)
		assert.False(t, seen[label], "label %s twice", label)
		seen[label] = true
	}
	assert.Equal(t, "kind(200)", Kind(200).String())
}

func TestReasonsAreBoundedAndOnOneLine(t *testing.T) {
	for name, hostile := range map[string]string{
		"long":      strings.Repeat("é", 5000),
		"lines":     "a\r\nb\x1b[31mc\x7f",
		"not UTF-8": "a\xff\xfeb",
		"terminals": "a\u009b31mb\u202ec",
	} {
		t.Run(name, func(t *testing.T) {
			got := because(Protocol, "protocol error: %s", hostile).Text
			assert.LessOrEqual(t, len(got), maxReason)
			assert.True(t, utf8.ValidString(got))
			assert.NotRegexp(t, `[\x00-\x1f\x7f-\x{9f}\x{202a}-\x{202e}]`, got)
		})
	}
}

func TestMismatch(t *testing.T) {
	long := strings.Repeat("0123456789", 10)
	for _, test := range []struct{ name, want, got, text string }{
		{"another beginning", "+PONG", "-ERR no", `body mismatch: "+PONG" not in the 7 octets that came: "-ERR no"`},
		{"nothing", "+PONG", "", `body mismatch: "+PONG" not in the 0 octets that came: ""`},
		{"parts at octet 3", "+PONG", "+PING", `body mismatch at octet 3: got "+PING", want "+PONG"`},
		{"too short", "+PONG", "+PO", `body mismatch at octet 4: got "+PO", want "+PONG"`},
		{"far in", long + "x", long + "y", `body mismatch at octet 101: got …"23456789y", want …"23456789x"`},
		{"control octets", "ok", "o\x00\n", `body mismatch at octet 2: got "o\x00\n", want "ok"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := mismatch([]byte(test.want), []byte(test.got))
			assert.Equal(t, Reason{Kind: BodyMismatch, Text: test.text}, got)
		})
	}
}

func TestSearchFindsAcrossReads(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
		found            bool
		n                int
	}{
		{"whole", "needle", "needle", true, 6},
		{"inside", "hay needle hay", "needle", true, 10},
		{"absent", "hay hay", "needle", false, 7},
		{"overlapping starts", "nenenedle needle", "nedle", true, 9},
		{"beyond the buffer", strings.Repeat("h", 20) + "needle", "needle", false, 20},
		{"empty", "", "needle", false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var buf [20]byte
			found, n, _ := search(&dribble{test.text}, []byte(test.want), buf[:])
			assert.Equal(t, test.found, found)
			assert.Equal(t, test.n, n)
		})
	}
}
