package foreign

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A lua is a value of a Lua expression that is data: a text or number, a table, or the call of a function.
type lua struct {
	text string
	// call is the function's name; args are its arguments.
	call string
	args []*lua
	// list is what a table has by position, fields what it has by name, in the order of names.
	table  bool
	list   []*lua
	names  []string
	fields []*lua
}

// get is a field of a table. It is safe on nil.
func (v *lua) get(name string) *lua {
	if v != nil {
		for i, n := range v.names {
			if n == name {
				return v.fields[i]
			}
		}
	}
	return nil
}

func (v *lua) str(otherwise string) string {
	if v == nil || v.table || v.call != "" {
		return otherwise
	}
	return v.text
}

func (v *lua) int(otherwise int) int {
	if n, err := strconv.Atoi(v.str("")); err == nil {
		return n
	}
	return otherwise
}

// errLua is said of what is more than data.
var errLua = errors.New("more than a call with constants")

// parseLua reads a snippet of a LUA record: an expression, or ";return" and one.
func parseLua(text string) (*lua, error) {
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, ";"); ok {
		rest, ok = strings.CutPrefix(strings.TrimSpace(rest), "return")
		if !ok {
			return nil, errLua
		}
		text = rest
	}
	p := &luaParser{text: text}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.i < len(p.text) && strings.Trim(p.text[p.i:], "; \t\n") != "" {
		return nil, errLua
	}
	return v, nil
}

type luaParser struct {
	text string
	i    int
}

// maxLua bounds tables in tables.
const maxLua = 16

func (p *luaParser) space() {
	for p.i < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.i]) >= 0 {
		p.i++
	}
}

func (p *luaParser) peek() byte {
	p.space()
	if p.i >= len(p.text) {
		return 0
	}
	return p.text[p.i]
}

// name reads letters, digits and underscores; empty if there are none.
func (p *luaParser) name() string {
	p.space()
	from := p.i
	for p.i < len(p.text) && (p.text[p.i] == '_' || p.text[p.i] >= 'a' && p.text[p.i] <= 'z' || p.text[p.i] >= 'A' && p.text[p.i] <= 'Z' ||
		p.i > from && p.text[p.i] >= '0' && p.text[p.i] <= '9') {
		p.i++
	}
	return p.text[from:p.i]
}

func (p *luaParser) value(depth int) (*lua, error) {
	if depth > maxLua {
		return nil, fmt.Errorf("nested more than %d deep", maxLua)
	}
	switch c := p.peek(); {
	case c == '{':
		return p.tableOf(depth)
	case c == '\'' || c == '"':
		return p.quoted(c)
	case c >= '0' && c <= '9':
		from := p.i
		for p.i < len(p.text) && (p.text[p.i] >= '0' && p.text[p.i] <= '9' || p.text[p.i] == '.') {
			p.i++
		}
		return &lua{text: p.text[from:p.i]}, nil
	}
	name := p.name()
	switch {
	case name == "true" || name == "false":
		return &lua{text: name}, nil
	case name == "" || p.peek() != '(':
		return nil, errLua
	}
	p.i++
	v := &lua{call: name}
	for p.peek() != ')' {
		arg, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		v.args = append(v.args, arg)
		if p.peek() == ',' {
			p.i++
		} else if p.peek() != ')' {
			return nil, errLua
		}
	}
	p.i++
	return v, nil
}

func (p *luaParser) tableOf(depth int) (*lua, error) {
	p.i++
	v := &lua{table: true}
	for p.peek() != '}' {
		name, at := "", p.i
		if p.peek() == '[' {
			p.i++
			k, err := p.value(depth + 1)
			if err != nil || p.peek() != ']' {
				return nil, errLua
			}
			p.i++
			name = k.text
		} else {
			name = p.name()
		}
		if p.peek() == '=' && name != "" {
			p.i++
		} else {
			name, p.i = "", at
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if name == "" {
			v.list = append(v.list, item)
		} else {
			v.names, v.fields = append(v.names, name), append(v.fields, item)
		}
		if c := p.peek(); c == ',' || c == ';' {
			p.i++
		} else if c != '}' {
			return nil, errLua
		}
	}
	p.i++
	return v, nil
}

func (p *luaParser) quoted(q byte) (*lua, error) {
	var b strings.Builder
	for p.i++; p.i < len(p.text); p.i++ {
		switch c := p.text[p.i]; c {
		case q:
			p.i++
			return &lua{text: b.String()}, nil
		case '\\':
			return nil, errLua
		default:
			b.WriteByte(c)
		}
	}
	return nil, errors.New("a text that does not end")
}
