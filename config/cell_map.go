package config

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// maxMapLines bounds the labels of one map.
const maxMapLines = 1_000_000

// A cellMapKey tells maps apart: services with the same one share it.
type cellMapKey struct {
	file   string
	shards int
}

// cellMap reads the file that gives labels a shard. What is wrong with a line is told of the file and the line.
func (b *builder) cellMap(c *Cells, n *yamlNode, at *yamlPath) {
	name := stringOf(n)
	if name == "" {
		return
	}
	key := cellMapKey{path.Clean(name), c.Shards}
	if known, read := b.cellMaps[key]; read {
		c.Map = known
		return
	}
	content, err := b.files.get(name)
	if err != nil {
		b.errorf(n, at, "", "%s", err)
		return
	}
	r := newReport(path.Join(path.Dir(b.file), path.Clean(name)), content)
	c.Map = c.readMap(r, string(content))
	b.problems = append(b.problems, r.finish()...)
	b.cellMaps[key] = c.Map
}

// readMap reads lines of a label and a shard; # begins a comment.
func (c *Cells) readMap(r *report, text string) map[string]int {
	labels := make(map[string]int)
	lines := make(map[string]int)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		bad := func(help, format string, args ...any) { r.at(number, 1, Error, "", fmt.Sprintf(format, args...), help) }
		if len(words) != 2 {
			bad("", "want LABEL SHARD, got %d words", len(words))
			continue
		}
		label := strings.ToLower(words[0])
		shard, err := strconv.Atoi(words[1])
		own, numbered := c.number([]byte(label))
		switch {
		case !isLabel(label):
			bad("the first label of the name, as in acme of acme.orders.example.org", "%q is no label of a name", shorten(words[0]))
		case err != nil || !integerText.MatchString(words[1]):
			bad("", "want a shard as a number, got %q", shorten(words[1]))
		case c.Shards > 0 && shard >= c.Shards:
			bad("", "the shard %d is not within 0-%d", shard, c.Shards-1)
		case lines[label] > 0:
			bad("", "%q stands in line %d too", label, lines[label])
		case numbered && own != shard:
			bad("", "the label %s is the shard of that number, and cannot be another one", label)
		case len(labels) == maxMapLines:
			bad("", "more than %d labels", maxMapLines)
			return labels
		default:
			labels[label], lines[label] = shard, number
		}
	}
	return labels
}

// isLabel tells whether text, in lower case, can be one label of a name: letters, digits, hyphens and underscores.
func isLabel(text string) bool {
	return text != "" && len(text) <= 63 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}
