package cluster

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/round"
)

// maxLives bounds the starts that the disk keeps: a peer that was away for more of them takes this node for a restored copy.
const maxLives = 64

// LivesOptions are what Lives are made of.
type LivesOptions struct {
	// Dir is the state directory; empty for none.
	Dir string
	// Members and Barrier are nil for a node alone. Incarnation is that of this run, Orders the digest of the orders on disk.
	Members     *Members
	Barrier     *Barrier
	Incarnation uint64
	Orders      [16]byte
	// Want is the greatest TTL that the files allow. MaxTTL is an operator's word for that of earlier processes; nil for none. Restored, where
	// it is not empty, says why Dir may be an older copy.
	Want     time.Duration
	MaxTTL   *time.Duration
	Restored string
	Ledger   *ledger.Ledger
	Transit  time.Duration
	// Rounds are told what the others are to hear at once, Loop is the owner's.
	Rounds  *Rounds
	Loop    *loop.Loop
	Without health.Guards
	Logger  *slog.Logger
}

// Lives are the starts of this node, what its disk keeps of its answers, and what it remembers of the other nodes' disks (docs/design.md section
// 8). They belong to the goroutine that takes rounds in, but for Run.
type Lives struct {
	opts     LivesOptions
	started  time.Time
	file     *durable.File[*savedLedger] // nil for none
	book     *ledger.Book
	greatest *ledger.Greatest
	boot     round.Boot
	// writes counts the durable writes of all lives, written are those that are on disk.
	writes, written uint64
	// past are the earlier starts, oldest first.
	past []round.Life
	// nodes are what this node remembers, told what of that is on disk, lowered until when a greatest TTL counts that is not the latest.
	nodes, told map[string]round.Remembered
	lowered     map[string]lowered
	// names are all that ever were configured, for a node alone; else the members know.
	names []string
	// rejoined is set once this life has passed the join barrier, compared once every configured node has compared it with what it
	// remembers.
	rejoined, compared bool
	// young is set for as long as an answer of before this node began to remember others may be in caches: its state was lost, or is new.
	young bool
	// before is the greatest TTL that the other nodes remember of earlier lives.
	before time.Duration
	// orders is the digest of the orders that writes counts.
	orders [16]byte
	// unsaved is set while something waits for the next save.
	unsaved bool
}

type lowered struct {
	ttl   time.Duration
	until time.Time
}

// A LivesFile is what was read of earlier lives.
type LivesFile struct {
	saved savedLedger
	// lost is set where there was nothing that could be read.
	lost bool
}

// ReadLives reads the file of a state directory. damaged says why it could not be read; nil where it could, and where there is none.
func ReadLives(dir string) (was LivesFile, damaged error) {
	saved, err := readLedger(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		damaged = err
	}
	return LivesFile{saved, err != nil}, damaged
}

// OpenLives begins this life, before anything is answered, with what was read of earlier ones.
func OpenLives(o LivesOptions, read LivesFile, now time.Time) *Lives {
	saved := &read.saved
	was, earlier := ledger.Earlier{Disk: ttlSeconds(saved.GreatestTTLSeconds)}, ttlSeconds(saved.GreatestTTLSeconds)
	switch {
	case o.MaxTTL != nil:
		earlier = max(earlier, *o.MaxTTL)
	case o.Dir == "" && o.Members == nil:
		// A node that keeps nothing is for tests and trials.
		earlier = max(earlier, o.Want)
	case read.lost || saved.Unnamed:
		was.Unnamed = "its state directory did not say what it answered before: name the longest TTL (fairlead nodes max-ttl)"
	case o.Restored != "":
		was.Unnamed = o.Restored
	}
	young := was.Unnamed != "" || saved.Young
	if was.Unnamed != "" {
		earlier = config.MaxTTL
		if !o.Members.Alone() {
			// The other nodes remember it.
			o.Barrier.Unjoin()
			was.Unnamed, was.Asks, earlier = "", true, was.Disk
		}
	}
	book := ledger.NewBook(o.Ledger, now.Add(ledger.Slow(earlier)), o.Without)
	l := newLives(o, saved, now)
	l.book, l.young = book, young
	l.greatest = ledger.NewGreatest(o.Ledger, book, was, o.Want, o.Transit, o.Without, o.Logger)
	if o.Dir == "" {
		return l
	}
	l.file = durable.NewFile[*savedLedger](filepath.Join(o.Dir, LedgerName), ledgerVersion, 0)
	// The one write that is waited for: nothing is answered yet.
	if err := l.file.Write(l.saved()); err != nil {
		l.greatest.FirstNotWritten(was.Disk, err)
		return l
	}
	l.told, l.written = maps.Clone(l.nodes), l.writes
	if !o.Members.Alone() && l.greatest.Disk() > was.Disk {
		// Not before another node remembers it.
		l.greatest.AwaitTold(was.Disk)
		l.give()
	}
	return l
}

