package event

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// Kept is how many events are remembered.
	Kept = 10_000
	// fileSize is when a file is put aside; there is one older one.
	fileSize = 8 << 20
	name     = "events.jsonl"
	oldName  = "events.1.jsonl"
	// maxLine bounds what is read back of one event; maxText, what is written of one.
	maxLine = 64 << 10
	maxText = 1000
	// gap is left between the numbers of two processes: the last events of the one before may not have reached the disk.
	gap = 100_000
	// maxSeq is what JSON readers keep exactly; only a file that is not ours has more.
	maxSeq = 1 << 53
	// writeEvery paces the writing.
	writeEvery = 200 * time.Millisecond
)

// An Event is one thing that happened.
type Event struct {
	Seq  uint64    `json:"seq"`
	At   time.Time `json:"at"`
	Node string    `json:"node"`
	// Type is SUBJECT.WHAT, as in endpoint.down; Subject names what it happened to, as in example.org/web/one.
	Type    string `json:"type"`
	Subject string `json:"subject"`
	// Text says in words what happened and why.
	Text string `json:"text"`
	// Data are the particulars, by type.
	Data map[string]any `json:"data,omitempty"`
}

// Options are what a Log needs. Node is required; without Dir nothing outlives the process.
type Options struct {
	Node       string
	Dir        string
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// A Log is the record of a node. The nil Log takes everything and keeps nothing.
type Log struct {
	opts    Options
	dropped prometheus.Counter

	mu sync.Mutex
	// ring has the latest events, the oldest first; unwritten are those of them that are not on disk. Guarded by mu.
	ring, unwritten []Event
	seq             uint64        // guarded by mu
	more            chan struct{} // guarded by mu: closed at the next event
}

// Open reads what is kept. A file that is not understood is reported and left behind.
func Open(o Options) *Log {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{opts: o, more: make(chan struct{}), dropped: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "fairlead_events_dropped_total", Help: "Events that could not be written to disk, or were one of too many at once.",
	})}
	if o.Registerer != nil {
		o.Registerer.MustRegister(l.dropped)
	}
	if o.Dir == "" {
		return l
	}
	for _, file := range []string{oldName, name} {
		l.read(filepath.Join(o.Dir, file))
	}
	if l.seq > 0 {
		l.seq = (l.seq/gap + 1) * gap
	}
	return l
}

// read takes in the events of a file, up to a line that a crash cut off.
func (l *Log) read(path string) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		l.opts.Logger.Warn("events not read", "file", path, "err", err)
		return
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 4096), maxLine)
	for s.Scan() {
		var e Event
		if err := json.Unmarshal(s.Bytes(), &e); err != nil || e.Seq <= l.seq || e.Seq > maxSeq {
			l.opts.Logger.Warn("event not understood", "file", path, "after", l.seq)
			continue
		}
		l.seq = e.Seq
		l.keep(e)
	}
	if err := s.Err(); err != nil {
		l.opts.Logger.Warn("events not read to the end", "file", path, "err", err)
	}
}

// keep appends to the ring. The caller holds mu, or is alone.
func (l *Log) keep(e Event) {
	if len(l.ring) >= 2*Kept {
		l.ring = append([]Event(nil), l.ring[len(l.ring)-Kept+1:]...)
	}
	l.ring = append(l.ring, e)
}

// Add takes an event. Text beyond 1,000 octets is cut.
func (l *Log) Add(kind, subject, text string, data map[string]any) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	e := Event{
		Seq: l.seq, At: time.Now().UTC(), Node: l.opts.Node, Type: kind, Subject: subject,
		Text: strings.ToValidUTF8(text[:min(len(text), maxText)], ""), Data: data,
	}
	l.keep(e)
	if l.opts.Dir != "" {
		if len(l.unwritten) < Kept {
			l.unwritten = append(l.unwritten, e)
		} else {
			l.dropped.Inc()
		}
	}
	close(l.more)
	l.more = make(chan struct{})
}

// Drop counts events that nobody was told of, being too many.
func (l *Log) Drop(n int) {
	if l != nil {
		l.dropped.Add(float64(n))
	}
}

