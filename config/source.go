package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxSourceRunes is how much of a line a message shows; a long flow-style line is cut around the column.
const maxSourceRunes = 160

// source finds lines in the text of a file. It is dropped after the file was parsed: what messages quote is copied.
type source struct {
	text []byte
	// starts[i] is where line i+1 begins; made when first asked for, since most files have nothing to quote.
	starts []int
}

func (s *source) index() {
	if s.starts != nil {
		return
	}
	s.starts = []int{0}
	for i := 0; i < len(s.text); {
		n := lineBreak(s.text[i:])
		if n == 0 {
			i++
			continue
		}
		i += n
		s.starts = append(s.starts, i)
	}
}

// lineBreak is the length of the line break at the start of b, 0 if there is none: those of YAML 1.1, so that our lines
// are the parser's lines.
func lineBreak(b []byte) int {
	switch {
	case b[0] == '\n':
		return 1
	case b[0] == '\r' && len(b) > 1 && b[1] == '\n':
		return 2
	case b[0] == '\r':
		return 1
	case b[0] == 0xC2 && len(b) > 1 && b[1] == 0x85:
		return 2
	case b[0] == 0xE2 && len(b) > 2 && b[1] == 0x80 && (b[2] == 0xA8 || b[2] == 0xA9):
		return 3
	}
	return 0
}

// quote returns line number line, or what is around column col of it, and the column of col in that.
func (s *source) quote(line, col int) (string, int) {
	s.index()
	if line < 1 || line > len(s.starts) {
		return "", 0
	}
	end := len(s.text)
	if line < len(s.starts) {
		end = s.starts[line]
	}
	// A character has at most 4 octets: enough for the window, however long the line is.
	begin, skipped := s.starts[line-1], 0
	for ; col-skipped > maxSourceRunes/2 && begin < end; skipped++ {
		_, n := utf8.DecodeRune(s.text[begin:])
		begin += n
	}
	text := s.text[begin:min(end, begin+4*maxSourceRunes)]
	runes := []rune(strings.TrimRight(string(text), "\r\n\u0085\u2028\u2029"))
	if len(runes) > maxSourceRunes {
		runes = runes[:maxSourceRunes]
	}
	return string(runes), max(1, min(col-skipped, len(runes)+1))
}

// place is the line and column of the octet at offset.
func (s *source) place(offset int) (line, col int) {
	s.index()
	line = 1
	for line < len(s.starts) && s.starts[line] <= offset {
		line++
	}
	return line, utf8.RuneCount(s.text[s.starts[line-1]:offset]) + 1
}

// badText is the offset of the first octet that no YAML file may hold, and what is wrong with it; -1 when there is none.
func badText(text []byte) (int, string) {
	for i := 0; i < len(text); {
		c := text[i]
		if c >= 0x20 && c < 0x7F || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return i, "not UTF-8"
		case r == '\uFEFF' && i == 0:
		case r < 0x20, r == 0x7F, r > 0x7F && r < 0xA0 && r != 0x85, r == '\uFEFF', r == 0xFFFE, r == 0xFFFF:
			return i, fmt.Sprintf("control character U+%04X", r)
		}
		i += n
	}
	return -1, ""
}
