package feed

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// maxRows bounds the departures of which is kept who confirmed them: the oldest is forgotten first.
	maxRows = 1024
	// maxSubscribers bounds those who are there and those who are silent: nobody is given something who could not be remembered.
	maxSubscribers = 20_000
	// lateMost is for how long after a swap something of the snapshot before may be sent: no write takes so long.
	lateMost = time.Minute
	// sweepEvery is how often it is looked who is silent for longer than what was given may be kept.
	sweepEvery = time.Second
)

// A Hub knows who listens, what each of them was given, and what each has acknowledged. It is told of every snapshot that is put in force, and
// tells those who listen. It is safe for concurrent use; nothing waits while it is held.
//
// The rules, each of which makes less known and never more:
//   - A subscriber may use all that it was sent since the version that it has confirmed last.
//   - It has confirmed a version if it acknowledged the last that it was sent, and has since been found to be given the same at that version.
//   - Who acknowledges what it was not sent has confirmed nothing, then or later: a liar.
//   - Whose stream has ended is silent. It counts until what it was given has expired.
type Hub struct {
	// life tells the versions of one process from those of another.
	life string
	// credulous believes liars, forgetful drops the silent, prompt takes nothing for late: rules that the simulator switches off.
	credulous, forgetful, prompt bool

	mu sync.Mutex
	// The rest is guarded by mu. version counts snapshots; changed is closed at the next one.
	version uint64
	changed chan struct{}
	// subscribers are by id, the silent ones included.
	subscribers map[string]*subscriber
	// holders are who may use a holding.
	holders map[ledger.Key]map[*subscriber]bool
	// rows are departures of what subscribers held, the oldest first; rowsOf has the same by RDATA. cut is set once one was forgotten for want of
	// room.
	rows   []*row
	rowsOf map[ledger.RDataKey][]*row
	cut    bool
	// gone is what left with the last versions, for those to whom an older one is still on its way.
	gone map[ledger.Key]departed
	// lies counts acknowledgements of what was not sent.
	lies uint64
}

// A subscriber is one stream.
type subscriber struct {
	id, kind string
	// sent is the version that it was sent last, acked the one that it acknowledged last. checked is up to which version it was found to be
	// given what it was sent last.
	sent, acked, checked uint64
	liar                 bool
	// held is all that it may use, last what it was sent last.
	held, last map[ledger.Key]bool
	// pending are the rows in which it is.
	pending map[*row]bool
	// until is when all that it was given has expired, gone when its stream ended; zero while it is there.
	until, gone time.Time
}

// A row is a departure of RDATA that subscribers held, with one snapshot.
type row struct {
	rdata   ledger.RDataKey
	version uint64
	at      time.Time
	// keys are the holdings that left.
	keys map[ledger.Key]bool
	// pending have not confirmed; confirmed others have, the last of them so long after at.
	pending   map[*subscriber]bool
	confirmed int
	last      time.Duration
	// expired fell silent, and what they were given has expired; the first of them was last heard at since, the last expired at ended.
	expired      int
	since, ended time.Time
}

// A departed is when something left, and with which version.
type departed struct {
	version uint64
	at      time.Time
}

// NewHub makes a hub without subscribers.
func NewHub() *Hub {
	life := make([]byte, 8)
	// rand.Read does not fail.
	_, _ = rand.Read(life)
	return &Hub{
		life: hex.EncodeToString(life), version: 1, changed: make(chan struct{}), subscribers: make(map[string]*subscriber),
		holders: make(map[ledger.Key]map[*subscriber]bool), gone: make(map[ledger.Key]departed), rowsOf: make(map[ledger.RDataKey][]*row),
	}
}

// Swapped says that a snapshot has been put in force, and what left with the one before. It is to return before anybody is told that it left.
func (h *Hub) Swapped(left []ledger.Departed, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.version++
	for i := range left {
		h.gone[left[i].Key()] = departed{h.version, now}
		h.leftLocked(left[i].Key(), now)
	}
	h.trimLocked()
	close(h.changed)
	h.changed = make(chan struct{})
}

