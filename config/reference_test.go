package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReference: the pages in docs/ are what the table says.
func TestReference(t *testing.T) {
	for _, file := range []string{"zone", "node", "plan"} {
		path := "../docs/" + file + "-reference.md"
		page := ReferencePage(file)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(page), 0o644))
		}
		have, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, page, string(have), "go test ./config -run TestReference -update")
	}
}

// TestKeyTable: each row says what its key does, in sentences, and each key stands in its example file.
func TestKeyTable(t *testing.T) {
	// commented are keys that the example files have in a comment: what they name is not there, or only on loopback.
	commented := []string{"dnssec", "insecure", "transfer"}
	for _, d := range KeyDocs() {
		top, _, _ := strings.Cut(d.Path, ".")
		assert.Regexp(t, `^[^a-z].*[.)]$|^[a-z].*\.$|^\.\.\. .*[.]$`, d.Text, d.Path)
		assert.NotContains(t, d.Text, "Default", d.Path)
		assert.NotEmpty(t, d.Type, d.Path)
		if len(d.Holds) > 0 || top == commented[0] || top == commented[2] || d.Name() == commented[1] {
			continue
		}
		assert.NotEmpty(t, d.Example, "%s stands in no example, or in a long one", d.Path)
	}
}

// TestFieldKeys: every field that a row fills is one of the model's.
func TestFieldKeys(t *testing.T) {
	types := make(map[string]reflect.Type)
	var walk func(v reflect.Type)
	walk = func(v reflect.Type) {
		for v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || types[v.Name()] != nil {
			return
		}
		types[v.Name()] = v
		for i := range v.NumField() {
			walk(v.Field(i).Type)
		}
	}
	walk(reflect.TypeFor[Zone]())
	keys := FieldKeys()
	assert.Greater(t, len(keys), 60)
	for field, key := range keys {
		name, sub, _ := strings.Cut(field, ".")
		if v, known := types[name]; assert.True(t, known, "%s: %s", key, field) {
			_, known = v.FieldByName(sub)
			assert.True(t, known, "%s: %s", key, field)
		}
	}
}
