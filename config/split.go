package config

import (
	"bytes"
	"cmp"
	"errors"
	"io"

	"gopkg.in/yaml.v3"
)

// partSize is the least size of a part, in octets. The parser's nodes take 22 times the text: 759 MB for 35 MB.
const partSize = 256 << 10

// A part is some whole entries of a block mapping: of the document's, or of one of its sections.
type part struct {
	begin, end int
	// lines are those before begin.
	lines int
	// indent is how deep the keys stand; 0 for sections themselves.
	indent int
}

// cut divides text where an entry begins, going by the indentation alone. It returns nil if there is nothing to divide or
// the text is none that it knows; size is the least size of a part. A line inside of quotes or brackets can look like an entry: then the part before has no
// end to them, which is an error of that part, and readParts fails.
func cut(text []byte, size int) []part {
	if len(text) < 2*size || bytes.ContainsAny(text, "\r\u0085\u2028\u2029") {
		return nil
	}
	var parts []part
	// inner is how deep the entries of the present section stand; 0 if it cannot be cut. opened is set behind its key.
	inner, opened := 0, false
	lines := 0
	now := part{}
	next := func(at, indent int) {
		now.end = at
		parts = append(parts, now)
		now = part{begin: at, lines: lines, indent: indent}
	}
	for begin := 0; begin < len(text); lines++ {
		end := len(text)
		if n := bytes.IndexByte(text[begin:], '\n'); n >= 0 {
			end = begin + n + 1
		}
		line := bytes.TrimRight(text[begin:end], " \t\n")
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		at := begin
		begin = end
		if indent == len(line) || line[indent] == '#' {
			continue
		}
		big, entry := at-now.begin >= size, beginsWord(line[indent])
		switch {
		case line[0] == '%':
			return nil // a directive is for the whole document
		case indent == 0:
			if now.indent > 0 && !entry {
				return nil
			}
			if entry && (big || now.indent > 0) {
				next(at, 0)
			}
			inner, opened = 0, line[len(line)-1] == ':'
		case opened:
			inner, opened = indent, false
		case inner > 0 && indent < inner:
			return nil
		case indent == inner && entry && big:
			next(at, inner)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	next(len(text), 0)
	return parts
}

func beginsWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// readParts is the tree of text, parsed in parts and joined: the same as that of the text as a whole. It is nil where the
// parts cannot be had: without parts, and with any error or alias in one of them.
func readParts(text []byte, size int) *yamlNode {
	var root *yamlNode
	c := converter{anchors: make(map[*yaml.Node]*yamlNode)}
	for _, p := range cut(text, size) {
		doc, err := readDocument(text[p.begin:p.end])
		if err != nil {
			return nil
		}
		c.lines = p.lines
		n := new(yamlNode)
		if c.convert(n, doc); !p.holds(n) || len(c.anchors) > 0 {
			return nil
		}
		switch {
		case root == nil:
			root = n
		case p.indent == 0:
			root.Content = append(root.Content, n.Content...)
		default:
			section := &root.Content[len(root.Content)-1]
			if !p.holds(section) {
				return nil
			}
			section.Content = append(section.Content, n.Content...)
		}
	}
	return root
}

// holds tells whether n is a plain mapping whose keys stand as deep as those of p.
func (p *part) holds(n *yamlNode) bool {
	return n.Kind == yaml.MappingNode && n.more == nil && len(n.Content) > 0 && int(n.Content[0].Column) == p.indent+1
}

// A secondDocument is the error of a file that holds two; it says where the second one stands.
type secondDocument struct{ line, column int }

func (secondDocument) Error() string { return "a second document" }

// readDocument is the root of the one document in text. There is a root beside a secondDocument; io.EOF stands for no
// document at all.
func readDocument(text []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	var also error
	switch err := dec.Decode(&second); {
	case err == nil:
		also = secondDocument{second.Line, second.Column}
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, cmp.Or(also, io.EOF)
	}
	return doc.Content[0], also
}
