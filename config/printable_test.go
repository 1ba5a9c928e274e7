package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPrintable: nothing commands a terminal or makes another line, and what is plain stays as it is.
func TestPrintable(t *testing.T) {
	for _, tt := range [][2]string{
		{"zones/a.yaml", "zones/a.yaml"},
		{"Zürich: 日本", "Zürich: 日本"},
		{"a\x1b[31mred.yaml", `a\x1b[31mred.yaml`},
		{"two\nlines\t", `two\nlines\t`},
		{"\u202egnp.exe", `\u202egnp.exe`},
		{"bad\xffutf8", `bad\xffutf8`},
	} {
		require.Equal(t, tt[1], Printable(tt[0]))
		require.Equal(t, Printable(tt[0]), Printable(Printable(tt[0])), "once is enough")
	}
	p := Problem{File: "z\x1b]0;title\a.yaml", Line: 1, Col: 2, Message: "the key \x1b[2J is unknown", Path: "a\nb"}
	require.Equal(t, `z\x1b]0;title\a.yaml:1:2: error: a\nb: the key \x1b[2J is unknown`, p.Head())
}
