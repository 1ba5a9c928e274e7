package config

import (
	"regexp"
	"strconv"
	"strings"
)

// A report collects the problems of one file while it is parsed.
type report struct {
	file     string
	src      *source
	problems Problems
	// aliased is set when the tree has aliases: then a value can stand in more than one place.
	aliased bool
}

func newReport(file string, text []byte) *report {
	return &report{file: file, src: &source{text: text}}
}

// at adds a problem at a place of the file.
func (r *report) at(line, col int, s Severity, path, msg, help string) {
	r.problems = append(r.problems, Problem{File: r.file, Line: line, Col: col, Severity: s, Path: path, Message: msg, Help: help})
}

// whole adds an error of the file as a whole.
func (r *report) whole(msg, help string) { r.at(0, 0, Error, "", msg, help) }

// node adds a problem at n; without n, one of the file as a whole.
func (r *report) node(n *yamlNode, s Severity, path, msg, help string) {
	if n == nil {
		r.at(0, 0, s, path, msg, help)
		return
	}
	r.at(int(n.Line), int(n.Column), s, path, msg, help)
}

func (r *report) hasErrors() bool { return r.problems.HasErrors() }

// finish sorts the problems and quotes their source lines. The text is not needed afterwards.
func (r *report) finish() Problems {
	out := r.problems.tidy()
	for i := range out {
		if p := &out[i]; p.File == r.file && p.Line > 0 && p.SourceLine == "" {
			p.SourceLine, p.Caret = r.src.quote(p.Line, p.Col)
		}
	}
	return out
}

// A yamlPath is where a node stands in the tree: the way up to the root. It is only written out for a problem.
type yamlPath struct {
	up *yamlPath
	// key is the mapping key, or index the place in a list when key is empty.
	key   string
	index int
}

func (p *yamlPath) child(key string) *yamlPath { return &yamlPath{up: p, key: key} }
func (p *yamlPath) item(index int) *yamlPath   { return &yamlPath{up: p, index: index} }

// at is the path below p; strings are keys, ints are indices.
func (p *yamlPath) at(steps ...any) *yamlPath {
	for _, s := range steps {
		switch s := s.(type) {
		case string:
			p = p.child(s)
		case int:
			p = p.item(s)
		}
	}
	return p
}

func (p *yamlPath) String() string {
	if p == nil {
		return ""
	}
	up := p.up.String()
	switch {
	case p.key == "":
		return up + "[" + strconv.Itoa(p.index) + "]"
	case up == "":
		return quoteKey(p.key)
	default:
		return up + "." + quoteKey(p.key)
	}
}

// quoteKey quotes keys that could be taken for a part of a path.
func quoteKey(key string) string {
	key = shorten(key)
	if strings.ContainsAny(key, ".[]\" \t\n") {
		return strconv.Quote(key)
	}
	return key
}

var zoneKey = regexp.MustCompile(`(?m)^["']?zone["']?[ \t]*:[ \t]*`)

// AtZone is an error about the zone's name in a file, at the key `zone` where that stands in a line of its own.
func AtZone(file string, content []byte, msg, help string) Problem {
	r := newReport(file, content)
	line, col := 0, 0
	if m := zoneKey.FindIndex(content); m != nil {
		line, col = r.src.place(m[1])
	}
	r.at(line, col, Error, "zone", msg, help)
	return r.finish()[0]
}
