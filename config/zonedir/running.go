package zonedir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// ErrNoText says that the text of a running zone is not at hand: it is not kept, and the file on disk is another version.
var ErrNoText = errors.New("the text of the running version is not at hand")

// A Text is the version of a zone file that runs, with the files that it names.
type Text struct {
	Path    string
	Content []byte
	// Files are those that the zone file names, by name. Of those that hold a private key only Secret has the SHA-256.
	Files  map[string][]byte
	Secret map[string]string
}

// Text is the text of the file from which z runs: the version to which it was rolled back, or the copy that is kept for the next start, else
// the file on disk, if it is still that version. It reads the disk, and may be called by anyone.
func (d *Dir) Text(z *config.Zone) (*Text, error) {
	for _, f := range d.Files() {
		if f.Zone != z.Name || f.Path != z.File {
			continue
		}
		name := filepath.Base(f.Path)
		if p := loadPin(d.opts.State, name); p != nil && p.Bundle.hash() == z.FileHash {
			return p.Bundle.text(f.Path), nil
		}
		if kept := loadKept(d.opts.State, name); kept != nil && kept.hash() == z.FileHash {
			return kept.text(f.Path), nil
		}
		root, err := os.OpenRoot(d.path)
		if err != nil {
			return nil, fmt.Errorf("zones directory: %w", err)
		}
		defer root.Close()
		r := newGlance(root, name, d.opts.Geo).parse(f.Path, d.opts.Now())
		if r.zone != nil && r.zone.FileHash == z.FileHash {
			return r.text(f.Path), nil
		}
	}
	return nil, fmt.Errorf("zone %s: %w", z.Name, ErrNoText)
}

// OnDisk is what a zone file holds now, whether or not that is usable; nil if it cannot be read, or holds a private key. Links out of
// its directory are not followed.
func OnDisk(path string) []byte {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil
	}
	defer root.Close()
	f, err := root.Open(filepath.Base(path))
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, config.MaxFileBytes+1))
	if err != nil || len(b) > config.MaxFileBytes || isSecret(b) {
		return nil
	}
	return b
}

// hash is that of the zone which parse would make.
func (b *bundle) hash() config.Hash {
	zone, _ := b.parse()
	if zone == nil {
		return config.Hash{}
	}
	return zone.FileHash
}

func (b *bundle) text(path string) *Text {
	t := &Text{Path: path, Content: b.Content, Files: make(map[string][]byte), Secret: make(map[string]string)}
	for name, content := range b.Files {
		if isSecret(content) {
			sum := sha256.Sum256(content)
			t.Secret[name] = hex.EncodeToString(sum[:])
		} else {
			t.Files[name] = content
		}
	}
	return t
}

// isSecret tells whether a file holds a private key, as PEM or in the form of BIND.
func isSecret(content []byte) bool {
	return strings.Contains(string(content), "PRIVATE KEY") || strings.Contains(string(content), "PrivateKey:") || strings.Contains(string(content), "PrivateExponent:")
}

// Parse makes the zone again. Files that are secret come from secret, which may be nil: then a zone that names one cannot be
// made. The hash is checked by whoever has it.
func (t *Text) Parse(secret func(name string) ([]byte, error), geo config.GeoDatabase) (*config.Zone, config.Problems) {
	return config.Parse(t.Path, t.Content, config.ParseOptions{Geo: geo, Now: time.Now(), ReadFile: func(name string) ([]byte, error) {
		if content, ok := t.Files[name]; ok {
			return content, nil
		}
		if _, ok := t.Secret[name]; ok && secret != nil {
			return secret(name)
		}
		return nil, fs.ErrNotExist
	}})
}
