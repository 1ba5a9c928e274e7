package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// greatest is H of docs/design.md section 8, the greatest TTL that answers of this node may carry. It is on disk, and remembered by another
// node, before an answer carries it: what can't be written isn't given. So a process that starts anew knows until when answers of the
// one before it may live, whatever else was lost. Owned by Run's goroutine.
type greatest struct {
	// disk is what is on disk; want what the files of the model allow, told what may be given.
	disk, want, told time.Duration
	// writing is set while disk is being replaced; failed is why the last time it could not be.
	writing bool
	failed  error
	// above is the number of the last swap after which answers of more than want may be under way, and lower when no cache can hold one
	// any more; zero while that is not known.
	above uint64
	lower time.Time
	// unnamed says why nobody knows what an earlier process of this node answered; empty where that is known. It ends when an operator
	// names the greatest TTL, and when no answer that any file allows can be left.
	unnamed string
}

// ttlOf is the greatest TTL that the files of a model allow.
func ttlOf(m *config.Model) (most time.Duration) {
	for _, z := range m.Zones {
		for _, s := range z.Services {
			most = max(most, time.Duration(s.TTL.Max)*time.Second)
		}
	}
	return most
}

// openIssued begins the ledger's book, before anything is answered.
func (e *Engine) openIssued(now time.Time) error {
	i := &e.issued
	i.departures = make(map[ledger.Key]*departure)
	file := durable.NewFile[*savedLedger](filepath.Join(e.opts.State, ledgerName), ledgerVersion, 0)
	saved, err := readLedger(e.opts.State)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		e.state.Damage(ledgerName, "what earlier answers may have carried is lost: bounds are unknown until it is named", err)
	}
	g := &i.greatest
	g.disk, g.want = ttlSeconds(saved.GreatestTTLSeconds), ttlOf(e.opts.Model)
	earlier := g.disk
	switch {
	case e.opts.MaxTTL != nil:
		earlier = max(earlier, *e.opts.MaxTTL)
	case e.opts.State == "" && e.cluster == nil:
		// A node that keeps nothing is for tests and trials.
		earlier = max(earlier, g.want)
	case err != nil || saved.Unnamed:
		g.unnamed = "its state directory did not say what it answered before: name the longest TTL (fairlead nodes max-ttl)"
	case e.opts.Restored != "":
		g.unnamed = e.opts.Restored
	}
	young := g.unnamed != "" || saved.Young
	if g.unnamed != "" {
		earlier = config.MaxTTL
		if e.cluster != nil && !e.cluster.alone() {
			// The other nodes remember it.
			e.cluster.gate.joined, g.unnamed, i.asks = false, "", true
			earlier = g.disk
		}
	}
	i.book = ledger.NewBook(e.opts.Ledger, now.Add(ledger.Slow(earlier)), e.opts.Without)
	e.openLives(saved, now)
	e.lives.young = young
	g.disk = max(g.disk, g.want)
	g.told = g.disk
	e.opts.Ledger.SetLimit(limit(g.told))
	if e.opts.State == "" {
		return nil
	}
	e.issued.writer = file
	// The one write that is waited for: nothing is answered yet.
	if err := file.Write(e.savedLedger()); err != nil {
		g.disk, g.failed = ttlSeconds(saved.GreatestTTLSeconds), err
		g.told = g.disk
		e.opts.Ledger.SetLimit(limit(g.told))
		e.opts.Logger.Error("the greatest TTL is not on disk: answers carry no more than what is", "ttl", g.disk.String(), "err", err)
		return nil
	}
	e.lives.kept()
	if !e.cluster.alone() && g.disk > ttlSeconds(saved.GreatestTTLSeconds) {
		// Not before another node remembers it.
		g.told = ttlSeconds(saved.GreatestTTLSeconds)
		e.opts.Ledger.SetLimit(limit(g.told))
		e.mindTold()
	}
	return nil
}

func ttlSeconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

// limit is a TTL as the ledger's limit has it.
func limit(d time.Duration) uint32 { return uint32(min(d/time.Second, math.MaxUint32)) }

