package docs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// pages are all documents for people, by their paths from here.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, pattern := range []string{"*.md", "../*.md", "../plugin/README.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range files {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			out[path] = string(text)
		}
	}
	require.Greater(t, len(out), 25)
	return out
}

var (
	fenced  = regexp.MustCompile("(?ms)^(```|~~~) ?([a-z-]*)\n(.*?)^(?:```|~~~)$")
	link    = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
)

// prose is a page without its blocks of code.
func prose(page string) string { return fenced.ReplaceAllString(page, "") }

// anchors are the fragments of a page's headings, as GitHub makes them.
func anchors(page string) (out []string) {
	for _, h := range heading.FindAllStringSubmatch(prose(page), -1) {
		out = append(out, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
				return r
			case r >= 'A' && r <= 'Z':
				return r + 'a' - 'A'
			}
			return -1
		}, h[1]))
	}
	return out
}

// TestLinks: every link to a file of the repository leads to it, and every fragment to a heading.
func TestLinks(t *testing.T) {
	all := pages(t)
	for path, page := range all {
		for _, m := range link.FindAllStringSubmatch(prose(page), -1) {
			file, fragment, _ := strings.Cut(m[1], "#")
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
				_, err := os.Stat(target)
				assert.NoError(t, err, "%s: %s", path, m[1])
			}
			if to, known := all[target]; known && fragment != "" {
				assert.Contains(t, anchors(to), fragment, "%s: %s", path, m[1])
			}
		}
	}
}

// TestBlocks: what is said to be YAML of a zone or a node is accepted, and JSON is JSON.
func TestBlocks(t *testing.T) {
	zones := 0
	for path, page := range pages(t) {
		for _, m := range fenced.FindAllStringSubmatch(page, -1) {
			switch m[2] {
			case "yaml":
				// A part of a file has its own key at the top and leaves out the rest: an ellipsis, or no zone.
				if !strings.Contains(m[3], "\nzone:") && !strings.HasPrefix(m[3], "zone:") {
					continue
				}
				if config.IsPlan([]byte(m[3])) {
					_, problems := config.ParsePlan(path, []byte(m[3]), nil)
					assert.Empty(t, problems, path)
					continue
				}
				zones++
				_, problems := config.Parse(path, []byte(m[3]), config.ParseOptions{Geo: config.GeoPresent})
				assert.False(t, problems.HasErrors(), "%s: %s", path, problems)
			case "yaml-node":
				_, problems := config.ParseNode(path, []byte(m[3]))
				assert.Empty(t, problems, path)
			case "json":
				assert.True(t, json.Valid([]byte(m[3])), "%s: %s", path, m[3])
			}
		}
	}
	require.GreaterOrEqual(t, zones, 3)
}

// TestKeysNamed: every key that a page names as `fairlead docs KEY` does, or with its path in a code span, is one of the reference.
func TestKeysNamed(t *testing.T) {
	known := make(map[string]bool)
	for _, d := range config.KeyDocs() {
		var path []string
		for step := range strings.SplitSeq(strings.ReplaceAll(d.Path, "[]", ""), ".") {
			if step != strings.ToUpper(step) {
				path = append(path, step)
			}
		}
		// Any end of the path names it.
		for i := range path {
			known[strings.Join(path[i:], ".")] = true
		}
	}
	span := regexp.MustCompile("`([a-z_0-9]+(?:\\.[a-z_0-9]+)+)(?:: [^`]*)?`")
	tops := []string{"health", "failback", "staleness", "ttl", "soa", "admin", "caches", "probe", "cluster", "gossip", "safety", "geo", "expect", "standby", "dnssec"}
	seen := 0
	for path, page := range pages(t) {
		if strings.Contains(path, "CHANGELOG") {
			// It names what was.
			continue
		}
		for _, m := range span.FindAllStringSubmatch(prose(page), -1) {
			top, _, _ := strings.Cut(m[1], ".")
			if !slices.Contains(tops, top) || slices.Contains([]string{".md", ".keys", ".key", ".crt", ".sock"}, filepath.Ext(m[1])) {
				continue
			}
			seen++
			assert.True(t, known[m[1]], "%s: `%s` is no key", path, m[1])
		}
	}
	require.Greater(t, seen, 30)
}

