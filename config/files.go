package config

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"path"
	"strings"
)

// files reads what a zone file names, each file once, and hashes all of it.
type files struct {
	*Sum
	read func(name string) ([]byte, error)
	// content and failed hold what was read, by clean name.
	content map[string][]byte
	failed  map[string]error
}

func newFiles(zoneFile []byte, read func(string) ([]byte, error)) *files {
	f := &files{Sum: NewSum(), read: read, content: make(map[string][]byte), failed: make(map[string]error)}
	f.Add("", zoneFile)
	return f
}

// A Sum hashes files, by name and content.
type Sum struct{ hash hash.Hash }

// NewSum is the sum of no file.
func NewSum() *Sum { return &Sum{sha256.New()} }

// Add writes name and content so that no two lists of files give the same octets.
func (s *Sum) Add(name string, content []byte) {
	s.hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(name))))
	s.hash.Write([]byte(name))
	s.hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(content))))
	s.hash.Write(content)
}

// Hash is the sum of what was added.
func (s *Sum) Hash() (h Hash) {
	s.hash.Sum(h[:0])
	return h
}

// get reads a file. The error is ready to be shown.
func (f *files) get(name string) ([]byte, error) {
	clean := path.Clean(name)
	if path.IsAbs(clean) || strings.Contains(name, `\`) || !fs.ValidPath(clean) || clean == "." {
		return nil, fmt.Errorf("the file %q is not below the zone file's directory", shorten(name))
	}
	if content, ok := f.content[clean]; ok {
		return content, nil
	}
	if err := f.failed[clean]; err != nil {
		return nil, err
	}
	content, err := f.readChecked(clean)
	if err != nil {
		f.failed[clean] = err
		return nil, err
	}
	f.content[clean] = content
	f.Add(clean, content)
	return content, nil
}

func (f *files) readChecked(name string) ([]byte, error) {
	if f.read == nil {
		return nil, fmt.Errorf("the file %q cannot be read here", shorten(name))
	}
	content, err := f.read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the file %q does not exist", shorten(name))
	case err != nil:
		return nil, fmt.Errorf("the file %q: %w", shorten(name), err)
	case len(content) > MaxFileBytes:
		return nil, fmt.Errorf("the file %q has %d octets; at most %d are read", shorten(name), len(content), MaxFileBytes)
	}
	return content, nil
}
