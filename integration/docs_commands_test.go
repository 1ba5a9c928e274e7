package integration

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocCommands: the commands in the blocks of the documents, typed as they stand into a shell of a machine that has what they speak of, succeed: a cluster
// of three nodes as `fairlead init` makes it, and for docs/dr.md a node with the zone of the chapter. What does not run here stands in docLeft, with the reason.
func TestDocCommands(t *testing.T) {
	waits(t)
	if inNamespaces(t) {
		return
	}
	m := newDocMachine(t)
	unused := maps.Clone(docLeft)
	var first, cluster, keys, last, alone []docBlock
	for path, text := range books(t) {
		page := strings.TrimPrefix(path, "../")
		for _, b := range commandsOf([]byte(text)) {
			block := docBlock{page: page, lines: b.lines}
			for _, zone := range b.zones {
				if strings.Contains(zone, docHas[block.name()]) {
					block.zone = zone
				}
			}
			switch key := block.leftBy(); {
			case key != "":
				delete(unused, key)
			case page == "docs/dr.md":
				alone = append(alone, block)
			case strings.Contains(strings.Join(b.lines, "\n"), "--practice"):
				// It practises while all is as the files say, and nothing waits for a person.
				first = append(first, block)
			case page == "docs/dnssec.md":
				// It makes keys for one of the nodes.
				keys = append(keys, block)
			case strings.Contains(strings.Join(b.lines, "\n"), "nodes stopped"):
				// A node is lost by it.
				last = append(last, block)
			default:
				cluster = append(cluster, block)
			}
		}
	}
	for _, command := range docSpan.FindAllStringSubmatch(books(t)["../docs/alerts.md"], -1) {
		block := docBlock{page: "docs/alerts.md", lines: []string{strings.ReplaceAll(command[1], "\n", " ")}}
		if strings.Contains(block.lines[0], "nodes stopped") {
			last = append(last, block)
		} else if !slices.ContainsFunc(cluster, func(b docBlock) bool { return b.page == block.page && b.lines[0] == block.lines[0] }) {
			cluster = append(cluster, block)
		}
	}
	assert.Empty(t, unused, "no such blocks")
	require.Greater(t, len(cluster)+len(keys)+len(last), 15)
	require.Greater(t, len(alone), 6)
	order := func(a, b docBlock) int { return strings.Compare(a.page, b.page) }
	slices.SortStableFunc(cluster, order)
	t.Run("cluster", func(t *testing.T) {
		m := m.of(t)
		m.cluster(docZone, docNode, map[string]string{"plans.d/eu-out.yaml": docPlan})
		m.settle()
		for _, b := range slices.Concat(first, cluster, keys, last) {
			t.Run(b.name(), func(t *testing.T) {
				m.of(t).runBlock(b)
			})
		}
	})
	for _, b := range alone {
		t.Run(b.name(), func(t *testing.T) {
			m := m.of(t)
			m.nodes = []*process{m.alone(b.zone)}
			m.runBlock(b)
		})
	}
}

// docSpan is a command within a sentence.
var docSpan = regexp.MustCompile("`(fairlead [a-z][^`]*)`")

// A docBlock is a block of commands, with the page where it stands and the zone file that stands before it there.
type docBlock struct {
	page  string
	lines []string
	zone  string
}

func (b docBlock) name() string { return b.page + ": " + b.lines[0] }

// leftBy is the entry that leaves the block out; empty for none.
func (b docBlock) leftBy() string {
	for key := range docLeft {
		if strings.HasPrefix(b.name(), key) {
			return key
		}
	}
	return ""
}

// runBlock runs the lines of a block, one after the other.
func (m *docMachine) runBlock(b docBlock) {
	defer m.tidy()
	fill := strings.NewReplacer(docFill[b.page]...)
	for _, line := range b.lines {
		if strings.HasPrefix(b.lines[0], "$ ") && !strings.HasPrefix(line, "$ ") {
			// What is printed.
			continue
		}
		line = fill.Replace(strings.TrimPrefix(line, "$ "))
		var rule docRule
		for _, r := range docRules {
			if strings.HasPrefix(line, r.line) && (r.page == "" || r.page == b.page) {
				rule = r
				break
			}
		}
		if rule.left != "" {
			continue
		}
		if rule.before != nil {
			rule.before(m)
		}
		out, code := m.shell(rule.wrap+line, rule.endless)
		if code == 3 && (strings.Contains(line, "fairlead status") || strings.HasPrefix(line, "fairlead staleness")) {
			// Not all is well, or known, which is said.
			code = 0
		}
		require.Equal(m.t, rule.code, code, "%s\n%s", line, out)
		m.t.Logf("%s\n%.600s", line, out)
	}
}
