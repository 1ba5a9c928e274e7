package config

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead-dns/fairlead/config/durable"
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

func (b *bundle) parse() (*Zone, Problems) {
	return Parse(b.Path, b.Content, ParseOptions{ReadFile: b.readFile})
}

// keptPath is where the last good version of a zone file is kept.
func keptPath(state, name string) string { return filepath.Join(state, "zones", name+".json") }

// loadKept reads a kept bundle; nil without one. What cannot be read counts as none: the caller has a file to go by, or
// says what is wrong with it.
func loadKept(state, name string) *bundle {
	if state == "" {
		return nil
	}
	text, err := os.ReadFile(keptPath(state, name))
	if err != nil {
		return nil
	}
	b := new(bundle)
	if json.Unmarshal(text, b) != nil {
		return nil
	}
	return b
}

// keep writes the bundle so that a crash leaves the old version or the new one, and no temporary file after an error.
func (b *bundle) keep(state string) error {
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("keep %s: %w", b.Name, err)
	}
	path := keptPath(state, b.Name)
	dir := filepath.Dir(path)
	// Client keys are inside: for the owner's eyes only.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep %s: %w", b.Name, err)
	}
	if err := durable.WriteFile(path, text); err != nil {
		return fmt.Errorf("keep %s: %w", b.Name, err)
	}
	return nil
}
