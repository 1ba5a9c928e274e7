package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// Span is how far back a history goes.
	Span = 24 * time.Hour
	// MaxSeries is how many series there are at most.
	MaxSeries = 20_000
	// maxPoints bounds a series.
	maxPoints = 1440
	// maxFile bounds the file of an hour, maxLine a line of it, in octets.
	maxFile = 4 << 20
	maxLine = 2 << 20
	prefix  = "history-"
	suffix  = ".jsonl"
	// hourLayout names the file of an hour, so that names sort by time.
	hourLayout = "2006010215"
)

// A Point is a value from an instant on, until the next one. Known is unset from where on nothing is known.
type Point struct {
	At    time.Time
	Value float64
	Known bool
}

// Options are what a Log needs. Without Dir nothing outlives the process.
type Options struct {
	Dir        string
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// A Log is the history of a node.
type Log struct {
	opts    Options
	dropped prometheus.Counter

	mu sync.Mutex
	// series are the points by name, the oldest first; file is that of the hour, written of it so far. Guarded by mu.
	series  map[string][]Point
	file    *os.File
	hour    string
	written int
	failed  bool
}

// line is what is on disk of one instant. A null is where a series ends.
type line struct {
	At     int64               `json:"t"`
	Values map[string]*float64 `json:"v"`
}

// Open reads what is kept of the last day before now; what was known ends where the process before ended.
func Open(o Options, now time.Time) *Log {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{opts: o, series: make(map[string][]Point), dropped: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "fairlead_history_dropped_total", Help: "Values that the history of the last day had no room for, or could not write.",
	})}
	if o.Registerer != nil {
		o.Registerer.MustRegister(l.dropped)
	}
	if o.Dir == "" {
		return l
	}
	var last time.Time
	for _, path := range l.files() {
		if t := l.read(path, now); t.After(last) {
			last = t
		}
	}
	if !last.IsZero() {
		for name, points := range l.series {
			if points[len(points)-1].Known {
				l.series[name] = append(points, Point{At: last})
			}
		}
	}
	l.expire(now)
	return l
}

func (l *Log) files() []string {
	list, err := filepath.Glob(filepath.Join(l.opts.Dir, prefix+"*"+suffix))
	if err != nil {
		return nil // only a bad pattern, and ours is none
	}
	slices.Sort(list)
	return list
}

// read takes in a file, up to a line that a crash cut off, and returns its last instant.
func (l *Log) read(path string, now time.Time) (last time.Time) {
	f, err := os.Open(path)
	if err != nil {
		l.opts.Logger.Warn("history not read", "file", path, "err", err)
		return last
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 64<<10), maxLine)
	for s.Scan() {
		var one line
		if json.Unmarshal(s.Bytes(), &one) != nil {
			break
		}
		at := time.Unix(one.At, 0)
		if at.After(now) || at.Before(last) {
			continue
		}
		last = at
		for name, v := range one.Values {
			p := Point{At: at}
			if v != nil {
				p.Value, p.Known = *v, true
			}
			l.keep(name, p)
		}
	}
	return last
}

// keep appends a point, if it is another than the last one. It tells whether it did.
func (l *Log) keep(name string, p Point) bool {
	points, ok := l.series[name]
	if !ok && len(l.series) >= MaxSeries {
		l.dropped.Inc()
		return false
	}
	if n := len(points); n > 0 && points[n-1].Value == p.Value && points[n-1].Known == p.Known {
		return false
	}
	if len(points) >= maxPoints {
		points = slices.Delete(points, 0, len(points)-maxPoints+1)
	}
	l.series[name] = append(points, p)
	return true
}

// Add notes the values of some series at now. Series that are not named stay as they are.
func (l *Log) Add(now time.Time, values map[string]float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now = now.Truncate(time.Second)
	begun := l.roll(now)
	changed := make(map[string]*float64)
	for name, v := range values {
		if l.keep(name, Point{At: now, Value: v, Known: true}) {
			changed[name] = &v
		}
	}
	if begun {
		// Each hour's file begins with all that holds, so that it needs none before it.
		for name, points := range l.series {
			if p := points[len(points)-1]; p.Known && changed[name] == nil {
				changed[name] = &p.Value
			}
		}
	}
	l.write(now, changed)
}

// End notes that nothing is known of some series from now on.
func (l *Log) End(now time.Time, gone func(name string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now = now.Truncate(time.Second)
	ended := make(map[string]*float64)
	for name := range l.series {
		if gone(name) && l.keep(name, Point{At: now}) {
			ended[name] = nil
		}
	}
	l.write(now, ended)
}

// roll begins the file of a new hour, and removes those that are too old. It tells whether it did.
func (l *Log) roll(now time.Time) bool {
	hour := now.UTC().Format(hourLayout)
	if l.opts.Dir == "" || hour == l.hour {
		return false
	}
	l.expire(now)
	if l.file != nil {
		l.file.Close()
	}
	l.hour, l.written = hour, 0
	var err error
	if l.file, err = os.OpenFile(filepath.Join(l.opts.Dir, prefix+hour+suffix), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		l.file = nil
		l.fail(err)
		return false
	}
	if info, err := l.file.Stat(); err == nil {
		l.written = int(info.Size())
	}
	return true
}

// expire forgets what is older than Span, on disk too.
func (l *Log) expire(now time.Time) {
	since := now.Add(-Span)
	for name, points := range l.series {
		i := 0
		for i+1 < len(points) && !points[i+1].At.After(since) {
			i++
		}
		if points = points[i:]; len(points) == 1 && !points[0].Known && points[0].At.Before(since) {
			delete(l.series, name)
			continue
		}
		l.series[name] = points
	}
	oldest := prefix + since.UTC().Format(hourLayout) + suffix
	for _, path := range l.files() {
		if l.opts.Dir != "" && filepath.Base(path) < oldest {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				l.fail(err)
			}
		}
	}
}

func (l *Log) write(now time.Time, values map[string]*float64) {
	if l.file == nil || len(values) == 0 {
		return
	}
	b, err := json.Marshal(line{At: now.Unix(), Values: values})
	if err != nil || l.written+len(b) >= maxFile || len(b) >= maxLine {
		l.dropped.Add(float64(len(values)))
		return
	}
	n, err := l.file.Write(append(b, '\n'))
	l.written += n
	if err != nil {
		l.dropped.Add(float64(len(values)))
		l.fail(err)
		return
	}
	l.failed = false
}

// fail logs the first failure of several in a row.
func (l *Log) fail(err error) {
	if !l.failed {
		l.opts.Logger.Warn("history not written", "dir", l.opts.Dir, "err", fmt.Errorf("history: %w", err))
	}
	l.failed = true
}

// Series are the points of all series whose names begin with prefix, since an instant; the first one is what held then.
func (l *Log) Series(prefix string, since time.Time) map[string][]Point {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string][]Point)
	for _, name := range slices.Sorted(maps.Keys(l.series)) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		points := l.series[name]
		i := 0
		for i+1 < len(points) && !points[i+1].At.After(since) {
			i++
		}
		out[name] = slices.Clone(points[i:])
	}
	return out
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file, l.hour = nil, ""
	return err
}