// leftLocked opens the row of a holding that left, if anybody held it. What is known of an earlier departure of it is void: it came back in
// between, and what is asked now is who lets go of it now. Rows of which nothing is left go with trimLocked.
func (h *Hub) leftLocked(k ledger.Key, now time.Time) {
	for _, r := range h.rowsOf[k.RData] {
		if r.version != h.version {
			delete(r.keys, k)
		}
	}
	if len(h.holders[k]) == 0 {
		return
	}
	r := h.rowLocked(k.RData, departed{h.version, now})
	r.keys[k] = true
	for s := range h.holders[k] {
		r.await(s)
	}
}

// rowLocked is the row of a departure, which is opened if it is not there.
func (h *Hub) rowLocked(rdata ledger.RDataKey, left departed) *row {
	for _, r := range h.rowsOf[rdata] {
		if r.version == left.version {
			return r
		}
	}
	r := &row{rdata: rdata, version: left.version, at: left.at, keys: make(map[ledger.Key]bool), pending: make(map[*subscriber]bool)}
	h.rows, h.rowsOf[rdata] = append(h.rows, r), append(h.rowsOf[rdata], r)
	return r
}

// await has r wait for s; settled ends that.
func (r *row) await(s *subscriber) { r.pending[s], s.pending[r] = true, true }

func (r *row) settled(s *subscriber) {
	delete(r.pending, s)
	delete(s.pending, r)
}

// trimLocked forgets rows of which nothing is left, and the oldest of too many.
func (h *Hub) trimLocked() {
	over := 0
	for _, r := range h.rows {
		if len(r.keys) > 0 {
			over++
		}
	}
	over -= maxRows
	h.rows = slices.DeleteFunc(h.rows, func(r *row) bool {
		if len(r.keys) > 0 {
			if over--; over < 0 {
				return false
			}
			h.cut = true
		}
		for s := range r.pending {
			r.settled(s)
		}
		if h.rowsOf[r.rdata] = slices.DeleteFunc(h.rowsOf[r.rdata], func(o *row) bool { return o == r }); len(h.rowsOf[r.rdata]) == 0 {
			delete(h.rowsOf, r.rdata)
		}
		return true
	})
}

// now is the version in force, at the least, and what is closed when there is another one. Who enters a snapshot asks before.
func (h *Hub) now() (version uint64, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.version, h.changed
}

// join makes a subscriber of a kind; nil if there are too many.
func (h *Hub) join(kind string) *subscriber {
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	s := &subscriber{id: hex.EncodeToString(id), kind: kind, held: make(map[ledger.Key]bool), pending: make(map[*row]bool)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subscribers) >= maxSubscribers {
		return nil
	}
	h.subscribers[s.id] = s
	return s
}

// giving says, before it is written, that s is sent keys, all that it is to use from then on, as of a version, to be kept until then.
func (h *Hub) giving(s *subscriber, version uint64, keys map[ledger.Key]bool, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.sent, s.checked, s.last = version, version, keys
	if until.After(s.until) {
		s.until = until
	}
	for k := range keys {
		s.held[k] = true
		if h.holders[k] == nil {
			h.holders[k] = make(map[*subscriber]bool)
		}
		h.holders[k][s] = true
		h.lateLocked(s, k, version)
	}
}

// lateLocked has s pend where k left while what s is sent was being made of an older version. Its row may not be there, if nobody held k then.
func (h *Hub) lateLocked(s *subscriber, k ledger.Key, version uint64) {
	left, ok := h.gone[k]
	if !ok || left.version <= version || h.prompt {
		return
	}
	r := h.rowLocked(k.RData, left)
	r.keys[k] = true
	r.await(s)
}

// same says that s would be sent at a version what it was sent last.
func (h *Hub) same(s *subscriber, version uint64, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.checked = version
	h.settleLocked(s, now)
}

// renewed says, before it is written, that s may keep what it was sent last until then.
func (h *Hub) renewed(s *subscriber, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until.After(s.until) {
		s.until = until
	}
}

