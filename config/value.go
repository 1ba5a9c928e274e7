package config

import (
	"iter"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// The functions here read values out of a tree that has been walked against its shape. What does not fit was reported
// then, so they return the default, and the checks that follow say nothing more about it.

// field is the value of a key, nil when it is not there.
func field(n *yamlNode, key string) *yamlNode {
	_, v := fieldOf(n, key)
	return v
}

// fieldOf is the key's node and its value's.
func fieldOf(n *yamlNode, key string) (k, v *yamlNode) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := follow(&n.Content[i]); k.Kind == yaml.ScalarNode && k.Value == key {
			return k, follow(&n.Content[i+1])
		}
	}
	return nil, nil
}

// entries goes through a mapping.
func entries(n *yamlNode) iter.Seq2[*yamlNode, *yamlNode] {
	return func(yield func(k, v *yamlNode) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := follow(&n.Content[i])
			if k.Kind != yaml.ScalarNode || k.Value == "" || k.isMerge() {
				continue
			}
			if !yield(k, follow(&n.Content[i+1])) {
				return
			}
		}
	}
}

// items is the entries of a list; a single value counts as a list of one.
func items(n *yamlNode) []*yamlNode {
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.ScalarNode:
		return []*yamlNode{n}
	case n.Kind != yaml.SequenceNode:
		return nil
	}
	out := make([]*yamlNode, len(n.Content))
	for i := range n.Content {
		out[i] = follow(&n.Content[i])
	}
	return out
}

func stringOf(n *yamlNode) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.isNull() {
		return ""
	}
	return n.Value
}

func intOf(n *yamlNode, otherwise int) int {
	if n == nil || n.Kind != yaml.ScalarNode {
		return otherwise
	}
	v, msg, _ := parseInteger(n)
	if msg != "" {
		return otherwise
	}
	return int(v)
}

func boolOf(n *yamlNode) bool { return stringOf(n) == "true" }

func durationOf(n *yamlNode, otherwise time.Duration) time.Duration {
	if d, ok := ParseDuration(stringOf(n)); ok {
		return d
	}
	return otherwise
}

func ttlOf(n *yamlNode, otherwise uint32) uint32 {
	return uint32(durationOf(n, time.Duration(otherwise)*time.Second) / time.Second)
}

func percentOf(n *yamlNode, otherwise int) int {
	if v, ok := parsePercent(stringOf(n)); ok {
		return v
	}
	return otherwise
}

// amountOf reads a count or a share.
func amountOf(n *yamlNode, otherwise int) Amount {
	if strings.HasSuffix(stringOf(n), "%") {
		return Amount{N: percentOf(n, otherwise), Percent: true}
	}
	return Amount{N: intOf(n, otherwise)}
}