// newLives begins this life with what is on disk.
func newLives(o LivesOptions, saved *savedLedger, now time.Time) *Lives {
	l := &Lives{opts: o, started: now, nodes: make(map[string]round.Remembered), told: make(map[string]round.Remembered), lowered: make(map[string]lowered)}
	for _, s := range saved.Lives {
		l.past = append(l.past, round.Life(s))
		l.writes = max(l.writes, s.Writes)
	}
	l.writes++
	l.names = slices.Sorted(slices.Values(saved.Names))
	for name, m := range saved.Nodes {
		r := round.Remembered{Life: round.Life(m.savedLife), Incarnation: m.Incarnation, Greatest: ttlSeconds(m.GreatestTTLSeconds)}
		l.nodes[name], l.told[name] = r, r
	}
	if m := o.Members; m != nil {
		for _, name := range saved.Names {
			m.names[name] = true
		}
		l.boot, l.orders = m.boot, o.Orders
		m.NameNodes()
	}
	return l
}

func ttlSeconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

// Book is what left the answers of this node, Greatest the greatest TTL that they may carry.
func (l *Lives) Book() *ledger.Book { return l.book }

// Greatest is the greatest TTL that the answers of this node may carry.
func (l *Lives) Greatest() *ledger.Greatest { return l.greatest }

// Run writes until ctx ends.
func (l *Lives) Run(ctx context.Context) error {
	if l.file == nil {
		return nil
	}
	return l.file.Run(ctx)
}

// saved is what the disk is to have.
func (l *Lives) saved() *savedLedger {
	g := l.greatest
	out := &savedLedger{Version: ledgerVersion, GreatestTTLSeconds: ledger.TTLSeconds(g.Disk()), Unnamed: g.Unnamed() != "" || g.Asks(), Young: l.young}
	for _, p := range l.past[max(0, len(l.past)-maxLives):] {
		out.Lives = append(out.Lives, savedLife(p))
	}
	out.Lives = append(out.Lives, savedLife{l.boot, l.writes})
	if len(l.nodes) > 0 {
		out.Nodes = make(map[string]savedMemory, len(l.nodes))
	}
	for name, r := range l.nodes {
		out.Nodes[name] = savedMemory{savedLife(r.Life), r.Incarnation, ledger.TTLSeconds(r.Greatest)}
	}
	if m := l.opts.Members; m != nil {
		out.Names = slices.Sorted(maps.Keys(m.names))
	} else {
		out.Names = l.names
	}
	return out
}

// save has the file written; done, which may be nil, is called on the owner's goroutine.
func (l *Lives) save(saved *savedLedger, done func(error)) {
	if l.file == nil {
		return
	}
	nodes, writes := maps.Clone(l.nodes), l.writes
	l.file.Save(saved, func(err error) {
		l.opts.Loop.Post(func(time.Time) {
			if err == nil {
				l.told, l.written = nodes, max(l.written, writes)
			}
			if done != nil {
				done(err)
			}
		})
	})
}

// Save has what changed written.
func (l *Lives) Save() { l.save(l.saved(), nil) }

// Mind does what time brings, once a second: the greatest TTL comes to disk and to the other nodes, and is lowered once no cache can hold more.
func (l *Lives) Mind(now time.Time) {
	if l.greatest.NamedByTime(now) {
		l.NameTTL()
	}
	if ttl, ok := l.greatest.Due(now); ok {
		l.saveGreatest(ttl)
	}
	l.give()
}

// MindMembers takes up which nodes are configured, and ends that this node began to remember others too lately to speak of what they answered
// before.
func (l *Lives) MindMembers(now time.Time) {
	if l.young && now.Sub(l.started) > ledger.Slow(config.MaxTTL)+l.opts.Transit {
		l.young, l.unsaved = false, true
	}
	l.opts.Members.NameNodes()
}

