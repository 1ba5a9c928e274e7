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
	m := newMetrics(o.Registerer)
	for _, h := range o.Hooks {
		one := &one{Hook: h, sender: s, delivered: m.deliveries.WithLabelValues(h.Name, "delivered"), dead: m.deliveries.WithLabelValues(h.Name, "dead"),
			retried: m.deliveries.WithLabelValues(h.Name, "retried"), waiting: m.waiting.WithLabelValues(h.Name)}
		if err := one.load(); err != nil {
			return nil, fmt.Errorf("hook %s: %w", h.Name, err)
		}
		s.hooks = append(s.hooks, one)
	}
	return s, nil
}

type metrics struct {
	deliveries *prometheus.CounterVec
	waiting    *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_hook_deliveries_total", Help: "Attempts to deliver an event, by hook and outcome: delivered, retried, dead.",
		}, []string{"hook", "outcome"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "fairlead_hook_oldest_seconds", Help: "Age of the event that waits for its delivery; 0 while none does.",
		}, []string{"hook"}),
	}
	reg.MustRegister(m.deliveries, m.waiting)
	return m
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
	Waiting, Dead int
	Delivered     uint64
	LastSuccess   time.Time
	LastError     string
}

// Status is that of every hook. Sends tells whether this node delivers.
func (s *Sender) Status() (all []Status, sends bool) {
	if s == nil {
		return nil, true
	}
	for _, h := range s.hooks {
		h.mu.Lock()
		st := Status{Hook: h.Hook, Dead: len(h.letters), Delivered: h.count, LastSuccess: h.lastSuccess, LastError: h.lastError}
		at := h.position
		h.mu.Unlock()
		waiting, _, _, _ := s.opts.Events.After(at, event.Kept, h.filter())
		st.Waiting = len(waiting)
		all = append(all, st)
	}
	return all, s.opts.Sends()
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
	waiting                  prometheus.Gauge

	mu sync.Mutex
	// position is the number of the last event that is dealt with. Guarded by mu, as is the rest.
	position    uint64
	letters     []Letter
	again       []event.Event
	count       uint64
	lastSuccess time.Time
	lastError   string
	// wake is closed when there is something to deliver again; nil while nobody waits.
	wake chan struct{}
}

// saved is what is kept of a hook.
type saved struct {
	Position uint64        `json:"position"`
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
	h.position, h.letters, h.again = s.Position, s.Dead, s.Again
	return nil
}

func (h *one) saveLocked() error {
	if h.sender.opts.Dir == "" {
		return nil
	}
	b, err := json.Marshal(saved{h.position, h.letters, h.again})
	if err != nil {
		return err
	}
	return durable.WriteFile(h.path(), b)
}

func (h *one) filter() event.Filter { return event.Filter{Types: h.Types} }

// run delivers one event after the other until ctx ends.
func (h *one) run(ctx context.Context) error {
	for ctx.Err() == nil {
		h.mu.Lock()
		at, again := h.position, h.again
		if h.wake == nil {
			h.wake = make(chan struct{})
		}
		wake := h.wake
		h.mu.Unlock()
		if !h.sender.opts.Sends() {
			h.pass(ctx)
			continue
		}
		if len(again) > 0 {
			h.deal(ctx, again[0], true)
			continue
		}
		events, next, missed, more := h.sender.opts.Events.After(at, batch, h.filter())
		if missed {
			h.sender.opts.Logger.Warn("events were forgotten before a hook was told of them", "hook", h.Name, "after", at)
		}
		for _, e := range events {
			if !h.deal(ctx, e, false) {
				return nil
			}
		}
		if len(events) < batch {
			h.moveTo(next, len(events) > 0)
			h.waiting.Set(0)
			select {
			case <-ctx.Done():
			case <-more:
			case <-wake:
			}
		}
	}
	return nil
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
		h.moveTo(events[n-1].Seq, false)
	}
	select {
	case <-ctx.Done():
	case <-time.After(lookEvery):
	}
}

// moveTo notes that everything up to seq is dealt with.
func (h *one) moveTo(seq uint64, keep bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if seq <= h.position {
		return
	}
	h.position = seq
	if keep {
		h.keepLocked()
	}
}

func (h *one) keepLocked() {
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
