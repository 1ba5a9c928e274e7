package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// MaxFileBytes is the greatest size of a zone file and of each file that it names.
const MaxFileBytes = 64 << 20

// maxDepth is how deeply a file may nest. The shape of a zone file has 8 levels. The parser itself stops at 10,000.
const maxDepth = 32

// Aliases may make a tree at most aliasGrowth times larger than the file, but always aliasAllowance nodes and never
// more than aliasLimit: nine lines of nine aliases each would otherwise be 387 million nodes.
const (
	aliasGrowth    = 10
	aliasAllowance = 10_000
	aliasLimit     = 2_000_000
)

// parseTree reads the one document in text and returns its root, nil when there is no usable one. A tree that it returns
// has no cycles and a bounded size with all aliases followed.
func (r *report) parseTree(text []byte) *yamlNode {
	if len(text) > MaxFileBytes {
		r.whole(fmt.Sprintf("the file has %d octets; at most %d are read", len(text), MaxFileBytes), "")
		return nil
	}
	if i, what := badText(text); i >= 0 {
		line, col := r.src.place(i)
		r.at(line, col, Error, "", what+" in the file", "")
		return nil
	}
	root := readParts(text, partSize)
	if root == nil {
		if root = r.readWhole(text); root == nil {
			return nil
		}
	}
	s := &treeSize{sizes: make(map[*yamlNode]int)}
	total := s.of(root, 0)
	switch {
	case s.cycle != nil:
		r.node(s.cycle, Error, "", fmt.Sprintf("the alias *%s contains itself", s.cycle.Value), "")
		return nil
	case s.deep != nil:
		r.node(s.deep, Error, "", fmt.Sprintf("nested more than %d levels deep", maxDepth), "")
		return nil
	case total > min(max(aliasGrowth*s.own, aliasAllowance), aliasLimit)+s.own:
		r.node(s.alias, Error, "", "aliases make the file too large", fmt.Sprintf(
			"with all aliases followed a file may hold %d times its own values", aliasGrowth))
		return nil
	}
	return root
}

// readWhole is the tree of text, all of it parsed at once; nil after an error.
func (r *report) readWhole(text []byte) *yamlNode {
	doc, err := readDocument(text)
	var second secondDocument
	switch {
	case errors.As(err, &second):
		r.at(second.line, second.column, Error, "", "a second document in the file", "one file holds one zone; remove the --- line")
	case err != nil && !errors.Is(err, io.EOF):
		r.syntax(err)
		return nil
	}
	if doc == nil {
		r.whole("the file is empty", "")
		return nil
	}
	c := converter{anchors: make(map[*yaml.Node]*yamlNode)}
	root := new(yamlNode)
	c.convert(root, doc)
	r.aliased = len(c.anchors) > 0
	return root
}

// treeSize counts the nodes of a tree with its aliases followed, each anchor once.
type treeSize struct {
	// sizes holds the finished anchors; inProgress marks those that are being counted.
	sizes map[*yamlNode]int
	own   int
	// alias is the first one of the file, cycle the first that leads back to itself, deep the first node too deep.
	alias, cycle, deep *yamlNode
}

const inProgress = -1

func (s *treeSize) of(n *yamlNode, depth int) int {
	if depth > maxDepth && s.deep == nil {
		s.deep = n
	}
	if s.deep != nil || s.cycle != nil {
		return 0
	}
	if n.Kind == yaml.AliasNode {
		if s.alias == nil {
			s.alias = n
		}
		size, known := s.sizes[n.more.alias]
		if size == inProgress {
			s.cycle = n
			return 0
		}
		if known {
			return size
		}
		return s.of(n.more.alias, depth)
	}
	s.own++
	if n.anchored() {
		s.sizes[n] = inProgress
	}
	total := 1
	for i := range n.Content {
		total = min(total+s.of(&n.Content[i], depth+1), 2*(aliasLimit+MaxFileBytes))
	}
	if n.anchored() {
		s.sizes[n] = total
	}
	return total
}

var (
	syntaxLine    = regexp.MustCompile(`^line ([0-9]+): `)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntax reports what the YAML parser says. It gives a line at best, and the column is where the line's text begins.
func (r *report) syntax(err error) {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := syntaxLine.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	r.src.index()
	line = min(max(line, 1), len(r.src.starts))
	col := 1
	if m := unknownAnchor.FindStringSubmatch(msg); m != nil {
		if i := bytes.Index(r.src.text, []byte("*"+m[1])); i >= 0 {
			line, col = r.src.place(i)
		}
		r.at(line, col, Error, "", fmt.Sprintf("the alias *%s has no anchor above it", m[1]), "")
		return
	}
	if strings.Contains(msg, "expected <document start>") {
		r.at(line, col, Error, "", "content after the end of the document", "")
		return
	}
	text, _ := r.src.quote(line, 1)
	col += len(text) - len(strings.TrimLeft(text, " \t"))
	help := ""
	if strings.Contains(msg, "cannot start any token") && strings.Contains(text, "\t") {
		help = "YAML is indented with spaces, not tabs"
	}
	r.at(line, col, Error, "", "not YAML: "+msg, help)
}
