package ui

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// lookEvery is how often a page is rendered at most, restFactor how many times what that cost is rested before any page is: all pages
	// together cost the node one thirtieth of a core, and with more and different ones open each is rendered less often.
	lookEvery  = time.Second
	restFactor = 30
	// longestRest is for how long no page is rendered at most: a machine that is busy otherwise must not make pages old.
	longestRest = 5 * time.Second
	// beatEvery is how often a stream says that it lives, and what the node's time is; app.js calls a page stale after three.
	beatEvery = 5 * time.Second
	// writeTimeout is how long one write to a stream may take.
	writeTimeout = 5 * time.Second
	// maxFollowers bounds how many pages follow at once.
	maxFollowers = 512
	// freshFor is how long a look at the node is good for other pages.
	freshFor = 800 * time.Millisecond
)

// A look is what the API said at one moment, for all pages.
type look struct {
	At        time.Time
	Status    *api.Status
	Staleness *api.Staleness
	Incidents []*ledger.Incident
	// Plans is set where there are plans, or runs of some.
	Plans bool
}

// A hub has one room for each page that is open, with what the page says now.
type hub struct {
	ui *UI

	mu sync.Mutex
	// rooms are by path, query and role. Guarded by mu.
	rooms     map[string]*room
	followers int // guarded by mu

	lookMu sync.Mutex
	latest *look // guarded by lookMu

	// turn is held by the room whose turn it is to render, once rested is over.
	turn   sync.Mutex
	rested time.Time // guarded by turn

	countedMu sync.Mutex
	// countedShares are by AZ, as of countedAt. Guarded by countedMu.
	countedShares map[string]float64
	countedAt     time.Time
}

func newHub(u *UI) *hub { return &hub{ui: u, rooms: make(map[string]*room)} }

// look is what the API says now, or hardly before.
func (h *hub) look() *look {
	h.lookMu.Lock()
	defer h.lookMu.Unlock()
	if h.latest == nil || time.Since(h.latest.At) > freshFor {
		b := h.ui.opts.Backend
		h.latest = &look{At: time.Now(), Status: b.Status(), Staleness: b.Staleness(), Incidents: b.Incidents(), Plans: b.HasPlans()}
	}
	return h.latest
}

// forget has the next page look anew: something was ordered.
func (h *hub) forget() {
	h.lookMu.Lock()
	defer h.lookMu.Unlock()
	h.latest = nil
}

// A room is the page that some look at, all with the same role.
type room struct {
	people int // guarded by the hub's mu
	ended  chan struct{}

	mu sync.Mutex
	// text is the inside of the page, as an event; number grows with each. Guarded by mu.
	text    []byte
	number  uint64
	changed chan struct{} // guarded by mu: closed at the next change
}

// say publishes what the page says.
func (r *room) say(text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if bytes.Equal(r.text, text) {
		return
	}
	r.text = text
	r.number++
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *room) now() (text []byte, number uint64, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text, r.number, r.changed
}

// join enters the room of a page; the first one there has it rendered from now on. nil means that it is full.
func (h *hub) join(key string, render func() []byte) *room {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.followers >= maxFollowers {
		return nil
	}
	h.followers++
	r := h.rooms[key]
	if r == nil {
		r = &room{ended: make(chan struct{}), changed: make(chan struct{})}
		h.rooms[key] = r
		go h.keep(r, render)
	}
	r.people++
	return r
}

func (h *hub) leave(key string, r *room) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.followers--
	if r.people--; r.people == 0 {
		delete(h.rooms, key)
		close(r.ended)
	}
}

// keep renders the page of a room until the last one leaves.
func (h *hub) keep(r *room, render func() []byte) {
	for r.wait(lookEvery - h.render(r, render)) {
	}
}

// render renders the page of a room when it is its turn, and returns what that took, the wait included.
func (h *hub) render(r *room, render func() []byte) time.Duration {
	asked := time.Now()
	h.turn.Lock()
	defer h.turn.Unlock()
	if !r.wait(time.Until(h.rested)) {
		return 0
	}
	began := time.Now()
	if text := render(); text != nil {
		r.say(text)
	}
	h.rested = time.Now().Add(min(longestRest, restFactor*time.Since(began)))
	return time.Since(asked)
}

// wait waits for a while, or until the room ends; then it returns false.
func (r *room) wait(d time.Duration) bool {
	rest := time.NewTimer(max(d, 0))
	defer rest.Stop()
	select {
	case <-r.ended:
		return false
	case <-rest.C:
	}
	select {
	case <-r.ended:
		return false
	default:
		return true
	}
}

// follow streams a page: its inside whenever it changes, and a beat with the node's time.
func (v *visit) follow(p pageDef) {
	key := v.Login.Role + " " + v.r.URL.RequestURI()
	// The page is rendered for all that look at it, after this request has gone too.
	shared := &visit{ui: v.ui, r: v.r.Clone(context.WithoutCancel(v.r.Context())), Login: v.Login, door: v.door}
	shared.r.URL.Path = "/ui" + strings.TrimPrefix(v.r.URL.Path, "/ui/live")
	room := v.ui.hub.join(key, func() []byte { return shared.inside(p) })
	if room == nil {
		v.w.Header().Set("Retry-After", "5")
		http.Error(v.w, fmt.Sprintf("%d pages follow already", maxFollowers), http.StatusServiceUnavailable)
		return
	}
	defer v.ui.hub.leave(key, room)
	out := stream{w: v.w, control: http.NewResponseController(v.w)}
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.WriteHeader(http.StatusOK)
	_ = out.control.SetReadDeadline(time.Time{})
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	out.beat()
	var seen uint64
	for {
		text, number, changed := room.now()
		if number != seen {
			seen = number
			out.write(text)
		}
		if out.flush() != nil {
			return
		}
		select {
		case <-v.r.Context().Done():
			return
		case <-v.ui.opts.Ending:
			return
		case <-changed:
		case <-beat.C:
			if _, ok := v.door.of(v.r); !ok {
				return
			}
			out.beat()
		}
	}
}

// inside is the inside of a page as an event; nil if it could not be made.
func (v *visit) inside(p pageDef) []byte {
	v.Now = time.Now()
	data, err := p.load(v)
	if err != nil {
		data = err.Error()
	}
	name := p.name
	if err != nil {
		name = "error"
	}
	var b bytes.Buffer
	if err := v.ui.templates[name].ExecuteTemplate(&b, "live", v.page(p, data)); err != nil {
		v.ui.opts.Logger.Error("page not rendered", "page", p.name, "err", err)
		return nil
	}
	var event bytes.Buffer
	for line := range bytes.Lines(b.Bytes()) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 {
			event.WriteString("data: ")
			event.Write(line)
			event.WriteByte('\n')
		}
	}
	event.WriteByte('\n')
	return event.Bytes()
}

// A stream writes with a deadline for each part; the first error stays.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (s *stream) write(b []byte) {
	if s.err != nil {
		return
	}
	if s.err = s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); s.err == nil {
		_, s.err = s.w.Write(b)
	}
}

// beat says what time it is on the node, in milliseconds since 1970.

func (s *stream) beat() {
	s.write(fmt.Appendf(nil, "event: beat\ndata: %d\n\n", time.Now().UnixMilli()))
}

func (s *stream) flush() error {
	if s.err == nil {
		s.err = s.control.Flush()
	}
	return s.err
}
