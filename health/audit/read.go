package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Read returns at most limit entries of the log in dir with sequence numbers above after, oldest first. It checks each
// entry's own hash, not the chain. A *ChainError is a line that is no entry; the entries before it come with it.
func Read(dir string, after uint64, limit int) ([]Entry, error) {
	all, err := logIn(dir)
	if err != nil {
		return nil, err
	}
	// The last segment that begins at or before the entry wanted.
	start := 0
	for i := len(all) - 1; i > 0; i-- {
		if seq, ok := firstSeq(all[i].path); ok && seq <= after+1 {
			start = i
			break
		}
	}
	r := reader{after: after, limit: limit}
	for _, seg := range all[start:] {
		if err := r.segment(seg.path); err != nil {
			return r.found, err
		}
	}
	return r.found, nil
}

// A reader collects entries.
type reader struct {
	after uint64
	limit int
	// seq is that of the latest line, as far as lines that are no entries allow to count.
	seq   uint64
	found []Entry
}

func (r *reader) segment(path string) error {
	var broken *ChainError
	line := 0
	err := eachLine(path, func(text []byte, whole bool) bool {
		line++
		if len(r.found) >= r.limit || !whole && len(text) < MaxLine {
			// Enough, or a line that a writer has not ended yet; Verify tells of one that nobody ever ends.
			return false
		}
		e, why := decode(bytes.TrimSuffix(text, []byte("\n")))
		switch {
		case why == "":
			if r.seq = e.Seq; r.seq > r.after {
				r.found = append(r.found, e)
			}
		case r.seq < r.after:
			r.seq++
		default:
			broken = &ChainError{File: path, Line: line, Why: why}
			return false
		}
		return true
	})
	if err == nil && broken != nil {
		return broken
	}
	return err
}

// Last returns at most limit of the latest entries, oldest first. Its errors are those of Read.
func Last(dir string, limit int) ([]Entry, error) {
	all, err := logIn(dir)
	if err != nil {
		return nil, err
	}
	for _, seg := range slices.Backward(all) {
		var last uint64
		err := eachLine(seg.path, func(text []byte, whole bool) bool {
			if e, why := decode(bytes.TrimSuffix(text, []byte("\n"))); whole && why == "" {
				last = e.Seq
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		if last > 0 {
			return Read(dir, last-min(last, uint64(max(limit, 0))), limit)
		}
	}
	return nil, nil
}

// logIn are the segments of the log in dir; fs.ErrNotExist if there is no log.
func logIn(dir string) ([]segment, error) {
	all, err := segments(dir)
	if err == nil && len(all) == 0 {
		if _, headErr := readHead(dir); errors.Is(headErr, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: no audit log: %w", dir, fs.ErrNotExist)
		}
	}
	return all, err
}

func firstSeq(path string) (seq uint64, ok bool) {
	_ = eachLine(path, func(text []byte, whole bool) bool {
		e, why := decode(bytes.TrimSuffix(text, []byte("\n")))
		seq, ok = e.Seq, whole && why == ""
		return false
	})
	return seq, ok
}