// SaveMoved has what moved since the last time written. orders is the digest of the orders on disk: a disk that lacks them is an older one.
func (l *Lives) SaveMoved(orders [16]byte) {
	if orders != l.orders {
		l.orders = orders
		l.writes++
		l.unsaved = true
	}
	m := l.opts.Members
	if l.unsaved || m != nil && m.unsaved {
		l.unsaved = false
		if m != nil {
			m.unsaved = false
		}
		l.Save()
	}
}

// saveGreatest has another greatest TTL written.
func (l *Lives) saveGreatest(ttl time.Duration) {
	if l.file == nil {
		l.greatest.Kept(ttl)
		return
	}
	l.greatest.Writing()
	saved := l.saved()
	// What is read back after a crash is one of both, and the greater one harms nobody.
	saved.GreatestTTLSeconds = ledger.TTLSeconds(ttl)
	l.writes++
	saved.count(l.boot, l.writes)
	l.save(saved, func(err error) {
		if l.greatest.Written(ttl, err) {
			l.give()
			l.opts.Rounds.Urge()
		}
	})
}

// give lets answers carry what is on disk, once another node remembers it too.
func (l *Lives) give() {
	m, without := l.opts.Members, l.opts.Without
	l.greatest.Give(m.Alone() || without.Without(health.GuardGreatestTold) || l.rememberedElsewhere(l.greatest.Disk()))
}

// rememberedElsewhere tells whether another node said that it remembers a greatest TTL of this run.
func (l *Lives) rememberedElsewhere(ttl time.Duration) bool {
	for _, p := range l.opts.Members.peers {
		if p.ofMe.Boot == l.boot && p.ofMe.Greatest >= ttl {
			return true
		}
	}
	return false
}

// NameTTL ends that nobody knows what an earlier process answered.
func (l *Lives) NameTTL() {
	l.greatest.Named()
	l.Save()
	l.opts.Rounds.Urge()
}

// Encode is what a node says of its own starts and of those of the others. The greatest TTL on its disk is news.
func (l *Lives) Encode(time.Time) (b []byte, news any) {
	return l.own().Encode(l.opts.Members.Others()), l.greatest.Disk()
}

// OwnFor is what this node says of its starts, and of those of one other, in one block.
func (l *Lives) OwnFor(name string) []byte { return l.own().Encode([]string{name}) }

func (l *Lives) own() *round.Lives {
	greatest := l.greatest.Disk()
	if l.greatest.Asks() || l.greatest.Unnamed() != "" {
		greatest = round.Unnamed
	}
	return &round.Lives{
		Self:    round.Remembered{Life: round.Life{Boot: l.boot, Writes: l.written}, Incarnation: l.opts.Incarnation, Greatest: greatest},
		Joining: !l.opts.Barrier.Open() || l.greatest.Unnamed() != "" || !l.IsCompared(), Rejoined: l.rejoined, Young: l.young,
		Lives: append(slices.Clone(l.past), round.Life{Boot: l.boot, Writes: l.written}), Others: l.told,
	}
}

// IsCompared tells whether every configured node has compared this life with what it remembers, so that who remembers more has had its say.
func (l *Lives) IsCompared() bool {
	m := l.opts.Members
	if l.compared || l.opts.Without.Without(health.GuardCompared) {
		return true
	}
	for _, name := range m.Configured(time.Now()) {
		if name == m.self || !m.stopped[name].IsZero() {
			continue
		}
		if p := m.peers[name]; p == nil || p.ofMe.Boot != l.boot {
			return false
		}
	}
	l.compared = true
	return true
}

// Rejoined notes that this life has passed the join barrier, and Restored that it has to do so again.
func (l *Lives) Rejoined() { l.rejoined = true }

// Restored has this life compared anew, and the other nodes asked what it answered before.
func (l *Lives) Restored() {
	l.compared = false
	l.greatest.Ask()
	l.Save()
}

