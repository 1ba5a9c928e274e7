package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// sameTree tells that text read in parts, if it can be, is the tree of the text read as a whole.
func sameTree(t *testing.T, text []byte, size int) (inParts bool) {
	t.Helper()
	got := readParts(text, size)
	if got == nil {
		return false
	}
	r := newReport("z.yaml", text)
	want := r.readWhole(text)
	require.Empty(t, r.problems)
	require.Equal(t, want, got)
	return true
}

func TestReadParts(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		inParts    bool
	}{
		{"sections", "a:\n  x: 1\n  y: [1, 2]\n  z: {k: v}\nb:\n  u: 1\n  v: 2\nc: d\n", true},
		{"nothing but a comment in a part", "# one\na: 1\n", false},
		{"deep and commented", "a: # two\n  x:\n    - {n: 1}\n# three\n    - n: 2\n  y:\nb:\n\n  u: |\n    b: c\n   # d\n  v: >+\n    e\n\n  w: 'x'\n", true},
		{"long scalars", "a:\n  x: one\n    two\n  y: \"three\n    four\"\nb: five\n  six\nc: 7\n", true},
		{"nothing below", "a:\nb:\nc:\n", true},
		{"list", "a:\n- x: 1\n- y: 2\nb:\n  - z\nc: 1\n", true},
		{"quotes over a line that looks like an entry", "a:\n  x: 'one\n  y: two'\n  z: 3\n", false},
		{"brackets over a line that looks like an entry", "a:\n  x: [one,\n  y: two]\n  z: 3\n", false},
		{"alias of another part", "a: &k v\nb: 1\nc: *k\n", false},
		{"alias of the same part", "a: [&k v, *k]\nb: 1\n", false},
		{"directive", "%YAML 1.1\n---\na: 1\nb: 2\n", false},
		{"second document", "a: 1\nb: 2\n---\nc: 3\n", false},
		{"less indentation", "a:\n    x: 1\n  y: 2\nb: 3\n", false},
		{"windows", "a: 1\r\nb: 2\r\n", false},
		{"other line break", "a: 1\u2028b: 2\nc: 3\n", false},
		{"flow", "{a: 1,\nb: 2}\n", false},
		{"no mapping", "one\ntwo\nthree\n", false},
		{"indented document", "  a: 1\n  b: 2\n", false},
		{"tab", "a:\n\tx: 1\nb: 2\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.inParts, sameTree(t, []byte(tt.text), 1)) })
	}
}

// TestReadPartsOfExample: the example has everything that zone files have.
func TestReadPartsOfExample(t *testing.T) {
	for _, size := range []int{1, 100, 1000} {
		sameTree(t, exampleText(t), size)
	}
	require.True(t, sameTree(t, bigZone(300, 100, 4), 1))
}

// TestPartsOfBigFile: a file that is read in parts has its problems at the same places as one that is not.
func TestPartsOfBigFile(t *testing.T) {
	big := bigZone(8_000, 4_000, 4)
	require.NotNil(t, readParts(big, partSize))
	wrongs := []string{"  s: {tiers: [{nowhere: 1}]}\n", "  p77: 1\n", "  s9999: {tires: [{p1: 1}]}\n", "  s7: {tiers: [{p1: 1}]}\n"}
	for _, wrong := range wrongs[:suite.Cases(4, 1)] {
		text := append(append([]byte(nil), big...), wrong...)
		_, inParts := Parse("z.yaml", text, ParseOptions{})
		// A carriage return anywhere keeps the parts away.
		_, whole := Parse("z.yaml", append(text, "#\r\n"...), ParseOptions{})
		require.True(t, inParts.HasErrors())
		require.Equal(t, whole, inParts)
	}
	_, problems := Parse("z.yaml", append(big, "  s: [\n"...), ParseOptions{})
	require.True(t, strings.HasPrefix(problems[0].Message, "not YAML"), problems[0].Message)
}

func FuzzReadParts(f *testing.F) {
	f.Add(exampleText(f))
	f.Add(bigZone(3, 3, 2))
	for _, s := range []string{"a:\n  b: 'x\n  c: y'\n", "a: |\n  b: c\nd: e\n", "? a\n: b\nc: d\n", "a:\n  b: \"x\\\n  c: y\"\n", "a: b\n  c\nd: - e\n", "a: !!map\n  b: c\n  d: e\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if i, _ := badText(text); i < 0 {
			sameTree(t, text, 1)
		}
	})
}
