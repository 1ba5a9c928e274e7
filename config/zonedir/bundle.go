package zonedir

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A bundle is a zone file with all files that it names: what is parsed, compared and kept as the last good version.
type bundle struct {
	// Name is the file's name in the directory; Path is how it is called in messages.
	Name string `json:"name"`
	Path string `json:"path"`
	// Content and Files are base64 in JSON; Files holds what the zone file names, private keys too.
	Content []byte            `json:"content"`
	Files   map[string][]byte `json:"files,omitempty"`
}

func (b *bundle) readFile(name string) ([]byte, error) {
	if content, ok := b.Files[name]; ok {
		return content, nil
	}
	return nil, fs.ErrNotExist
}

// parse does not ask for a geo database: a version that was good once runs on without one, rather than nothing.
func (b *bundle) parse() (*config.Zone, config.Problems) {
	return config.Parse(b.Path, b.Content, config.ParseOptions{Now: time.Now(), ReadFile: b.readFile})
}

// keptPath is where the last good version of a zone file is kept.
func keptPath(state, name string) string { return filepath.Join(state, "zones", name+".json") }

// loadKept reads a kept bundle; nil without one. What cannot be read counts as none: the caller has a file to go by, or
// says what is wrong with it.
func loadKept(state, name string) *bundle {
	if state == "" {
		return nil
	}
	return loadBundle(keptPath(state, name))
}

func loadBundle(path string) *bundle {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	b := new(bundle)
	if json.Unmarshal(text, b) != nil {
		return nil
	}
	return b
}

// keep writes the bundle to path so that a crash leaves the old version or the new one, and no temporary file after an error.
//
// write is durable.Write, or one that does the same later.
func (b *bundle) keep(path string, write func(path string, content func(io.Writer) error) error) error {
	dir := filepath.Dir(path)
	// Client keys are inside: for the owner's eyes only.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep %s: %w", b.Name, err)
	}
	if err := write(path, b.writeJSON); err != nil {
		return fmt.Errorf("keep %s: %w", b.Name, err)
	}
	return nil
}

// writeJSON writes what json.Marshal makes of b, without holding it: the contents can be 64 MiB each.
func (b *bundle) writeJSON(w io.Writer) error {
	j := jsonWriter{w: w}
	j.raw(`{"name":`)
	j.value(b.Name)
	j.raw(`,"path":`)
	j.value(b.Path)
	j.raw(`,"content":`)
	j.octets(b.Content)
	before := `,"files":{`
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		j.raw(before)
		j.value(name)
		j.raw(":")
		j.octets(b.Files[name])
		before = ","
	}
	if len(b.Files) > 0 {
		j.raw("}")
	}
	j.raw("}")
	return j.err
}

// A jsonWriter writes pieces of JSON. The first error stays and ends the writing.
type jsonWriter struct {
	w   io.Writer
	err error
}

func (j *jsonWriter) raw(s string) {
	if j.err == nil {
		_, j.err = io.WriteString(j.w, s)
	}
}

func (j *jsonWriter) value(v string) {
	text, err := json.Marshal(v)
	j.err = cmp.Or(j.err, err)
	j.raw(string(text))
}

// octets writes b as base64.
func (j *jsonWriter) octets(b []byte) {
	j.raw(`"`)
	if j.err == nil {
		e := base64.NewEncoder(base64.StdEncoding, j.w)
		_, err := e.Write(b)
		j.err = errors.Join(err, e.Close())
	}
	j.raw(`"`)
}
