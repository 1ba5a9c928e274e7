package foreign

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// A tree is a value of a YAML or JSON file. The zero tree is nothing; all methods are safe on it.
type tree struct {
	file string
	n    *yaml.Node
}

func parseTree(f File) (tree, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(f.Content, &doc); err != nil {
		return tree{}, fmt.Errorf("%s: %w", f.Name, err)
	}
	if len(doc.Content) == 0 {
		return tree{file: f.Name}, nil
	}
	return tree{f.Name, doc.Content[0]}.follow(), nil
}

func (t tree) follow() tree {
	for t.n != nil && t.n.Kind == yaml.AliasNode {
		t.n = t.n.Alias
	}
	return t
}

func (t tree) is() bool { return t.n != nil && t.n.Tag != "!!null" }

func (t tree) line() int {
	if t.n == nil {
		return 0
	}
	return t.n.Line
}

// get is the value of a key.
func (t tree) get(key string) tree {
	if t.n == nil || t.n.Kind != yaml.MappingNode {
		return tree{file: t.file}
	}
	for i := 0; i+1 < len(t.n.Content); i += 2 {
		if t.n.Content[i].Value == key {
			return tree{t.file, t.n.Content[i+1]}.follow()
		}
	}
	return tree{file: t.file}
}

// pairs are the keys and values of a mapping, in order.
func (t tree) pairs() (keys []string, values []tree) {
	if t.n == nil || t.n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(t.n.Content); i += 2 {
		keys = append(keys, t.n.Content[i].Value)
		values = append(values, tree{t.file, t.n.Content[i+1]}.follow())
	}
	return keys, values
}

// items are the entries of a list; one value counts as a list of one.
func (t tree) items() (out []tree) {
	switch {
	case !t.is():
	case t.n.Kind == yaml.SequenceNode:
		for _, n := range t.n.Content {
			out = append(out, tree{t.file, n}.follow())
		}
	default:
		out = append(out, t)
	}
	return out
}

func (t tree) str(otherwise string) string {
	if !t.is() || t.n.Kind != yaml.ScalarNode {
		return otherwise
	}
	return t.n.Value
}

func (t tree) int(otherwise int) int {
	if n, err := strconv.Atoi(t.str("")); err == nil {
		return n
	}
	return otherwise
}

func (t tree) bool(otherwise bool) bool {
	if b, err := strconv.ParseBool(strings.ToLower(t.str(""))); err == nil {
		return b
	}
	return otherwise
}

// texts are the scalars of a list.
func (t tree) texts() (out []string) {
	for _, item := range t.items() {
		if s := item.str(""); s != "" {
			out = append(out, s)
		}
	}
	return out
}