// Take takes in what another node says of its starts, and of this node's; restored is set where it remembers more than there is here.
func (l *Lives) Take(r *gossip.Round) (restored bool, err error) {
	p := l.opts.Members.peers[r.Node]
	said, err := round.ParseLives(r.Data)
	if err != nil {
		return false, err
	}
	m, guarded := l.opts.Members, !l.opts.Without.Without(health.GuardRestored)
	if k, ok := l.nodes[p.name]; ok && said.Self.Boot != k.Boot && k.Boot != (round.Boot{}) && guarded {
		if !said.Rejoined && k.Lacks(said.Lives) {
			// A copy of an older disk: what it says does not count until it has joined anew.
			p.older = true
			return false, nil
		}
	}
	p.older, p.joining = false, said.Joining
	l.remember(p.name, said.Self)
	for _, name := range m.Others() {
		if r, ok := said.Of(name); ok && name != p.name {
			if k := l.nodes[name]; r.Newer(&k) {
				l.remember(name, r)
			}
		}
	}
	own, ok := said.Of(m.self)
	if !ok {
		return false, nil
	}
	if p.ofMe = own; own.Boot == l.boot {
		return false, nil
	}
	all := append(slices.Clone(l.past), round.Life{Boot: l.boot, Writes: l.writes})
	return !l.rejoined && own.Lacks(all) && l.opts.Barrier.Open() && guarded, nil
}

// remember keeps what a node says of its disk.
func (l *Lives) remember(name string, r round.Remembered) {
	k := l.nodes[name]
	if k == r {
		return
	}
	if r.Greatest < k.Greatest && k.Greatest != round.Unnamed {
		// It goes on counting where the node is declared stopped, or fenced, until no cache can hold what it allowed.
		l.lowered[name] = lowered{max(k.Greatest, l.GreatestOf(name)), time.Now().Add(2*ledger.Slow(k.Greatest) + time.Minute)}
	}
	l.nodes[name], l.unsaved = r, true
}

// GreatestOf is the greatest TTL that a node told of lately; that of all files, where it never told.
func (l *Lives) GreatestOf(name string) time.Duration {
	ttl := l.nodes[name].Greatest
	if ttl == 0 || ttl > config.MaxTTL {
		return config.MaxTTL
	}
	if old, ok := l.lowered[name]; ok && time.Now().Before(old.until) {
		ttl = max(ttl, old.ttl)
	}
	return ttl
}

// Configure has a node be configured from now on, which is on disk when kept is called.
func (l *Lives) Configure(name string, kept func(error)) {
	m := l.opts.Members
	if m.names[name] {
		kept(nil)
		return
	}
	m.names[name] = true
	l.save(l.saved(), kept)
}

// TakeOwn takes in what another node remembers of this one's earlier lives. blank is set where it can't know: it remembers no earlier life, and
// began to remember too lately; or that life did not know what was before it. restored is set where it remembers more than there is here.
func (l *Lives) TakeOwn(said *round.Lives) (blank, restored bool) {
	m, ok := said.Of(l.opts.Members.self)
	if !ok || m.Boot == l.boot {
		blank = said.Young
	} else {
		blank = m.Greatest == round.Unnamed
	}
	if !ok {
		return blank, false
	}
	if m.Greatest != round.Unnamed {
		l.before = max(l.before, m.Greatest)
	}
	if m.Boot == l.boot || !m.Lacks(l.past) {
		return blank, false
	}
	// So that nobody asks again after the next start.
	l.past = append([]round.Life{m.Life}, slices.DeleteFunc(l.past, func(p round.Life) bool { return p.Boot == m.Boot })...)
	l.writes = max(l.writes, m.Writes+1)
	l.unsaved = true
	return blank, l.opts.Barrier.Joined() && !l.opts.Without.Without(health.GuardRestored)
}

// Answered takes up what the other nodes remember of the answers of earlier processes, once the join barrier has been passed. A node that did not
// answer may be the only one that remembers: then somebody has to name it. named is an operator's word; nil for none.
func (l *Lives) Answered(absent string, named *time.Duration) {
	before, unnamed := l.before, ""
	if l.opts.Without.Without(health.GuardBarrier | health.GuardNonce) {
		absent = ""
	}
	switch {
	case absent == "":
	case named != nil:
		before = max(before, *named)
	case l.opts.MaxTTL != nil:
		before = max(before, *l.opts.MaxTTL)
	default:
		before = config.MaxTTL
		unnamed = absent + " could not say what this node answered before: name the longest TTL (fairlead nodes max-ttl)"
	}
	l.greatest.Heard(before, unnamed, l.started)
}
