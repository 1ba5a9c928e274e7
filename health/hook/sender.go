package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health/event"
)

const (
	// maxDead bounds the dead letters that are kept of one hook.
	maxDead = 1000
	// batch is how many events are looked at at once.
	batch = 100
	// handOver is how long a node that does not send keeps events: as long as it may take to notice that the one that does is gone.
	handOver = 30 * time.Second
	// lookEvery is how often a node that does not send looks whether it is its turn.
	lookEvery = time.Second
)

// Options are what a Sender needs. Events and Node are required.
type Options struct {
	Node   string
	Hooks  []config.Hook
	Events *event.Log
	// Dir is where positions and dead letters are kept; empty for nowhere.
	Dir string
	// Sends tells whether it is this node that delivers; nil means always.
	Sends      func() bool
	Client     *http.Client
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// A Sender delivers.
type Sender struct {
	opts  Options
	hooks []*one
}

// New makes a sender. Each hook begins where it was, a new one with what happens from now on.
func New(o Options) (*Sender, error) {
	if o.Sends == nil {
		o.Sends = func() bool { return true }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Client == nil {
		// A receiver says where it is in the node file, and nowhere else.
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	s := &Sender{opts: o}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("hooks: %w", err)
		}
	}
	m := newMetrics(o.Registerer, s)
	for _, h := range o.Hooks {
		one := &one{Hook: h, sender: s, delivered: m.deliveries.WithLabelValues(h.Name, "delivered"), dead: m.deliveries.WithLabelValues(h.Name, "dead"),
			retried: m.deliveries.WithLabelValues(h.Name, "retried")}
		if err := one.load(); err != nil {
			return nil, fmt.Errorf("hook %s: %w", h.Name, err)
		}
		s.hooks = append(s.hooks, one)
	}
	return s, nil
}

// Run delivers until ctx ends.
func (s *Sender) Run(ctx context.Context) error {
	if s == nil {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range s.hooks {
		g.Go(func() error { return h.run(ctx) })
	}
	return g.Wait()
}

// A Status is how a hook does.
type Status struct {
	config.Hook
	// Waiting are the events that this node is to deliver; on one that stands by none. Oldest is when the first of them
	// happened; zero while there is none.
	Waiting, Dead int
	Oldest        time.Time
	Delivered     uint64
	LastSuccess   time.Time
	LastError     string
}

// Status is that of every hook. Sends tells whether this node delivers.
func (s *Sender) Status() (all []Status, sends bool) {
	if s == nil {
		return nil, true
	}
	return s.waiting(), s.opts.Sends()
}

// waiting is the status of every hook. Where this node stands by, only what it is to deliver again waits.
func (s *Sender) waiting() (all []Status) {
	for _, h := range s.hooks {
		h.mu.Lock()
		st := Status{Hook: h.Hook, Dead: len(h.letters), Delivered: h.count, LastSuccess: h.lastSuccess, LastError: h.lastError}
		at, sends, waiting := h.position, h.sends, append([]event.Event(nil), h.again...)
		h.mu.Unlock()
		if sends {
			events, _, _, _ := s.opts.Events.After(at, event.Kept, h.filter())
			waiting = append(waiting, events...)
		}
		if len(waiting) > 0 {
			st.Waiting, st.Oldest = len(waiting), waiting[0].At
		}
		all = append(all, st)
	}
	return all
}

// A Letter is an event that could not be delivered.
type Letter struct {
	At    time.Time   `json:"at"`
	Why   string      `json:"why"`
	Event event.Event `json:"event"`
}

// ErrNoHook: there is no hook of that name.
var ErrNoHook = errors.New("no such hook")

// Dead are the letters of a hook, the oldest first.
func (s *Sender) Dead(name string) ([]Letter, error) {
	h, err := s.named(name)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Letter(nil), h.letters...), nil
}

// Redeliver has the dead letters of a hook delivered again, before anything else; it returns how many.
func (s *Sender) Redeliver(name string) (int, error) {
	h, err := s.named(name)
	if err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.letters)
	for _, l := range h.letters {
		h.again = append(h.again, l.Event)
	}
	h.letters = nil
	if h.wake != nil {
		close(h.wake)
		h.wake = nil
	}
	return n, h.saveLocked()
}

