package admin

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// comments are what the source says of types and fields.
type comments struct {
	t testing.TB
	// read are the packages that were read. types and fields are by TYPE and TYPE.FIELD, with the path of the package before them.
	read   map[string]bool
	types  map[string]string
	fields map[string]string
}

func newComments(t testing.TB) *comments {
	return &comments{t: t, read: make(map[string]bool), types: make(map[string]string), fields: make(map[string]string)}
}

// describe is openapi.Document.Describe: the comment of a field, with the names that JSON has, or what words say of the name.
func (c *comments) describe(t reflect.Type, field *reflect.StructField) string {
	c.load(t.PkgPath())
	key := t.PkgPath() + "." + t.Name()
	if field == nil {
		return inJSON(c.types[key], t)
	}
	json, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if text := words[t.Name()+"."+json]; text != "" {
		return text
	}
	if text := c.fields[key+"."+field.Name]; text != "" {
		return inJSON(text, t)
	}
	return words[json]
}

// load reads the source of a package of ours.
func (c *comments) load(pkg string) {
	dir, ours := strings.CutPrefix(pkg, "github.com/fairlead-dns/fairlead/")
	if !ours || c.read[pkg] {
		return
	}
	c.read[pkg] = true
	files, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
	require.NoError(c.t, err)
	set := token.NewFileSet()
	for _, path := range files {
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		require.NoError(c.t, err)
		for _, decl := range f.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, spec := range g.Specs {
				s := spec.(*ast.TypeSpec)
				key := pkg + "." + s.Name.Name
				if c.types[key] = s.Doc.Text(); c.types[key] == "" {
					c.types[key] = g.Doc.Text()
				}
				if st, ok := s.Type.(*ast.StructType); ok {
					c.structure(key, st)
				}
			}
		}
	}
}

// structure notes the comments of fields. A comment that names a field below it that has none is about that one too.
func (c *comments) structure(key string, st *ast.StructType) {
	last := ""
	for _, f := range st.Fields.List {
		if f.Doc != nil {
			last = f.Doc.Text()
		}
		for _, name := range f.Names {
			if f.Doc != nil || regexp.MustCompile(`\b`+name.Name+`\b`).MatchString(last) {
				c.fields[key+"."+name.Name] = last
			}
		}
	}
}

// inJSON is a comment on one line, in which the fields of a type have the names that JSON has.
func inJSON(text string, t reflect.Type) string {
	text = strings.Join(strings.Fields(text), " ")
	fields := reflect.VisibleFields(t)
	// RuleService goes before Rule.
	slices.SortFunc(fields, func(a, b reflect.StructField) int { return len(b.Name) - len(a.Name) })
	for _, f := range fields {
		json, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if json == "" || json == "-" || !strings.Contains(text, f.Name) {
			continue
		}
		// A name is a name but at the beginning of a sentence that is about something else; there it reads as well.
		text = regexp.MustCompile(`\b`+f.Name+`\b`).ReplaceAllString(text, json)
	}
	return text
}
