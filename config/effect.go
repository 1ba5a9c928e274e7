package config

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// notYet is what a Notice says.
const notYet = "accepted, not in effect yet"

// An effectRow is a key whose behaviour comes in a later version.
type effectRow struct {
	// path is the key; "*" stands for any key.
	path string
	// values limits the row to these values; empty means any.
	values []string
}

// zoneNotInEffect lists the keys of a zone file that are checked and otherwise ignored. Whoever puts a key into effect
// deletes its row.
var zoneNotInEffect []effectRow

// nodeNotInEffect is the same for the node file.
var nodeNotInEffect []effectRow

// An effectTree is a table as a tree, so that a file is walked once however many rows there are.
type effectTree struct {
	listed bool
	values []string
	below  map[string]*effectTree
}

func newEffectTree(rows []effectRow) *effectTree {
	root := new(effectTree)
	for _, row := range rows {
		t := root
		for step := range strings.SplitSeq(row.path, ".") {
			if t.below == nil {
				t.below = make(map[string]*effectTree)
			}
			if t.below[step] == nil {
				t.below[step] = new(effectTree)
			}
			t = t.below[step]
		}
		t.listed, t.values = true, row.values
	}
	return root
}

// noteEffects adds a Notice for each key below n that t lists.
func (r *report) noteEffects(n *yamlNode, t *effectTree, at *yamlPath) {
	n = follow(n)
	if t.below == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := follow(&n.Content[i]), follow(&n.Content[i+1])
		sub := t.below[k.Value]
		if sub == nil {
			sub = t.below["*"]
		}
		if sub == nil {
			continue
		}
		child := yamlPath{up: at, key: k.Value}
		if sub.listed && (sub.values == nil || slices.Contains(sub.values, v.Value)) {
			r.node(k, Notice, child.String(), notYet, "")
		}
		r.noteEffects(v, sub, &child)
	}
}
