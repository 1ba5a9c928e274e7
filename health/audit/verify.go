package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// settleTime is how long a writer in another process may need to end a line that was seen half written.
const settleTime = 200 * time.Millisecond

// A Summary is what a log holds that is as it was written.
type Summary struct {
	Segments int
	Entries  uint64
	// First and Last are entries; zero if there are none.
	First, Last Entry
}

// Verify reads the whole log in dir. A *ChainError names the first place where it is not what was written. No log at all is
// fs.ErrNotExist.
func Verify(dir string) (Summary, error) {
	s, err := verify(dir)
	if broken, ok := errors.AsType[*ChainError](err); ok && broken.torn {
		time.Sleep(settleTime)
		return verify(dir)
	}
	return s, err
}

func verify(dir string) (s Summary, err error) {
	// The head first: whatever is appended from here on comes after it.
	head, headErr := readHead(dir)
	all, err := segments(dir)
	switch {
	case err != nil:
		return s, err
	case errors.Is(headErr, fs.ErrNotExist) && len(all) == 0:
		return s, fmt.Errorf("%s: no audit log: %w", dir, fs.ErrNotExist)
	case errors.Is(headErr, fs.ErrNotExist):
		headErr = errors.New("missing")
	}
	v := verifier{head: head, last: link{hash: noHash}}
	for i, seg := range all {
		if seg.number != i+1 {
			return v.summary, &ChainError{File: segmentPath(dir, i+1), Line: 1, Why: segmentMissing}
		}
		if err := v.segment(seg, i == len(all)-1); err != nil {
			return v.summary, err
		}
	}
	switch {
	case headErr != nil:
		return v.summary, &ChainError{File: headPath(dir), Line: 1, Why: headErr.Error()}
	case v.last.seq < head.seq:
		why := fmt.Sprintf("cut off: the last entry is %d, and %s knows %d", v.last.seq, headName, head.seq)
		return v.summary, &ChainError{File: v.file(dir), Line: v.lines + 1, Why: why}
	case head.seq == 0 && head.hash != noHash:
		return v.summary, &ChainError{File: headPath(dir), Line: 1, Why: errBadHead.Error()}
	}
	return v.summary, nil
}

// A verifier follows the chain through the segments.
type verifier struct {
	head    link
	last    link
	path    string
	lines   int
	summary Summary
}

func (v *verifier) file(dir string) string {
	if v.path == "" {
		return segmentPath(dir, 1)
	}
	return v.path
}

// segment reads seg. Only the newest may be empty: a crash between its making and its first line leaves that.
func (v *verifier) segment(seg segment, newest bool) error {
	var other *ChainError
	line := 0
	r, err := read(seg.path, &v.last, func(e *Entry) {
		line++
		if e.Seq == v.head.seq && e.Hash != v.head.hash {
			other = &ChainError{File: seg.path, Line: line, Why: fmt.Sprintf("entry %d is not the one that %s knows", e.Seq, headName)}
		}
		if e.Action == ActionBroken {
			// What the break was may not be there any more, as with a head that was removed.
			other = breakNoted(seg.path, e)
		}
		if e.Seq == 1 {
			v.summary.First = *e
		}
		v.summary.Entries, v.summary.Last = e.Seq, *e
	})
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", filepath.Base(seg.path), err)
	case other != nil:
		return other
	case r.broken != nil:
		return r.broken
	case r.lines == 0 && !newest:
		return &ChainError{File: seg.path, Line: 1, Why: "empty, and not the last segment"}
	}
	v.summary.Segments++
	v.last, v.path, v.lines = r.last, seg.path, r.lines
	return nil
}