// wantTTL takes up what the files of a model that was swapped in allow.
func (e *Engine) wantTTL() {
	g := &e.issued.greatest
	was := g.want
	if g.want = ttlOf(e.cur.Model); g.want < was {
		g.above, _ = e.issued.book.Swaps()
		g.lower = time.Time{}
	}
	e.showOlder()
}

// OlderTTL is the greatest TTL of answers of before, where the files of now allow less and caches may hold one; 0 for none.
func (e *Engine) OlderTTL() time.Duration { return time.Duration(e.olderTTL.Load()) }

// showOlder notes what OlderTTL tells.
func (e *Engine) showOlder() {
	g, older := &e.issued.greatest, time.Duration(0)
	if g.want < g.disk {
		older = g.disk
	}
	e.olderTTL.Store(int64(older))
}

// mindGreatest brings the greatest TTL to disk and to the other nodes, and lowers it once no cache can hold more.
func (e *Engine) mindGreatest(now time.Time) {
	g := &e.issued.greatest
	if g.unnamed != "" && now.After(e.issued.book.Earlier().Add(e.opts.Transit)) {
		e.nameTTL()
	}
	without := e.opts.Without
	switch {
	case g.want > g.disk:
		if without.Without(health.GuardGreatestDisk) {
			e.opts.Ledger.SetLimit(limit(g.want))
			if e.issued.late.IsZero() {
				e.issued.late = now
			}
			if now.Sub(e.issued.late) < lateWrite {
				return
			}
			e.issued.late = time.Time{}
		}
		e.saveGreatest(g.want)
	case g.want < g.disk && e.lowers(now):
		e.saveGreatest(g.want)
	}
	e.mindTold()
	e.showOlder()
}

// lateWrite is how much too late a greatest TTL is written where a guard of the simulator lets it.
const lateWrite = 20 * time.Second

// lowers tells whether no handler holds, and no cache can hold, an answer of more than what the files allow.
func (e *Engine) lowers(now time.Time) bool {
	g := &e.issued.greatest
	if e.opts.Without.Without(health.GuardGreatestLower) {
		return true
	}
	if _, quiet := e.issued.book.Swaps(); g.lower.IsZero() && quiet >= g.above {
		g.lower = now.Add(ledger.Slow(g.disk) + e.opts.Transit)
	}
	return !g.lower.IsZero() && now.After(g.lower) && now.After(e.issued.book.Earlier().Add(e.opts.Transit))
}

// saveGreatest has another greatest TTL written.
func (e *Engine) saveGreatest(ttl time.Duration) {
	g := &e.issued.greatest
	if g.writing {
		return
	}
	if e.issued.writer == nil {
		g.disk = ttl
		return
	}
	g.writing = true
	was := g.disk
	if ttl > was {
		// What is read back after a crash is one of both, and the greater one harms nobody.
		g.disk = ttl
	}
	saved := e.savedLedger()
	saved.GreatestTTLSeconds = limit(ttl)
	e.lives.writes++
	saved.count(e.lives.boot, e.lives.writes)
	g.disk = was
	e.save(saved, func(err error) {
		g.writing = false
		if failed := g.failed != nil; failed != (err != nil) {
			if err != nil {
				e.opts.Logger.Warn("the greatest TTL is not kept: answers carry none that is greater", "ttl", ttl.String(), "err", err)
			} else {
				e.opts.Logger.Info("the greatest TTL is kept again", "ttl", ttl.String())
			}
		}
		if g.failed = err; err == nil {
			g.disk, g.told = ttl, min(g.told, ttl)
			e.mindTold()
			e.urge()
		}
	})
}

// mindTold lets answers carry what is on disk, once another node remembers it too.
func (e *Engine) mindTold() {
	g := &e.issued.greatest
	if g.told < g.disk && (e.cluster.alone() || e.opts.Without.Without(health.GuardGreatestTold) || e.rememberedElsewhere(g.disk)) {
		g.told = g.disk
	}
	if !e.opts.Without.Without(health.GuardGreatestDisk) {
		e.opts.Ledger.SetLimit(limit(g.told))
	}
}

