package config

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// ZoneExample, NodeExample and PlanExample have every key once.
var (
	//go:embed testdata/zone.example.yaml
	ZoneExample []byte
	//go:embed testdata/node.example.yaml
	NodeExample []byte
	//go:embed testdata/plan.example.yaml
	PlanExample []byte
)

// A KeyDoc is the entry of one key in the reference.
type KeyDoc struct {
	// File is zone, node or plan. Path is the keys from the top, with NAMES for free keys and [] for entries of lists.
	File, Path string
	// Type and Range say what may stand there, Default what holds without it; the latter two may be empty.
	Type, Range, Default string
	Required             bool
	// Text says what it does. Example is from the example file; empty where that would be long.
	Text, Example string
	// Holds are the names of the keys below it.
	Holds []string
	// Plain is set where Default can be written in the file.
	Plain bool
	// fields are those of the model that the key fills.
	fields []string
}

// Name is the last key of the path.
func (d *KeyDoc) Name() string { return d.Path[strings.LastIndexByte(d.Path, '.')+1:] }

// Above is the path of the mapping in which the key stands.
func (d *KeyDoc) Above() string { return d.Path[:max(0, strings.LastIndexByte(d.Path, '.'))] }

// KeyDocs are the entries of all keys of zone files, of the node file and of plan files, in the order of the tables.
func KeyDocs() []KeyDoc {
	return slices.Concat(keyDocs("zone", zoneShape(), ZoneExample), keyDocs("node", nodeShape(), NodeExample), keyDocs("plan", planShape(), PlanExample))
}

func keyDocs(file string, sh *shape, example []byte) []KeyDoc {
	w := &docWalk{file: file}
	// Without an example, as of a key that is none of the file, there is none of what is below either.
	w.object(sh, "", []*yamlNode{newReport(file, example).parseTree(example)})
	return w.out
}

// FieldKeys are the keys of the zone file that fill fields of the model, by Type.Field: their paths below the object that has them, a service,
// pool, endpoint or check, or below the zone.
func FieldKeys() map[string]string {
	out := make(map[string]string)
	for _, d := range keyDocs("zone", zoneShape(), ZoneExample) {
		for _, f := range d.fields {
			out[f] = d.Local()
		}
	}
	return out
}

// Local is the path below the last name of the user's choice, or entry of a list.
func (d *KeyDoc) Local() string {
	steps := strings.Split(d.Path, ".")
	from := 0
	for i, step := range steps {
		if step == strings.ToUpper(step) || strings.HasSuffix(step, "[]") {
			from = i + 1
		}
	}
	return strings.Join(steps[from:], ".")
}

type docWalk struct {
	file string
	out  []KeyDoc
}

// object adds the keys of sh, which stands at path, and in the places at of the example.
func (w *docWalk) object(sh *shape, path string, at []*yamlNode) {
	for i := range sh.object {
		k := &sh.object[i]
		if k.refused != "" {
			continue
		}
		var found []*yamlNode
		for _, n := range at {
			if v := field(n, k.name); v != nil {
				found = append(found, v)
			}
		}
		d := KeyDoc{
			File: w.file, Path: strings.TrimPrefix(path+"."+k.name, "."), Type: k.shape.kind(), Range: k.shape.span(), Default: k.def,
			Required: k.required, Plain: k.plain, fields: k.fields, Text: k.doc, Example: exampleOf(k, found),
		}
		w.out = append(w.out, d)
		index := len(w.out) - 1
		w.below(k.shape, d.Path, found)
		for _, sub := range w.out[index+1:] {
			if rest := strings.TrimPrefix(sub.Path, d.Path); strings.Count(rest, ".") == 1 || strings.Count(rest, ".") == 2 && strings.HasPrefix(rest, "."+k.shape.placeholder()+".") {
				w.out[index].Holds = append(w.out[index].Holds, sub.Name())
			}
		}
	}
}

// below goes on to the objects inside of sh.
func (w *docWalk) below(sh *shape, path string, at []*yamlNode) {
	switch {
	case sh.object != nil:
		w.object(sh, path, at)
	case sh.list != nil:
		var all []*yamlNode
		for _, n := range at {
			all = append(all, items(n)...)
		}
		w.below(sh.list, path+"[]", all)
	case sh.dict != nil:
		var all []*yamlNode
		for _, n := range at {
			for _, v := range entries(n) {
				all = append(all, v)
			}
		}
		w.below(sh.dict, path+"."+sh.placeholder(), all)
	}
	for _, s := range sh.either {
		w.below(s, path, at)
	}
}

// placeholder is what stands for the free keys of a dict.
func (sh *shape) placeholder() string {
	if sh.dict == nil {
		return ""
	}
	word, _, _ := strings.Cut(sh.noun, " ")
	return strings.ToUpper(word)
}

// kind is what may stand in a place, in words.
func (sh *shape) kind() string {
	switch {
	case sh.either != nil:
		var kinds []string
		for _, s := range sh.either {
			if kind := s.kind(); !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
		return strings.Join(kinds, ", or ")
	case sh.list != nil:
		return "list of " + sh.list.kind() + bounds(sh)
	case sh.dict != nil:
		return sh.placeholder() + ": " + sh.dict.kind() + bounds(sh)
	case sh.object != nil:
		return "mapping"
	}
	for _, article := range []string{"a ", "an "} {
		if kind, ok := strings.CutPrefix(sh.scalar.want, article); ok {
			return kind
		}
	}
	return sh.scalar.want
}

func bounds(sh *shape) string {
	if sh.most == 0 {
		return ""
	}
	return " (" + countText(sh.least, sh.most) + ")"
}

// span is the range of what may stand in a place, in words; empty for none.
func (sh *shape) span() string {
	switch {
	case sh.scalar != nil:
		return sh.scalar.span
	case sh.list != nil:
		return sh.list.span()
	case sh.dict != nil:
		return sh.dict.span()
	case len(sh.either) > 0:
		return sh.either[0].span()
	}
	return ""
}

// maxExample is how long an example is at most, in octets: it stands in one line.
const maxExample = 110

// exampleOf is the first of what an example file has for the key that fits in a line, else what the row says.
func exampleOf(k *key, found []*yamlNode) string {
	for _, n := range found {
		if text := k.name + ": " + flow(n); len(text) <= maxExample {
			return text
		}
	}
	switch {
	case k.example != "":
		return k.name + ": " + k.example
	case k.shape.kind() == "true or false":
		return k.name + ": true"
	}
	return ""
}

// flow is n in one line.
func flow(n *yamlNode) string {
	n = follow(n)
	var parts []string
	switch n.Kind {
	case yaml.SequenceNode:
		for i := range n.Content {
			parts = append(parts, flow(&n.Content[i]))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, flow(&n.Content[i])+": "+flow(&n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	if n.quoted() {
		return fmt.Sprintf("%q", n.Value)
	}
	return n.Value
}