// A Filter says which events are meant; the zero Filter means all.
type Filter struct {
	// Types are types, or their beginnings with a * behind; none means all. Subject is a part of the subject.
	Types   []string
	Subject string
}

// Match tells whether e is meant.
func (f Filter) Match(e *Event) bool {
	if f.Subject != "" && !strings.Contains(e.Subject, f.Subject) {
		return false
	}
	for _, t := range f.Types {
		if prefix, wild := strings.CutSuffix(t, "*"); e.Type == t || wild && strings.HasPrefix(e.Type, prefix) {
			return true
		}
	}
	return len(f.Types) == 0
}

// After returns up to limit events with greater numbers than seq that f means, oldest first, the number to go on after, and a
// channel that closes when there may be more. missed tells whether some behind seq are not kept any more.
func (l *Log) After(seq uint64, limit int, f Filter) (events []Event, next uint64, missed bool, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ring := l.kept()
	if seq > l.seq {
		// A number that this log never gave: it was lost and began anew. Whoever has it gets what there is.
		seq, missed = 0, true
	}
	missed = missed || len(ring) > 0 && seq > 0 && ring[0].Seq > seq+1 && l.seq > seq && len(l.ring) >= Kept
	next = seq
	// Every follower asks after every event, and Add waits meanwhile: no walk over what is known.
	from, _ := slices.BinarySearchFunc(ring, seq+1, func(e Event, want uint64) int { return cmp.Compare(e.Seq, want) })
	for i := range ring[from:] {
		e := &ring[from+i]
		if len(events) == limit {
			return events, next, missed, closed
		}
		next = e.Seq
		if f.Match(e) {
			events = append(events, *e)
		}
	}
	return events, next, missed, l.more
}

// Last returns the latest events that f means, up to limit, oldest first.
func (l *Log) Last(limit int, f Filter) (events []Event) {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	ring := l.kept()
	for i := len(ring) - 1; i >= 0 && len(events) < limit; i-- {
		if f.Match(&ring[i]) {
			events = append(events, ring[i])
		}
	}
	for i, j := 0, len(events)-1; i < j; i, j = i+1, j-1 {
		events[i], events[j] = events[j], events[i]
	}
	return events
}

// Seq is the number of the latest event.
func (l *Log) Seq() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// kept are the events that count. The caller holds mu.
func (l *Log) kept() []Event { return l.ring[max(0, len(l.ring)-Kept):] }

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Run writes to disk until ctx ends, and then what is left.
func (l *Log) Run(ctx context.Context) error {
	if l == nil || l.opts.Dir == "" {
		return nil
	}
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			l.write()
			return nil
		case <-tick.C:
			l.write()
		}
	}
}

// write appends what is not on disk.
func (l *Log) write() {
	l.mu.Lock()
	due := l.unwritten
	l.unwritten = nil
	l.mu.Unlock()
	if len(due) == 0 {
		return
	}
	if err := l.append(due); err != nil {
		l.dropped.Add(float64(len(due)))
		l.opts.Logger.Warn("events not written", "count", len(due), "err", err)
	}
}

func (l *Log) append(due []Event) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, e := range due {
		was := b.Len()
		err := enc.Encode(e)
		octets := b.Len() - was
		if err == nil && octets < maxLine {
			continue
		}
		// One that nobody could read back would hide all that stand behind it.
		b.Truncate(was)
		l.dropped.Inc()
		l.opts.Logger.Warn("event not written", "seq", e.Seq, "octets", octets, "err", err)
	}
	path := filepath.Join(l.opts.Dir, name)
	if info, err := os.Stat(path); err == nil && info.Size() > fileSize {
		if err := os.Rename(path, filepath.Join(l.opts.Dir, oldName)); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	text := b.Bytes()
	if !endsLine(f) {
		// What a crash cut off stays a line of its own.
		text = append([]byte{'\n'}, text...)
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

// endsLine tells whether a file is empty or ends with the end of a line.
func endsLine(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return true
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err != nil || last[0] == '\n'
}
