package audit

import (
	"errors"
	"fmt"
	"io/fs"
)

// An end is what Open finds at the end of a log.
type end struct {
	// last is what the next entry chains to, octets the size of the good lines of the last segment.
	last   link
	octets int64
	// broken is what is wrong and is not on record yet; noted is a break that the last segment begins with.
	broken, noted *ChainError
	// torn: behind the good lines is what a crash leaves. fresh: there is nothing yet.
	torn, fresh bool
}

func (e *end) shown() *ChainError {
	if e.broken != nil {
		return e.broken
	}
	return e.noted
}

// wrong notes the first thing that is wrong.
func (e *end) wrong(file string, line int, why string) {
	e.torn = false
	if e.broken == nil {
		e.broken = &ChainError{File: file, Line: line, Why: why}
	}
}

// readEnd reads the last segment of all, the end of the one before, and the head.
func readEnd(dir string, all []segment) (end, error) {
	e := end{last: link{hash: noHash}}
	head, err := readHead(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing && !errors.Is(err, errBadHead) {
		return e, err
	}
	if e.fresh = missing && len(all) == 0; e.fresh {
		return e, nil
	}
	known := head.seq == 0
	if len(all) > 0 {
		if known, err = e.readNewest(dir, all, head); err != nil {
			return e, err
		}
	}
	file, line := segmentPath(dir, 1), 1
	if len(all) > 0 {
		file = all[len(all)-1].path
	}
	switch {
	case missing:
		e.wrong(headPath(dir), 1, "missing")
	case head == link{}:
		e.wrong(headPath(dir), 1, errBadHead.Error())
	case head.seq > e.last.seq:
		e.wrong(file, line, fmt.Sprintf("cut off: the last entry is %d, and %s knows %d", e.last.seq, headName, head.seq))
		e.last = head
	case !known:
		e.wrong(file, line, fmt.Sprintf("entry %d is not the one that %s knows, or is not in the last segment", head.seq, headName))
	}
	return e, nil
}

// readNewest reads the last segment and what it chains to. known tells whether the entry that the head names is there.
func (e *end) readNewest(dir string, all []segment, head link) (known bool, err error) {
	newest := all[len(all)-1]
	before, gap, err := linkBefore(dir, all)
	if err != nil {
		return false, err
	}
	known = head == before
	r, err := read(newest.path, nil, func(entry *Entry) { known = known || head == link{entry.Seq, entry.Hash} })
	if err != nil {
		return false, err
	}
	e.last, e.octets = r.last, r.octets
	if r.lines == 0 {
		e.last = before
	}
	switch {
	case r.lines > 0 && r.first.Action == ActionBroken:
		e.noted = breakNoted(newest.path, &r.first)
	case gap != nil:
		e.wrong(gap.File, gap.Line, gap.Why)
	case r.lines > 0:
		if why := before.precedes(&r.first); why != "" {
			e.wrong(newest.path, 1, why)
		}
	}
	if r.broken != nil && r.broken.torn && e.broken == nil {
		e.torn = true
	} else if r.broken != nil {
		e.wrong(r.broken.File, r.broken.Line, r.broken.Why)
	}
	return known, nil
}

// linkBefore is what the last segment of all chains to. gap says why that is not known.
func linkBefore(dir string, all []segment) (before link, gap *ChainError, err error) {
	newest := all[len(all)-1]
	if newest.number == 1 {
		return link{hash: noHash}, nil, nil
	}
	if len(all) < 2 || all[len(all)-2].number != newest.number-1 {
		return before, &ChainError{File: segmentPath(dir, newest.number-1), Line: 1, Why: segmentMissing}, nil
	}
	r, err := read(all[len(all)-2].path, nil, nil)
	return r.last, r.broken, err
}

// segmentMissing is why there is a gap.
const segmentMissing = "the segment is missing"

// breakNoted is the break that e, the first entry of the segment at path, tells of.
func breakNoted(path string, e *Entry) *ChainError {
	return &ChainError{File: path, Line: 1, Why: "the node found the log broken and went on here; the break was " + e.Reason}
}