func (s *Sender) named(name string) (*one, error) {
	if s != nil {
		for _, h := range s.hooks {
			if h.Name == name {
				return h, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: %q", ErrNoHook, name)
}

// one is one hook.
type one struct {
	config.Hook
	sender                   *Sender
	delivered, dead, retried prometheus.Counter

	mu sync.Mutex
	// position is the number of the last event that is dealt with. Guarded by mu, as is the rest.
	position uint64
	// sends is set while this node delivers, and after its turn until everything up to owed is: the next one was not there when
	// it happened.
	sends, turn bool
	owed        uint64
	letters     []Letter
	again       []event.Event
	count       uint64
	lastSuccess time.Time
	lastError   string
	// kept is the position on disk, since keptAt.
	kept   uint64
	keptAt time.Time
	// wake is closed when there is something to deliver again; nil while nobody waits.
	wake chan struct{}
}

// saved is what is kept of a hook.
type saved struct {
	Position uint64        `json:"position"`
	Sends    bool          `json:"sends,omitempty"`
	Dead     []Letter      `json:"dead,omitempty"`
	Again    []event.Event `json:"again,omitempty"`
}

func (h *one) path() string { return filepath.Join(h.sender.opts.Dir, h.Name+".json") }

func (h *one) load() error {
	h.position = h.sender.opts.Events.Seq()
	if h.sender.opts.Dir == "" {
		return nil
	}
	b, err := os.ReadFile(h.path())
	if errors.Is(err, fs.ErrNotExist) {
		return h.saveLocked()
	}
	var s saved
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return fmt.Errorf("%w (remove %s to begin with what happens from now on)", err, h.path())
	}
	h.position, h.sends, h.letters, h.again = s.Position, s.Sends, s.Dead, s.Again
	if h.owed = h.sender.opts.Events.Seq(); h.position > h.owed {
		// The log was lost, and its numbers began anew.
		h.position = 0
	}
	return nil
}

func (h *one) saveLocked() error {
	if h.sender.opts.Dir == "" {
		return nil
	}
	return durable.WriteJSON(h.path(), saved{h.position, h.sends, h.letters, h.again})
}

func (h *one) filter() event.Filter { return event.Filter{Types: h.Types} }

// run delivers one event after the other until ctx ends.
func (h *one) run(ctx context.Context) error {
	for ctx.Err() == nil {
		turn := h.sender.opts.Sends()
		h.mu.Lock()
		if h.wake == nil {
			h.wake = make(chan struct{})
		}
		again, wake := h.again, h.wake
		owes := h.owesLocked(turn)
		h.mu.Unlock()
		switch {
		case len(again) > 0:
			h.deal(ctx, again[0], true)
		case owes:
			h.deliverBatch(ctx, turn, wake)
		default:
			h.pass(ctx)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keepLocked()
	return nil
}

// owesLocked tells whether it is this node that delivers the next event.
func (h *one) owesLocked(turn bool) bool {
	seq := h.sender.opts.Events.Seq()
	switch {
	case turn:
		h.sends, h.turn = true, true
	case h.turn:
		// An attempt may have lasted for minutes: all that happened until now was this node's, as far as it knows.
		h.turn, h.owed = false, seq
	case h.sends && h.position >= h.owed:
		h.sends = false
		h.keepLocked()
	}
	return h.sends
}

// deliverBatch delivers what there is, and waits for more if it is this node's turn.
func (h *one) deliverBatch(ctx context.Context, turn bool, wake <-chan struct{}) {
	h.mu.Lock()
	at, owed := h.position, h.owed
	h.mu.Unlock()
	events, next, missed, more := h.sender.opts.Events.After(at, batch, h.filter())
	if missed {
		h.sender.opts.Logger.Warn("events were forgotten before a hook was told of them", "hook", h.Name, "after", at)
	}
	for _, e := range events {
		if !turn && e.Seq > owed {
			h.moveTo(owed)
			return
		}
		if !h.deal(ctx, e, false) {
			return
		}
	}
	if len(events) == batch {
		return
	}
	if !turn {
		h.moveTo(owed)
		return
	}
	h.moveTo(next)
	select {
	case <-ctx.Done():
	case <-more:
	case <-wake:
	case <-time.After(handOver):
		// Whether it is still this node's turn.
	}
}

// pass lets events go by that another node delivers, and keeps the latest ones, should it be gone.
func (h *one) pass(ctx context.Context) {
	for {
		h.mu.Lock()
		at := h.position
		h.mu.Unlock()
		events, _, _, _ := h.sender.opts.Events.After(at, batch, event.Filter{})
		n := 0
		for n < len(events) && time.Since(events[n].At) > handOver {
			n++
		}
		if n == 0 {
			break
		}
		h.moveTo(events[n-1].Seq)
	}
	h.mu.Lock()
	if h.position > h.kept && time.Since(h.keptAt) > handOver {
		// Else a node that is killed begins with what another one delivered long ago.
		h.keepLocked()
	}
	h.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(lookEvery):
	}
}

// moveTo notes that everything up to seq is dealt with. The next delivery, look or end keeps it.
func (h *one) moveTo(seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.position = max(h.position, seq)
}

func (h *one) keepLocked() {
	h.kept, h.keptAt = h.position, time.Now()
	if err := h.saveLocked(); err != nil {
		h.sender.opts.Logger.Warn("position of a hook not kept: after a restart events are delivered again", "hook", h.Name, "err", err)
	}
}

// deal delivers an event, or makes it a dead letter; unset means that ctx ended first.
func (h *one) deal(ctx context.Context, e event.Event, again bool) bool {
	why := h.deliver(ctx, e)
	if ctx.Err() != nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if why == "" {
		h.count++
		h.delivered.Inc()
		h.lastSuccess, h.lastError = time.Now(), ""
	} else {
		h.dead.Inc()
		h.lastError = why
		h.letters = append(h.letters, Letter{At: time.Now().UTC(), Why: why, Event: e})
		h.letters = h.letters[max(0, len(h.letters)-maxDead):]
		h.sender.opts.Logger.Error("event not delivered: it is a dead letter", "hook", h.Name, "event", e.Seq, "type", e.Type, "cause", why)
	}
	if again {
		h.again = h.again[1:]
	} else {
		h.position = e.Seq
	}
	h.keepLocked()
	return true
}
