package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// segmentName is how segments are called; the number has six digits until there are a million.
var segmentName = regexp.MustCompile(`^audit-([0-9]{6,9})\.jsonl$`)

func segmentPath(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("audit-%06d.jsonl", number))
}

// A segment is one file of the log.
type segment struct {
	number int
	path   string
	octets int64
}

// segments are those in dir, by number. Files of other names are not looked at.
func segments(dir string) ([]segment, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, f := range files {
		m := segmentName.FindStringSubmatch(f.Name())
		if m == nil {
			continue
		}
		info, err := f.Info()
		if err != nil {
			return nil, err
		}
		number, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, err
		}
		all = append(all, segment{number, filepath.Join(dir, f.Name()), info.Size()})
	}
	slices.SortFunc(all, func(a, b segment) int { return a.number - b.number })
	return all, nil
}

// A ChainError is a place where the log is not what was written.
type ChainError struct {
	File string
	// Line counts from 1; for what is missing at the end of a file it is the line that would be next.
	Line int
	Why  string
	// torn is set for a last line without its end: a crash leaves that, and so does a look beside a writer.
	torn bool
}

func (e *ChainError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Why) }

// A reading is what a segment holds.
type reading struct {
	// first is the first entry, and last the end of the chain of the lines that are good.
	first Entry
	last  link
	// lines and octets count the good lines.
	lines  int
	octets int64
	// broken is the first line that is not good; nil if there is none.
	broken *ChainError
}

// read reads the segment at path up to the first line that does not chain, and gives each entry to f. from is what the
// first line chains to; nil takes the first line's word for it.
func read(path string, from *link, f func(*Entry)) (reading, error) {
	var r reading
	if from != nil {
		r.last = *from
	}
	err := eachLine(path, func(text []byte, whole bool) bool {
		bad := func(why string) bool {
			r.broken = &ChainError{File: path, Line: r.lines + 1, Why: why}
			return false
		}
		switch {
		case !whole && len(text) >= MaxLine:
			return bad(fmt.Sprintf("longer than %d octets", MaxLine))
		case !whole:
			bad("torn: the line has no end (a crash leaves that; the next start moves it aside)")
			r.broken.torn = true
			return false
		}
		e, why := decode(text[:len(text)-1])
		if why != "" {
			return bad(why)
		}
		if r.lines > 0 || from != nil {
			if why := r.last.precedes(&e); why != "" {
				return bad(why)
			}
		}
		if r.lines == 0 {
			r.first = e
		}
		r.lines, r.octets, r.last = r.lines+1, r.octets+int64(len(text)), link{e.Seq, e.Hash}
		if f != nil {
			f(&e)
		}
		return true
	})
	return r, err
}

// precedes is empty if e is the entry after l, or says why not.
func (l link) precedes(e *Entry) string {
	switch {
	case e.Seq != l.seq+1:
		return fmt.Sprintf("sequence number %d, want %d: an entry was removed, added or moved", e.Seq, l.seq+1)
	case e.Prev != l.hash:
		return "does not chain to the entry before it"
	}
	return ""
}

// eachLine calls f with each line of the file, newline included, until f returns false. whole is false for one that has no
// newline or is too long; it is the last.
func eachLine(path string, f func(text []byte, whole bool) bool) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	b := bufio.NewReaderSize(file, MaxLine)
	for {
		text, err := b.ReadSlice('\n')
		switch {
		case err == nil:
			if !f(text, true) {
				return nil
			}
		case errors.Is(err, bufio.ErrBufferFull):
			f(text, false)
			return nil
		case errors.Is(err, io.EOF):
			if len(text) > 0 {
				f(text, false)
			}
			return nil
		default:
			return err
		}
	}
}
