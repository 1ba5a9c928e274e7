package foreign

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// A vscf is a value of gdnsd's configuration language: a text, a list, or a hash whose keys keep their order.
type vscf struct {
	file string
	line int
	text string
	list []*vscf
	// keys and values are those of a hash; isHash and isList tell empty ones apart.
	keys           []string
	values         []*vscf
	isHash, isList bool
}

// get is the value of a key; nil if there is none. It is safe on nil.
func (v *vscf) get(key string) *vscf {
	if v == nil {
		return nil
	}
	if i := slices.Index(v.keys, key); i >= 0 {
		return v.values[i]
	}
	return nil
}

// str is a text; otherwise where there is none.
func (v *vscf) str(otherwise string) string {
	if v == nil || v.isHash || v.isList {
		return otherwise
	}
	return v.text
}

// items are the entries of a list; a single value counts as a list of one.
func (v *vscf) items() []*vscf {
	switch {
	case v == nil:
		return nil
	case v.isList:
		return v.list
	}
	return []*vscf{v}
}

func (v *vscf) set(key string, value *vscf) {
	v.isHash = true
	v.keys, v.values = append(v.keys, key), append(v.values, value)
}

// with is a copy of v in which keys of defaults stand that v does not have.
func (v *vscf) with(defaults *vscf, but ...string) *vscf {
	out := *v
	out.keys, out.values = slices.Clone(v.keys), slices.Clone(v.values)
	if defaults != nil {
		for i, k := range defaults.keys {
			if !slices.Contains(but, k) && v.get(k) == nil {
				out.set(k, defaults.values[i])
			}
		}
	}
	return &out
}

// parseVscf reads a file, whose top is a hash without braces.
func (imp *importer) parseVscf(f File, depth int) (*vscf, error) {
	p := &vscfParser{imp: imp, file: f.Name, text: string(f.Content), line: 1, depth: depth}
	p.space()
	if p.peek() == '[' {
		return p.value()
	}
	out := &vscf{file: f.Name, line: 1, isHash: true}
	err := p.pairs(out, 0)
	return out, err
}

type vscfParser struct {
	imp            *importer
	file, text     string
	i, line, depth int
}

func (p *vscfParser) peek() byte {
	if p.i >= len(p.text) {
		return 0
	}
	return p.text[p.i]
}

func (p *vscfParser) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.file, p.line, fmt.Sprintf(format, args...))
}

// space skips white space, comments and the commas that nothing depends on.
func (p *vscfParser) space() {
	for p.i < len(p.text) {
		switch c := p.text[p.i]; {
		case c == '\n':
			p.line++
		case c == '#' || c == ';':
			for p.i < len(p.text) && p.text[p.i] != '\n' {
				p.i++
			}
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == ',':
		default:
			return
		}
		p.i++
	}
}

// pairs reads keys and values until end, which is 0 at the top.
func (p *vscfParser) pairs(into *vscf, end byte) error {
	for {
		p.space()
		switch c := p.peek(); {
		case c == end:
			p.i++
			return nil
		case c == 0:
			return p.errorf("a hash that does not end")
		}
		if strings.HasPrefix(p.text[p.i:], "$include{") {
			inc, err := p.include()
			if err != nil {
				return err
			}
			for i, k := range inc.keys {
				into.set(k, inc.values[i])
			}
			continue
		}
		key, err := p.word()
		if err != nil {
			return err
		}
		p.space()
		if p.peek() != '=' {
			return p.errorf("want => behind %q", key)
		}
		if p.i++; p.peek() == '>' {
			p.i++
		}
		value, err := p.value()
		if err != nil {
			return err
		}
		into.set(key, value)
	}
}

func (p *vscfParser) value() (*vscf, error) {
	p.space()
	v := &vscf{file: p.file, line: p.line}
	switch p.peek() {
	case '{':
		p.i++
		v.isHash = true
		return v, p.pairs(v, '}')
	case '[':
		p.i++
		v.isList = true
		for {
			p.space()
			if p.peek() == ']' {
				p.i++
				return v, nil
			}
			item, err := p.value()
			if err != nil {
				return nil, err
			}
			v.list = append(v.list, item)
		}
	case '$':
		return p.include()
	}
	text, err := p.word()
	v.text = text
	return v, err
}

// word reads a text, quoted or not.
func (p *vscfParser) word() (string, error) {
	quoted := p.peek() == '"'
	if quoted {
		p.i++
	}
	var b strings.Builder
	from := p.i
	for ; p.i < len(p.text); p.i++ {
		c := p.text[p.i]
		switch {
		case quoted && c == '"':
			p.i++
			return b.String(), nil
		case c == '\\':
			if n := octet(p.text[p.i+1:]); n >= 0 {
				b.WriteByte(byte(n))
				p.i += 3
			} else if p.i++; p.i < len(p.text) {
				b.WriteByte(p.text[p.i])
			}
		case !quoted && strings.ContainsRune("][}{;#,\"= \t\r\n", rune(c)):
			if p.i == from {
				return "", p.errorf("unexpected %q", c)
			}
			return b.String(), nil
		default:
			if c == '\n' {
				p.line++
			}
			b.WriteByte(c)
		}
	}
	if quoted || p.i == from {
		return "", p.errorf("the file ends too early")
	}
	return b.String(), nil
}

// include reads $include{PATH}.
func (p *vscfParser) include() (*vscf, error) {
	rest, ok := strings.CutPrefix(p.text[p.i:], "$include{")
	end := strings.IndexByte(rest, '}')
	if !ok || end < 0 || p.imp.read == nil || p.depth >= maxIncludes {
		return nil, p.errorf("an include that cannot be followed")
	}
	path := strings.Trim(strings.TrimSpace(rest[:end]), `"`)
	p.i += len("$include{") + end + 1
	if strings.ContainsAny(path, "*?[") {
		return nil, p.errorf("includes by pattern are not supported: name the files")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(p.file), path)
	}
	content, err := p.imp.read(path)
	if err != nil {
		return nil, p.errorf("%s", err)
	}
	return p.imp.parseVscf(File{path, content}, p.depth+1)
}
