package config

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// A shape says what may stand at one place of a file: it is what the strict walk checks and what the JSON Schema is made
// of, so the two know the same keys. Exactly one of scalar, object, dict and list is set, or some of either.
type shape struct {
	scalar *scalar
	// either are alternatives, at most one of them for each of scalar, mapping and sequence.
	either []*shape

	// object is a mapping with fixed keys, in the order of the documentation.
	object []key

	// dict is a mapping with free keys; noun is what one entry is called.
	dict *shape
	noun string

	list *shape
	// least and most bound the entries of dict and list; most 0 means no bound.
	least, most int
}

// walk checks n against sh and reports what does not fit. It follows aliases; parseTree made sure that this ends.
func (r *report) walk(n *yamlNode, sh *shape, at *yamlPath) {
	n = follow(n)
	if n.tag() != "" {
		r.node(n, Error, at.String(), fmt.Sprintf("the tag %s: tags are not supported", shorten(n.tag())), "")
		return
	}
	if sh = sh.choose(n.Kind); !sh.fits(n.Kind) {
		r.wrongKind(n, sh, at)
		return
	}
	switch {
	case sh.scalar != nil:
		if msg, help := sh.scalar.check(n); msg != "" {
			r.node(n, Error, at.String(), msg, help)
		}
	case sh.list != nil:
		r.walkList(n, sh, at)
	default:
		r.walkMapping(n, sh, at)
	}
}

// choose is the alternative for a node of kind k; without a fitting one, the first.
func (sh *shape) choose(k yaml.Kind) *shape {
	if sh.either == nil {
		return sh
	}
	for _, s := range sh.either {
		if s.fits(k) {
			return s
		}
	}
	return sh.either[0]
}

func (sh *shape) fits(k yaml.Kind) bool {
	switch {
	case sh.scalar != nil:
		return k == yaml.ScalarNode
	case sh.list != nil:
		return k == yaml.SequenceNode
	default:
		return k == yaml.MappingNode
	}
}

func (r *report) wrongKind(n *yamlNode, sh *shape, at *yamlPath) {
	got := map[yaml.Kind]string{yaml.ScalarNode: "one value", yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}[n.Kind]
	if n.isNull() {
		got = "nothing"
	}
	want, help := "a mapping", ""
	switch {
	case sh.scalar != nil:
		want = sh.scalar.want
	case sh.list != nil:
		want, help = "a list", "a list is written as [a, b], or as one line with a dash for each entry"
	}
	r.node(n, Error, at.String(), fmt.Sprintf("want %s, got %s", want, got), help)
}

func (r *report) walkList(n *yamlNode, sh *shape, at *yamlPath) {
	r.bounds(n, sh, at, len(n.Content), "entry", "entries")
	for i := range n.Content {
		r.walk(&n.Content[i], sh.list, at.item(i))
	}
}

func (r *report) bounds(n *yamlNode, sh *shape, at *yamlPath, got int, one, many string) {
	switch {
	case got == 0 && sh.least == 1:
		r.node(n, Error, at.String(), "is empty; at least one "+one+" is needed", "")
	case got < sh.least || sh.most > 0 && got > sh.most:
		r.node(n, Error, at.String(), fmt.Sprintf("%d %s, want %s", got, many, countText(sh.least, sh.most)), "")
	}
}

func countText(least, most int) string {
	switch {
	case most == 0:
		return fmt.Sprintf("at least %d", least)
	case least == most:
		return fmt.Sprintf("%d", least)
	default:
		return fmt.Sprintf("%d to %d", least, most)
	}
}

func (r *report) walkMapping(n *yamlNode, sh *shape, at *yamlPath) {
	seen, bad := make(map[string]int, len(n.Content)/2), false
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := follow(&n.Content[i]), &n.Content[i+1]
		if !r.keyOK(k, at) {
			bad = true
			continue
		}
		child := yamlPath{up: at, key: k.Value}
		if line, dup := seen[k.Value]; dup {
			r.node(k, Error, child.String(), fmt.Sprintf("duplicate key %q", shorten(k.Value)), fmt.Sprintf("it stands at line %d already", line))
			continue
		}
		seen[k.Value] = int(k.Line)
		if sh.dict != nil {
			r.walk(v, sh.dict, &child)
			continue
		}
		r.walkKey(k, v, sh, &child)
	}
	if sh.dict != nil {
		r.bounds(n, sh, at, len(n.Content)/2, sh.noun, sh.noun+"s")
		return
	}
	for i := range sh.object {
		// A merge key may have been meant to bring what is missing.
		if k := &sh.object[i]; k.required && !bad {
			if _, ok := seen[k.name]; !ok {
				r.node(n, Error, at.String(), fmt.Sprintf("the key %q is missing", k.name), "")
			}
		}
	}
}

// keyOK reports keys that are not plain strings, and merge keys: what they override is hard to see, and an alias for the
// whole value does nearly the same.
func (r *report) keyOK(k *yamlNode, at *yamlPath) bool {
	switch {
	case k.isMerge():
		r.node(k, Error, at.String(), "merge keys (<<) are not supported", "use an alias for the whole value: key: *anchor")
	case k.Kind != yaml.ScalarNode:
		r.node(k, Error, at.String(), "a key must be one word", "")
	case k.tag() != "":
		r.node(k, Error, at.String(), fmt.Sprintf("the tag %s: tags are not supported", shorten(k.tag())), "")
	case k.Value == "":
		r.node(k, Error, at.String(), "an empty key", "")
	default:
		return true
	}
	return false
}

func (r *report) walkKey(k, v *yamlNode, sh *shape, child *yamlPath) {
	for i := range sh.object {
		known := &sh.object[i]
		if known.name != k.Value {
			continue
		}
		if known.refused != "" {
			r.node(k, Error, child.String(), known.refused, "")
			return
		}
		r.walk(v, known.shape, child)
		return
	}
	names := sh.keyNames()
	r.node(k, Error, child.String(), fmt.Sprintf("unknown key %q", shorten(k.Value)),
		didYouMean(k.Value, names, "known keys: "+strings.Join(names, ", ")))
}

func (sh *shape) keyNames() []string {
	var names []string
	for _, k := range sh.object {
		if k.refused == "" {
			names = append(names, k.name)
		}
	}
	return names
}
