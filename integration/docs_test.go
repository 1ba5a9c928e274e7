package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// books are the documents of the project, by path from its root.
func books(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../plugin/*.md", "../.github/*.md", "../.github/*/*.md"} {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			texts[path] = string(text)
		}
	}
	require.Greater(t, len(texts), 10)
	return texts
}

// sources calls f for each Go file of the project.
func sources(t *testing.T, f func(path, text string)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		text, err := os.ReadFile(path)
		f(path, string(text))
		return err
	}))
}

var (
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings = regexp.MustCompile(`(?m)^#+ (.+)$`)
	tests    = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z]*)(\\*?)`")
	declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z][A-Za-z]*)\(`)
	chapters = regexp.MustCompile(`docs/([a-z]+)\.md,? (?:section|id) ([A-Z]?\d+)`)
	notAWord = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchor is what a heading is called in links.
func anchor(heading string) string {
	return strings.ReplaceAll(notAWord.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}

// TestLinks: what the documents link to is there, with its heading.
func TestLinks(t *testing.T) {
	texts := books(t)
	for path, text := range texts {
		for _, m := range links.FindAllStringSubmatch(text, -1) {
			to, heading, named := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			file := path
			if to != "" {
				file = filepath.Join(filepath.Dir(path), to)
			}
			_, err := os.Stat(file)
			assert.NoError(t, err, "%s links to %s", path, m[1])
			if !named || texts[file] == "" {
				continue
			}
			found := slices.ContainsFunc(headings.FindAllStringSubmatch(texts[file], -1), func(h []string) bool { return anchor(h[1]) == heading })
			assert.True(t, found, "%s links to %s, which has no such heading", path, m[1])
		}
	}
}

// TestNamedTests: the tests that documents name exist.
func TestNamedTests(t *testing.T) {
	known := make(map[string]bool)
	sources(t, func(_, text string) {
		for _, m := range declared.FindAllStringSubmatch(text, -1) {
			known[m[1]] = true
		}
	})
	for path, text := range books(t) {
		for _, m := range tests.FindAllStringSubmatch(text, -1) {
			begins := func(name string) bool { return strings.HasPrefix(name, m[1]) }
			assert.True(t, known[m[1]] || m[2] != "" && slices.ContainsFunc(mapKeys(known), begins), "%s names %s", path, m[1])
		}
	}
}

func mapKeys(m map[string]bool) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// TestChapters: the sections and rows of documents that comments name are there.
func TestChapters(t *testing.T) {
	texts, named := books(t), 0
	sources(t, func(path, text string) {
		for _, m := range chapters.FindAllStringSubmatch(text, -1) {
			book := texts["../docs/"+m[1]+".md"]
			named++
			assert.True(t, strings.Contains(book, "\n## "+m[2]+". ") || strings.Contains(book, "\n| "+m[2]+" |"), "%s names %s", path, m[0])
		}
	})
	require.Positive(t, named)
}

// TestArchitectureRows: the document has every package in its row.
func TestArchitectureRows(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	require.NoError(t, err)
	of := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^\| (-?\d+) \| (.+) \|$`).FindAllStringSubmatch(string(text), -1) {
		for _, p := range regexp.MustCompile("`([a-z/]+)`").FindAllStringSubmatch(m[2], -1) {
			of[p[1]] = m[1]
		}
	}
	for p, row := range rows {
		assert.Equal(t, strconv.Itoa(row), of[p], "row of %s", p)
	}
}
