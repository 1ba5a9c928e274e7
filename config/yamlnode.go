package config

import "gopkg.in/yaml.v3"

// A yamlNode is one value of a YAML file. It is a yaml.Node without comments, at a third of its size: the tree of a file of
// 35 MB has 3 million of them.
type yamlNode struct {
	Kind  yaml.Kind
	flags nodeFlags
	// Line and Column count from 1, Column in characters.
	Line, Column int32
	// Value is the text of a scalar, or the name behind the * of an alias.
	Value string
	// Content is keys and values in turns, or the entries of a list.
	Content []yamlNode
	// more is nil for nearly all.
	more *rareNode
}

// rareNode is what few nodes have.
type rareNode struct {
	// tag is what the file says; empty if it says nothing.
	tag      string
	anchored bool
	// alias is what an alias stands for.
	alias *yamlNode
}

type nodeFlags uint8

const (
	quotedNode nodeFlags = 1 << iota
	nullNode
	mergeNode
)

func (n *yamlNode) quoted() bool { return n.flags&quotedNode != 0 }

// isNull tells whether the file says nothing here, or null.
func (n *yamlNode) isNull() bool { return n.Kind == yaml.ScalarNode && n.flags&nullNode != 0 }

// isMerge tells whether n is a merge key.
func (n *yamlNode) isMerge() bool { return n.flags&mergeNode != 0 }

// tag is the tag that the file gives n; most have none.
func (n *yamlNode) tag() string {
	if n.more == nil {
		return ""
	}
	return n.more.tag
}

func (n *yamlNode) anchored() bool { return n.more != nil && n.more.anchored }

// follow is the node that n stands for.
func follow(n *yamlNode) *yamlNode {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.more.alias
	}
	return n
}

// A converter makes yamlNodes.
type converter struct {
	// lines are those before what is being converted.
	lines int
	// words are short values that came before, by their hash: most of a big file is keys, and names of AZs and pools.
	words [4096]string
	// anchors are the nodes that aliases stand for.
	anchors map[*yaml.Node]*yamlNode
}

// maxWord is how long values are that may come again.
const maxWord = 32

// convert makes to the node n, and takes n apart, so that no two whole trees are alive at once.
func (c *converter) convert(to *yamlNode, n *yaml.Node) {
	*to = yamlNode{Kind: n.Kind, Line: int32(n.Line + c.lines), Column: int32(n.Column), Value: c.word(n.Value)}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		to.flags |= quotedNode
	}
	switch n.Tag {
	case "!!null":
		to.flags |= nullNode
	case "!!merge":
		to.flags |= mergeNode
	}
	tagged := n.Style&yaml.TaggedStyle != 0
	if tagged || n.Anchor != "" || n.Alias != nil {
		to.more = &rareNode{anchored: n.Anchor != ""}
		if tagged {
			to.more.tag = n.Tag
		}
	}
	if n.Anchor != "" {
		c.anchors[n] = to
	}
	if n.Alias != nil {
		to.more.alias = c.anchors[n.Alias]
	}
	if len(n.Content) == 0 {
		return
	}
	to.Content = make([]yamlNode, len(n.Content))
	for i, child := range n.Content {
		c.convert(&to.Content[i], child)
		n.Content[i] = nil
	}
}

// word is s, in the memory of an equal value that came before, if one is remembered.
func (c *converter) word(s string) string {
	if len(s) > maxWord {
		return s
	}
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	known := &c.words[h%uint32(len(c.words))]
	if *known != s {
		*known = s
	}
	return *known
}
