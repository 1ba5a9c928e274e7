package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead-dns/fairlead/config/durable"
)

const tornName = "audit.torn-"

// openLocked does what Open says.
func (l *Log) openLocked() error {
	if l.open {
		return nil
	}
	all, err := segments(l.opts.Dir)
	if err != nil {
		return err
	}
	end, err := readEnd(l.opts.Dir, all)
	if err != nil {
		return err
	}
	l.number, l.size, l.older, l.last, l.broken = 0, 0, 0, end.last, end.shown()
	for _, seg := range all {
		l.older += seg.octets
	}
	if len(all) > 0 {
		l.number = all[len(all)-1].number
	}
	switch {
	case end.broken != nil:
		if err := l.goOn(end.broken); err != nil {
			l.forget()
			return err
		}
	case len(all) > 0:
		newest := all[len(all)-1]
		if l.file, err = l.openFile(newest.path, 0); err != nil {
			return err
		}
		l.older, l.size = l.older-newest.octets, end.octets
		if end.torn {
			if err := l.setAside(newest); err != nil {
				l.forget()
				return err
			}
		}
	case end.fresh:
		if err := makeHead(l.opts.Dir, l.last); err != nil {
			return err
		}
	}
	l.open = true
	return nil
}

// goOn begins a new segment after a break. Its first entry is what the next Open finds, so one break makes one segment. What
// is broken is left as it is until that entry is on disk.
func (l *Log) goOn(broken *ChainError) error {
	if err := l.beginLocked(); err != nil {
		return err
	}
	err := l.appendLocked(Entry{
		Action: ActionBroken, Object: filepath.Base(broken.File), Outcome: OutcomeOK,
		Reason: fmt.Sprintf("%s:%d: %s", filepath.Base(broken.File), broken.Line, broken.Why),
	})
	if err != nil {
		return errors.Join(err, os.Remove(segmentPath(l.opts.Dir, l.number)))
	}
	// A head that cannot be made is missing at the next start, which then says so once more.
	_ = makeHead(l.opts.Dir, l.last)
	return nil
}

// setAside keeps what is behind the last good line of seg in a file of its own, and writes an entry over it. A crash in
// between leaves another torn line, or this one.
func (l *Log) setAside(seg segment) error {
	f, err := os.Open(seg.path)
	if err != nil {
		return err
	}
	torn := make([]byte, seg.octets-l.size)
	_, err = f.ReadAt(torn, l.size)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	path, err := tornPath(l.opts.Dir)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(path, torn); err != nil {
		return err
	}
	e := Entry{
		Action: ActionTorn, Object: filepath.Base(path), Outcome: OutcomeOK,
		Reason: fmt.Sprintf("the last line of %s was torn by a crash: its %d octets were moved aside", filepath.Base(seg.path), len(torn)),
	}
	line, err := l.next(&e)
	if err != nil {
		return err
	}
	if _, err := l.file.WriteAt(line, l.size); err != nil {
		return err
	}
	if err := errors.Join(l.file.Truncate(l.size+int64(len(line))), l.file.Sync()); err != nil {
		return err
	}
	l.taken(&e, len(line))
	return nil
}

// tornPath is the first name that is free.
func tornPath(dir string) (string, error) {
	for n := 1; ; n++ {
		path := filepath.Join(dir, fmt.Sprintf("%s%d", tornName, n))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path, nil
		} else if err != nil {
			return "", err
		}
	}
}