// TestMetricsNamed: every metric that a page or an alert names is in the manual, which a test of package plugin holds to the code.
func TestMetricsNamed(t *testing.T) {
	all := pages(t)
	manual := all["../plugin/README.md"]
	for _, dir := range []string{"../deploy/prometheus", "../deploy/grafana"} {
		files, err := filepath.Glob(dir + "/*")
		require.NoError(t, err)
		for _, path := range files {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			all[path] = string(text)
		}
	}
	name := regexp.MustCompile(`\bfairlead_[a-z_]+[a-z]\b`)
	for path, page := range all {
		if strings.Contains(path, "CHANGELOG") || path == "../plugin/README.md" {
			continue
		}
		for _, m := range name.FindAllString(page, -1) {
			base := m
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
			assert.True(t, strings.Contains(manual, base), "%s: %s", path, m)
		}
	}
}

// TestEventsNamed: every event that a page names is in docs/hooks.md, and every one that the code makes is there.
func TestEventsNamed(t *testing.T) {
	known := make(map[string]bool)
	row := regexp.MustCompile("(?m)^\\| (`[a-z]+\\.[^|]*) \\|")
	for _, m := range row.FindAllStringSubmatch(pages(t)["hooks.md"], -1) {
		prefix := ""
		for _, name := range regexp.MustCompile("`([a-z_]*\\.[a-z_]+)`").FindAllStringSubmatch(m[1], -1) {
			if before, _, _ := strings.Cut(name[1], "."); before != "" {
				prefix = before
			}
			_, after, _ := strings.Cut(name[1], ".")
			known[prefix+"."+after] = true
		}
	}
	require.Greater(t, len(known), 35)
	made := regexp.MustCompile(`[eE]vents\.Add\((?:either\([^"]*)?"([a-z]+\.[a-z_]+)"(?:, "([a-z]+\.[a-z_]+)"\))?`)
	seen := 0
	for _, root := range []string{"../health", "../plugin", "../node", "../discover", "../config"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range made.FindAllStringSubmatch(string(text), -1) {
				for _, name := range m[1:] {
					if name != "" {
						seen++
						assert.True(t, known[name], "%s makes %s, which docs/hooks.md does not name", path, name)
					}
				}
			}
			return err
		}))
	}
	require.Greater(t, seen, 10)
}

// TestRoutesNamed: every route that a page names is one of the description of the API.
func TestRoutesNamed(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(OpenAPI, &doc))
	known := make(map[string]bool)
	free := regexp.MustCompile(`\{[^}]*\}`)
	for path, methods := range doc.Paths {
		for method := range methods {
			known[strings.ToUpper(method)+" "+free.ReplaceAllString(path, "*")] = true
		}
	}
	route := regexp.MustCompile(`(GET|POST|PUT|DELETE) (/api/v1/[a-zA-Z0-9_./{}-]*[a-zA-Z0-9}])`)
	capitals := regexp.MustCompile(`/([A-Z]+|example\.org|ledger-us)\b`)
	seen := 0
	for path, page := range pages(t) {
		if strings.Contains(path, "CHANGELOG") {
			continue
		}
		for _, m := range route.FindAllStringSubmatch(page, -1) {
			seen++
			name := m[1] + " " + capitals.ReplaceAllString(free.ReplaceAllString(m[2], "*"), "/*")
			assert.True(t, known[name], "%s: %s", path, m[0])
		}
	}
	require.Greater(t, seen, 8)
}

// TestAlertsNamed: every alert has its heading in the runbook, and every alert that a page names is one.
func TestAlertsNamed(t *testing.T) {
	files, err := filepath.Glob("../deploy/prometheus/*.y*ml")
	require.NoError(t, err)
	known := make(map[string]bool)
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(text), -1) {
			known[m[1]] = true
		}
	}
	require.Greater(t, len(known), 10)
	all := pages(t)
	for name := range known {
		assert.Contains(t, all["alerts.md"], "\n## "+name+"\n")
	}
	for path, page := range all {
		for _, name := range regexp.MustCompile(`\bFairlead[A-Z][A-Za-z]+\b`).FindAllString(page, -1) {
			assert.True(t, known[name], "%s: %s", path, name)
		}
	}
}