// rememberedElsewhere tells whether another node said that it remembers a greatest TTL of this run.
func (e *Engine) rememberedElsewhere(ttl time.Duration) bool {
	for _, p := range e.cluster.peers {
		if p.ofMe.Boot == e.lives.boot && p.ofMe.Greatest >= ttl {
			return true
		}
	}
	return false
}

// nameTTL ends that nobody knows what an earlier process answered.
func (e *Engine) nameTTL() {
	e.issued.greatest.unnamed = ""
	e.saveLives()
	e.urge()
}

// NameMaxTTL takes an operator's word for the greatest TTL that an earlier process of this node gave; 0 says that there was none.
func (e *Engine) NameMaxTTL(ttl time.Duration) error {
	return e.loop.Do(func(now time.Time) error {
		if e.issued.greatest.unnamed == "" {
			return fmt.Errorf("%w: what this node answered before is known", health.ErrIntentConflict)
		}
		e.issued.book.Lower(e.started.Add(ledger.Slow(ttl)))
		e.nameTTL()
		e.follow(now)
		return nil
	})
}

const (
	ledgerName    = "ledger.json"
	ledgerVersion = 2
	// olderLedger is the version that kept a TTL for each zone.
	olderLedger = 1
)

// The file, on disk: what a process that starts anew must know of the one before it, and of the other nodes.
type savedLedger struct {
	Version int `json:"version"`
	// WrittenAt is when the file was made; see CopiedState.
	WrittenAt time.Time `json:"written_at,omitzero"`
	// GreatestTTLSeconds is the greatest TTL that answers may carry. Unnamed is set while nobody knows what was answered before.
	GreatestTTLSeconds uint32 `json:"greatest_ttl_seconds"`
	Unnamed            bool   `json:"unnamed,omitempty"`
	// Young is set while what is remembered of other nodes began less than the greatest TTL of all files ago.
	Young bool `json:"young,omitempty"`
	// Lives are the starts of this node, the latest last; Nodes what it remembers of the others, and Names all that ever were configured.
	Lives []savedLife            `json:"lives"`
	Nodes map[string]savedMemory `json:"nodes,omitempty"`
	Names []string               `json:"names,omitempty"`
	// MaxTTLSeconds is of version 1, by zone.
	MaxTTLSeconds map[string]float64 `json:"max_ttl_seconds,omitempty"`
}

type savedLife struct {
	Boot   round.Boot `json:"boot"`
	Writes uint64     `json:"writes"`
}

type savedMemory struct {
	savedLife
	Incarnation        uint64 `json:"incarnation"`
	GreatestTTLSeconds uint32 `json:"greatest_ttl_seconds"`
}

// MarshalJSON dates the file: the writer calls it right before the file is made.
func (s *savedLedger) MarshalJSON() ([]byte, error) {
	type plain savedLedger
	dated := plain(*s)
	dated.WrittenAt = time.Now().UTC()
	return json.Marshal(&dated)
}

// count notes the number of the last write of a life.
func (s *savedLedger) count(boot round.Boot, writes uint64) {
	for i := range s.Lives {
		if s.Lives[i].Boot == boot {
			s.Lives[i].Writes = writes
		}
	}
}

// readLedger reads the file. Without a directory nothing is kept, which is no error.
func readLedger(dir string) (saved savedLedger, err error) {
	if dir == "" {
		return saved, nil
	}
	path := filepath.Join(dir, ledgerName)
	if err = durable.ReadJSON(path, ledgerVersion, &saved); err == nil {
		return saved, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return savedLedger{}, err
	}
	var older savedLedger
	if durable.ReadJSON(path, olderLedger, &older) != nil {
		return savedLedger{}, fmt.Errorf("%s: %w", path, err)
	}
	for _, s := range older.MaxTTLSeconds {
		saved.GreatestTTLSeconds = max(saved.GreatestTTLSeconds, uint32(math.Ceil(s)))
	}
	return savedLedger{GreatestTTLSeconds: saved.GreatestTTLSeconds}, nil
}
