package foreign

import (
	"fmt"
	"strings"
)

// An entry is the tokens of one logical line of a master file.
type entry struct {
	line     int
	indented bool
	words    []token
}

// tokens splits a master file: comments go, parentheses join lines.
func tokens(text string) ([]entry, error) {
	s := &masterScan{text: text, line: 1}
	for s.i < len(s.text) {
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	if s.depth != 0 {
		return nil, fmt.Errorf("line %d: parentheses that do not match", s.line)
	}
	s.end()
	return s.out, nil
}

type masterScan struct {
	text string
	// i is the place, line its number; depth counts open parentheses.
	i, line, depth int
	// begun is set once something stands in the entry or before it on the line.
	begun bool
	now   entry
	out   []entry
}

func (s *masterScan) end() {
	if len(s.now.words) > 0 {
		s.out = append(s.out, s.now)
	}
	s.now, s.begun = entry{}, false
}

func (s *masterScan) step() error {
	c := s.text[s.i]
	switch {
	case c == '\n':
		if s.depth == 0 {
			s.end()
		}
		s.line++
		s.i++
		return nil
	case c == ';':
		if n := strings.IndexByte(s.text[s.i:], '\n'); n >= 0 {
			s.i += n
		} else {
			s.i = len(s.text)
		}
		return nil
	case c == ' ' || c == '\t' || c == '\r':
		if !s.begun {
			s.now.indented, s.begun = true, true
		}
		s.i++
		return nil
	case c == '(' || c == ')':
		s.depth += map[byte]int{'(': 1, ')': -1}[c]
		s.i++
		if s.depth < 0 {
			return fmt.Errorf("line %d: a ) without a (", s.line)
		}
		return nil
	}
	if len(s.now.words) == 0 {
		s.now.line = s.line
	}
	s.begun = true
	if c == '"' {
		return s.quoted()
	}
	from := s.i
	for s.i < len(s.text) && !strings.ContainsRune(" \t\r\n;()\"", rune(s.text[s.i])) {
		if s.text[s.i] == '\\' {
			s.i++
		}
		s.i++
	}
	s.i = min(s.i, len(s.text))
	s.now.words = append(s.now.words, token{text: s.text[from:s.i], line: s.line})
	return nil
}

// quoted reads a text between quotes; \X is X there, and \DDD an octet.
func (s *masterScan) quoted() error {
	var b strings.Builder
	at := s.line
	for s.i++; s.i < len(s.text); s.i++ {
		switch c := s.text[s.i]; c {
		case '"':
			s.i++
			s.now.words = append(s.now.words, token{text: b.String(), quoted: true, line: at})
			return nil
		case '\\':
			n := octet(s.text[s.i+1:])
			if n >= 0 {
				b.WriteByte(byte(n))
				s.i += 3
			} else if s.i+1 < len(s.text) {
				s.i++
				b.WriteByte(s.text[s.i])
			}
		default:
			if c == '\n' {
				s.line++
			}
			b.WriteByte(c)
		}
	}
	return fmt.Errorf("line %d: a quote that does not end", at)
}

// octet is the number that three digits at the beginning of s make; -1 if there are none.
func octet(s string) int {
	if len(s) < 3 {
		return -1
	}
	n := 0
	for _, r := range s[:3] {
		if r < '0' || r > '9' {
			return -1
		}
		n = n*10 + int(r-'0')
	}
	if n > 255 {
		return -1
	}
	return n
}
