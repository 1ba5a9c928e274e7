package geo

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// maxFile bounds a database file, in octets: all of it is held in memory. GeoIP2 City has about 120 MB, the largest
// commercial ones several times that.
const maxFile = 1 << 30

// separator is the number of zero octets between the search tree and the data section.
const separator = 16

// A stamp tells versions of a file apart.
type stamp struct {
	size  int64
	mtime time.Time
	info  fs.FileInfo
}

func stampOf(info fs.FileInfo) stamp {
	return stamp{size: info.Size(), mtime: info.ModTime(), info: info}
}

// equal holds for two looks at one version of one file. The zero stamp equals none.
func (s stamp) equal(t stamp) bool {
	return s.info != nil && t.info != nil && s.size == t.size && s.mtime.Equal(t.mtime) && os.SameFile(s.info, t.info)
}

// statFile is the stamp of a file that can be read: opening a pipe would block.
func statFile(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, plainError(err)
	}
	if !info.Mode().IsRegular() {
		return stamp{}, errors.New("not a regular file")
	}
	return stampOf(info), nil
}

// plainError leaves out the path, which every message has already.
func plainError(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// A database is one version of one file. It is immutable.
type database struct {
	// path is as it was given, name its last element, for metrics.
	path, name string
	stamp      stamp
	reader     *maxminddb.Reader
	// order grows with each file that this process reads.
	order uint64
}

// readDatabase reads and verifies the file at path. bad is the version whose content cannot be used; without it, an error
// may be gone at the next look although the file is the same.
func readDatabase(path string) (db *database, bad stamp, err error) {
	if _, err := statFile(path); err != nil {
		return nil, stamp{}, err
	}
	content, at, err := readFile(path)
	if err != nil {
		return nil, stamp{}, plainError(err)
	}
	reader, err := open(content)
	if err != nil {
		return nil, at, err
	}
	return &database{path: path, name: filepath.Base(path), stamp: at, reader: reader}, stamp{}, nil
}

// readFile reads a file that does not change meanwhile.
func readFile(path string) ([]byte, stamp, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, stamp{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, stamp{}, err
	}
	if info.Size() > maxFile {
		return nil, stamp{}, fmt.Errorf("%d octets, at most %d are read", info.Size(), maxFile)
	}
	content := make([]byte, info.Size())
	if _, err := io.ReadFull(f, content); err != nil {
		return nil, stamp{}, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, stamp{}, err
	}
	if !stampOf(after).equal(stampOf(info)) {
		return nil, stamp{}, errors.New("it changed while it was read")
	}
	return content, stampOf(info), nil
}

// open makes a reader of content, which it keeps. Whatever content is, it returns.
func open(content []byte) (r *maxminddb.Reader, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("not a database that can be read: %v", p)
		}
	}()
	// Its cache of strings would be shared by all cores.
	if r, err = maxminddb.OpenBytes(content, maxminddb.DisableStringCache()); err != nil {
		return nil, err
	}
	if err := verify(r, content); err != nil {
		return nil, err
	}
	return r, nil
}

// verify looks at every node of the search tree and decodes every record that it leads to: what could go wrong at a
// lookup goes wrong here. The reader's own Verify asks for more than lookups need, so that files of other makers fail it.
func verify(r *maxminddb.Reader, content []byte) error {
	m := &r.Metadata
	if m.BinaryFormatMajorVersion != 2 {
		return fmt.Errorf("version %d of the format, want 2", m.BinaryFormatMajorVersion)
	}
	if m.IPVersion != 4 && m.IPVersion != 6 {
		return fmt.Errorf("a database for IP version %d", m.IPVersion)
	}
	child := childOf(m.RecordSize)
	if child == nil {
		return fmt.Errorf("records of %d bits, want 24, 28 or 32", m.RecordSize)
	}
	size := m.RecordSize / 4
	// One bit for each place where a record may begin.
	seen := make([]uint64, len(content)/64+1)
	useful := false
	for n := range m.NodeCount {
		node := content[n*size : (n+1)*size]
		for side := range 2 {
			c := child(node, side)
			if c <= m.NodeCount {
				continue
			}
			if c < m.NodeCount+separator || c-m.NodeCount-separator >= uint(len(content)) {
				return fmt.Errorf("node %d of the search tree leads nowhere", n)
			}
			at := c - m.NodeCount - separator
			if seen[at/64]&(1<<(at%64)) != 0 {
				continue
			}
			seen[at/64] |= 1 << (at % 64)
			var p Place
			if err := decode(r, at, &p); err != nil {
				return fmt.Errorf("the record at %d: %w", at, err)
			}
			useful = useful || p.knows()
		}
	}
	if !useful {
		return fmt.Errorf("a database of type %q without continent, country, location and autonomous_system_number", m.DatabaseType)
	}
	return nil
}

// childOf reads the left (0) or the right (1) half of a node; nil for a size that the format does not have.
func childOf(recordSize uint) func(node []byte, side int) uint {
	switch recordSize {
	case 24:
		return func(b []byte, side int) uint {
			b = b[3*side:]
			return uint(b[0])<<16 | uint(b[1])<<8 | uint(b[2])
		}
	case 28:
		return func(b []byte, side int) uint {
			low := b[4*side:]
			high := uint(b[3]) >> (4 * (1 - side)) & 0xf
			return high<<24 | uint(low[0])<<16 | uint(low[1])<<8 | uint(low[2])
		}
	case 32:
		return func(b []byte, side int) uint {
			b = b[4*side:]
			return uint(b[0])<<24 | uint(b[1])<<16 | uint(b[2])<<8 | uint(b[3])
		}
	}
	return nil
}

// decode adds the record at an offset of the data section to p.
func decode(r *maxminddb.Reader, at uint, p *Place) error {
	var rec record
	if err := r.LookupOffset(uintptr(at)).Decode(&rec); err != nil {
		return err
	}
	p.add(&rec)
	return nil
}
