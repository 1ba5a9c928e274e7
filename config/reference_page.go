package config

import (
	"fmt"
	"slices"
	"strings"
)

// ReferencePage is the page of all keys of a file, zone, node or plan, in Markdown.
func ReferencePage(file string) string {
	var docs []KeyDoc
	for _, d := range KeyDocs() {
		if d.File == file {
			docs = append(docs, d)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# The %s file, key by key\n\n%s\n", file, referenceIntro[file])
	section(&b, docs, "")
	for _, d := range docs {
		if len(d.Holds) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", d.Path, d.Text)
		if d.Example != "" {
			fmt.Fprintf(&b, "\nFor instance `%s`\n", d.Example)
		}
		for _, above := range objectsOf(docs, d.Path) {
			section(&b, docs, above)
		}
	}
	return b.String()
}

const referenceMade = "Made from the table of keys in `config` by `go test ./config -run TestReference -update`; `fairlead docs KEY` prints one entry."

var referenceIntro = map[string]string{
	"zone": `One file per zone, in the directory that the Corefile names as ` + "`zones`" + `. A service needs only its tiers; ` + "`config/testdata/zone.example.yaml`" + ` has
every key once. A duration has a unit, as in 500ms, 5s, 1h30m or 7d. Integers are decimal. NAME in capitals is a name of your choice, ` + "`[]`" + ` an entry
of a list. A key is *required* in its mapping: where that is left out, so is the key. What does not fit is an error with file, line and column, and changes nothing.

` + referenceMade + `
`,
	"node": `What is particular to one running node; the Corefile names it as ` + "`node`" + `. ` + "`config/testdata/node.example.yaml`" + ` has every key once. Relative paths are
relative to the working directory. A duration has a unit, as in 500ms, 5s, 1h30m or 7d. A change takes effect when the Corefile is reloaded, that of
` + "`name`, `user`, `admin`, `references`, `probe`, `hooks`, `plans`, `caches.transit` and `cluster`" + ` but for its ` + "`nodes`" + ` in a new process.

` + referenceMade + `
`,
	"plan": `One file per plan, in the directory that the node file names as ` + "`plans.directory`" + `: [plans](plans.md) says how runs go. ` + "`config/testdata/plan.example.yaml`" + ` has
every key once; ` + "`fairlead check`" + ` and ` + "`fairlead plan check`" + ` find every mistake. A duration has a unit, as in 500ms, 5s, 1h30m or 7d.

` + referenceMade + `
`,
}

// objectsOf are the paths of the mappings below path that have no key between them and it.
func objectsOf(docs []KeyDoc, path string) (out []string) {
	for _, d := range docs {
		above := d.Above()
		rest, below := strings.CutPrefix(above, path)
		if !below || len(out) > 0 && out[len(out)-1] == above || !strings.HasPrefix(d.Path, path) {
			continue
		}
		if free := strings.Trim(strings.ReplaceAll(rest, "[]", ""), "."); free == strings.ToUpper(free) && !slices.Contains(out, above) {
			out = append(out, above)
		}
	}
	return out
}

// section is the table of the keys of one mapping.
func section(b *strings.Builder, docs []KeyDoc, above string) {
	b.WriteString("\n| Key | Value | Range | Default | |\n|---|---|---|---|---|\n")
	for _, d := range docs {
		if d.Above() != above {
			continue
		}
		name := "`" + d.Name() + "`"
		if len(d.Holds) > 0 {
			name = fmt.Sprintf("[`%s`](#%s)", d.Name(), anchor(d.Path))
		}
		otherwise := d.Default
		if d.Required {
			otherwise = "*required*"
		}
		text := d.Text
		if len(d.Holds) == 0 && d.Example != "" {
			text += " As in `" + d.Example + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", name, cell(d.Type), cell(d.Range), cell(otherwise), cell(text))
	}
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// anchor is the fragment of the heading of a path, as GitHub makes it.
func anchor(path string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, path)
}