// ack takes an acknowledgement of a version. ok is unset if that was not sent.
func (h *Hub) ack(s *subscriber, version uint64, now time.Time) (ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if version > s.sent && !h.credulous {
		s.liar = true
		h.lies++
		return false
	}
	s.acked = max(s.acked, version)
	h.settleLocked(s, now)
	return true
}

// ackFrom is ack of the subscriber named id, which must be there.
func (h *Hub) ackFrom(id string, version uint64, now time.Time) (known, ok bool) {
	h.mu.Lock()
	s := h.subscribers[id]
	known = s != nil && s.gone.IsZero()
	h.mu.Unlock()
	return known, known && h.ack(s, version, now)
}

// settleLocked draws the conclusion from what s has acknowledged.
func (h *Hub) settleLocked(s *subscriber, now time.Time) {
	if s.liar || s.acked < s.sent || s.sent == 0 {
		return
	}
	// What it was sent last is a part of what it holds.
	if len(s.held) > len(s.last) {
		for k := range s.held {
			if !s.last[k] {
				h.letGoLocked(s, k)
			}
		}
	}
	upTo := max(s.checked, s.acked)
	for r := range s.pending {
		if r.version <= upTo && !s.lasts(r) {
			r.settled(s)
			r.confirmed, r.last = r.confirmed+1, now.Sub(r.at)
		}
	}
}

// lasts tells whether what s was sent last has something of r: it came back, or s keeps it whatever it is sent.
func (s *subscriber) lasts(r *row) bool {
	for k := range r.keys {
		if s.last[k] {
			return true
		}
	}
	return false
}

func (h *Hub) letGoLocked(s *subscriber, k ledger.Key) {
	delete(s.held, k)
	if delete(h.holders[k], s); len(h.holders[k]) == 0 {
		delete(h.holders, k)
	}
}

// leave says that the stream of s has ended.
func (h *Hub) leave(s *subscriber, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s.gone = now
	if h.forgetful {
		h.forgetLocked(s)
		for r := range s.pending {
			r.settled(s)
		}
		return
	}
	h.expireLocked(s, now)
}

// expireLocked forgets s if it is silent and what it was given has expired.
func (h *Hub) expireLocked(s *subscriber, now time.Time) {
	if s.gone.IsZero() || now.Before(s.until) {
		return
	}
	h.forgetLocked(s)
	for r := range s.pending {
		r.settled(s)
		if r.expired++; r.since.IsZero() || s.gone.Before(r.since) {
			r.since = s.gone
		}
		r.ended = ledger.Later(r.ended, s.until)
	}
}

func (h *Hub) forgetLocked(s *subscriber) {
	for k := range s.held {
		h.letGoLocked(s, k)
	}
	delete(h.subscribers, s.id)
}

// sweep forgets who is silent for longer than what was given may be kept.
func (h *Hub) sweep(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.gone, func(_ ledger.Key, d departed) bool { return now.Sub(d.at) > lateMost })
	for _, s := range h.subscribers {
		h.expireLocked(s, now)
	}
}

// run sweeps until ctx ends.
func (h *Hub) run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			h.sweep(now)
		}
	}
}

// counts are how many subscribers of a kind are there, and how many are silent.
func (h *Hub) counts(kind string) (there, silent int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.subscribers {
		switch {
		case s.kind != kind:
		case s.gone.IsZero():
			there++
		default:
			silent++
		}
	}
	return there, silent
}

// Count is how many subscribers are there, how many are silent, and how many of the former have not acknowledged what they were sent last.
func (h *Hub) Count() (there, silent, unconfirmed int) {
	for _, kind := range kinds {
		t, s := h.counts(kind)
		there, silent = there+t, silent+s
	}
	return there, silent, h.unconfirmed()
}

// unconfirmed is how many subscribers that are there have not acknowledged what they were sent last.
func (h *Hub) unconfirmed() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.subscribers {
		if s.gone.IsZero() && (s.liar || s.acked < s.sent) {
			n++
		}
	}
	return n
}
