package audit

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// segmentOctets is the size from which on a segment gets no more entries, in octets: what an editor still opens.
const segmentOctets = 16 << 20

// Options are what a Log needs. Dir is required.
type Options struct {
	// Dir must exist.
	Dir string
	// Node is the name that entries get which have none.
	Node string
}

// A file is what a Log needs of an open segment.
type file interface {
	WriteAt(b []byte, at int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
	// reserve makes sure that octets can be written from at on without more space; it does not change the size.
	reserve(at, octets int64) error
}

// A Log appends entries. Its methods may be called concurrently.
type Log struct {
	opts Options
	// openFile opens or makes a segment, segmentOctets is when to make one; tests replace them.
	openFile      func(path string, flag int) (file, error)
	segmentOctets int64

	mu sync.Mutex // guards the rest
	// file is the last segment, nil if there is none yet. open is set once what is on disk has been read; an error that
	// leaves the end of the file unknown clears it, and the next call reads again.
	file file
	open bool
	// number and size are those of the last segment; last is its latest entry, or that of the one before.
	number int
	size   int64
	last   link
	// older is how many octets all other segments have.
	older    int64
	broken   *ChainError
	failures uint64
}

// New makes a log. It touches no file: Open does.
func New(opts Options) (*Log, error) {
	if opts.Dir == "" {
		return nil, errors.New("audit: Dir is required")
	}
	return &Log{opts: opts, openFile: openSegment, segmentOctets: segmentOctets}, nil
}

// Open reads the end of what an earlier run left: the last segment, and what it chains to. It does not read all: Verify does.
//
// A torn last line, which a crash leaves, is moved aside to audit.torn-N, and the log goes on with an entry that says so.
// Whatever else is wrong stays as it is for those who look into it: the log goes on in a new segment, whose first entry
// names the place, and Broken returns it. So a broken log never stops the service, and Verify finds the break for ever.
//
// An error is one of the file system. The log can be used all the same: the next call tries again.
func (l *Log) Open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counted(l.openLocked())
}

// Broken is the place where Open found the log broken; nil if it did not.
func (l *Log) Broken() *ChainError {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

// Reserve makes sure that the next Append has the space that it needs, as far as the file system can (fallocate on Linux).
// So a full or read-only disk shows before something is done that could not be recorded. Whoever calls it lets nobody
// append between it and their own Append.
func (l *Log) Reserve() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.writableLocked()
	if err == nil {
		err = l.file.reserve(l.size, MaxLine)
	}
	return l.counted(err)
}

// Append adds e. When it returns nil the entry is on disk for good; on an error nothing of it is left.
func (l *Log) Append(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Action == ActionTorn || e.Action == ActionBroken {
		// Nobody else says that the log is broken.
		e.Action = "not " + e.Action
	}
	err := l.writableLocked()
	if err == nil {
		err = l.appendLocked(e)
	}
	return l.counted(err)
}

// Read and Last are the functions of those names, for the log's own directory.
func (l *Log) Read(after uint64, limit int) ([]Entry, error) { return Read(l.opts.Dir, after, limit) }

// Last returns the latest entries.
func (l *Log) Last(limit int) ([]Entry, error) { return Last(l.opts.Dir, limit) }

// Close ends the log; it can be opened again.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open {
		return nil
	}
	err := makeHead(l.opts.Dir, l.last)
	if l.file != nil {
		// Gives back what was reserved.
		err = errors.Join(err, l.file.Truncate(l.size))
	}
	l.forget()
	return err
}

// Stats are the numbers of a log.
type Stats struct {
	// Entries is the sequence number of the latest one.
	Entries uint64
	// Octets are those of all segments, which nobody but an operator removes.
	Octets int64
	// Failures counts what could not be opened, reserved or appended since New.
	Failures uint64
	// Broken is set while Broken returns an error.
	Broken bool
}

// Stats returns the numbers as they are now.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{Entries: l.last.seq, Octets: l.older + l.size, Failures: l.failures, Broken: l.broken != nil}
}

// counted counts err and says where it happened.
func (l *Log) counted(err error) error {
	if err == nil {
		return nil
	}
	l.failures++
	return fmt.Errorf("audit log: %w", err)
}

// writableLocked makes sure that there is a segment with room.
func (l *Log) writableLocked() error {
	if err := l.openLocked(); err != nil {
		return err
	}
	if l.file != nil && l.size < l.segmentOctets {
		return nil
	}
	return l.rotateLocked()
}

// rotateLocked begins the next segment. On an error the log is as it was.
func (l *Log) rotateLocked() error {
	// Before the segment: Verify takes a segment without a head for a log whose head was removed.
	if err := makeHead(l.opts.Dir, l.last); err != nil {
		return err
	}
	return l.beginLocked()
}

// beginLocked makes the next segment the last one. On an error the log is as it was.
func (l *Log) beginLocked() error {
	path := segmentPath(l.opts.Dir, l.number+1)
	f, err := l.openFile(path, os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if err := syncDir(l.opts.Dir); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	if l.file != nil {
		_ = l.file.Truncate(l.size)
		_ = l.file.Close()
	}
	l.older += l.size
	l.file, l.number, l.size = f, l.number+1, 0
	return nil
}

// appendLocked writes e at the end of the segment.
func (l *Log) appendLocked(e Entry) error {
	line, err := l.next(&e)
	if err != nil {
		return err
	}
	if _, err = l.file.WriteAt(line, l.size); err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		if back := errors.Join(l.file.Truncate(l.size), l.file.Sync()); back != nil {
			// What is at the end is not known: read it before anything is appended.
			l.forget()
		}
		return err
	}
	l.taken(&e, len(line))
	return nil
}

// next is the line of e as the next entry.
func (l *Log) next(e *Entry) ([]byte, error) {
	e.Seq, e.Prev = l.last.seq+1, l.last.hash
	if e.Node == "" {
		e.Node = l.opts.Node
	}
	// Here and not at the caller's: the times of a log are in the order of its entries, as far as the clock is.
	e.At = time.Now().UTC().Truncate(time.Millisecond)
	return e.encode()
}

// taken notes that e is on disk.
func (l *Log) taken(e *Entry, octets int) {
	l.size += int64(octets)
	l.last = link{e.Seq, e.Hash}
	// A head that stays behind is no error: it finds a cut a little less well until the next entry.
	_ = moveHead(l.opts.Dir, l.last)
}

// forget makes the next call read what is on disk.
func (l *Log) forget() {
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file, l.open = nil, false
}

// osFile is a segment on disk.
type osFile struct{ *os.File }

func openSegment(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (f osFile) reserve(at, octets int64) error { return reserve(f.File, at, octets) }

// syncDir makes new names in dir outlive a crash.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
