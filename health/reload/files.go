package reload

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/loop"
)

const (
	// pollInterval is how often the zone files are looked at; settleInterval is how soon a file that changed is read
	// again, for it counts only after two equal reads.
	pollInterval   = 2 * time.Second
	settleInterval = 500 * time.Millisecond
)

// ErrNoSource is what a look comes to where nothing watches the zone files.
var ErrNoSource = errors.New("engine: nobody watches the zone files")

// A Source watches the zone files. Its calls come one at a time.
type Source interface {
	// Poll looks at the files. model is not nil when a new one is to be served. settling asks for the next look soon.
	Poll() (model *config.Model, settling bool)
}

// Models are the model that waits to be taken up, and the one that is being compiled. They may be used from any goroutine. Make them
// with NewModels.
type Models struct {
	mu        sync.Mutex
	waiting   *config.Model // guarded by mu
	compiling *config.Model // guarded by mu
	taken     chan struct{} // guarded by mu: closed when the next model is served
}

// NewModels are those of an owner for which none waits.
func NewModels() *Models { return &Models{taken: make(chan struct{})} }

// set has a model wait; one that waits still is replaced.
func (m *Models) set(model *config.Model) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = model
}

// Next is the model that waited and is to be compiled; nil where there is none but the one in force.
func (m *Models) Next(inForce *config.Model) *config.Model {
	m.mu.Lock()
	defer m.mu.Unlock()
	model := m.waiting
	m.waiting = nil
	if model == inForce {
		return nil
	}
	m.compiling = model
	return model
}

// Served notes that what was compiled is served.
func (m *Models) Served() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.compiling = nil
	close(m.taken)
	m.taken = make(chan struct{})
}

// waits tells whether a model is still to be served; taken is closed when the next one is.
func (m *Models) waits(model *config.Model) (waits bool, taken <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waiting == model || m.compiling == model, m.taken
}

// Files is the goroutine that watches the zone files, and what others ask it to do in between.
type Files struct {
	source     Source
	models     *Models
	looks      chan looking
	loop       *loop.Loop
	departures *departure.Set
}

// NewFiles has what source, which may be nil, gives wait in models; departures tell what left by it.
func NewFiles(source Source, models *Models, l *loop.Loop, departures *departure.Set) *Files {
	return &Files{source: source, models: models, looks: make(chan looking), loop: l, departures: departures}
}

// SetModel takes a new model; a model that still waits is replaced. It may be called from any goroutine.
func (f *Files) SetModel(m *config.Model) {
	f.models.set(m)
	f.loop.Wake()
}

// Watch looks at the zone files again and again, until ctx ends.
func (f *Files) Watch(ctx context.Context) error {
	if f.source == nil {
		return nil
	}
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-f.looks:
			f.onLook(l)
			continue
		case <-timer.C:
		}
		m, settling := f.source.Poll()
		if m != nil {
			f.SetModel(m)
		}
		if settling {
			timer.Reset(settleInterval)
		} else {
			timer.Reset(pollInterval)
		}
	}
}

// A looking is what the goroutine that watches the files is asked to do in between.
type looking struct {
	do   func() *config.Model
	done chan *config.Model
}

// Look has the goroutine that watches the zone files call do, so that it never runs beside a Poll, and serves the model that do
// returns, if any. It returns at the latest when ctx ends. It may be called from any goroutine.
func (f *Files) Look(ctx context.Context, do func() *config.Model) (t departure.Taken, err error) {
	if f.source == nil {
		return t, ErrNoSource
	}
	var before uint64
	if err := f.loop.Do(func(time.Time) error { before = f.departures.Takings(); return nil }); err != nil {
		return t, err
	}
	l := looking{do: do, done: make(chan *config.Model, 1)}
	select {
	case f.looks <- l:
	case <-ctx.Done():
		return t, ctx.Err()
	case <-f.loop.Ended():
		return t, loop.ErrEnded
	}
	var m *config.Model
	select {
	case m = <-l.done:
	case <-f.loop.Ended():
		return t, loop.ErrEnded
	}
	t.Served = f.awaitModel(ctx, m)
	if err := f.loop.Do(func(time.Time) error { t.Left, t.More = f.departures.Since(before); return nil }); err != nil {
		return t, err
	}
	t.Left, err = f.awaitWritten(ctx, t.Left)
	return t, err
}

// onLook does what was asked for, on the goroutine that watches the files.
func (f *Files) onLook(l looking) {
	m := l.do()
	if m != nil {
		f.SetModel(m)
	}
	l.done <- m
}

// awaitModel waits until m, which may be nil, is served or has been replaced by a later one.
func (f *Files) awaitModel(ctx context.Context, m *config.Model) bool {
	for m != nil {
		waits, taken := f.models.waits(m)
		if !waits {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-f.loop.Ended():
			return false
		case <-taken:
		}
	}
	return true
}

const (
	// writtenWithin is how long a look at the files waits for the last answers with what left to be written, looking every writtenEvery.
	writtenWithin = time.Second
	writtenEvery  = 10 * time.Millisecond
)

// awaitWritten gives what left the instants at which it expires by what was really answered, once its last answers have been written.
func (f *Files) awaitWritten(ctx context.Context, left []departure.Left) ([]departure.Left, error) {
	left = slices.Clone(left)
	end := time.NewTimer(writtenWithin)
	defer end.Stop()
	tick := time.NewTicker(writtenEvery)
	defer tick.Stop()
	for {
		var leaving bool
		err := f.loop.Do(func(now time.Time) error { leaving = f.departures.Written(left, now); return nil })
		if err != nil || !leaving {
			return left, err
		}
		select {
		case <-ctx.Done():
			return left, nil
		case <-end.C:
			return left, nil
		case <-tick.C:
		}
	}
}
