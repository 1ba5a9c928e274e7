package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	joinedName = "joined.json"
	// returnTimeout is how long a node that was part of the cluster before waits for the others at a start: then it serves with
	// what it has, since a cluster that is half down must not become one that is down.
	returnTimeout = 1500 * time.Millisecond
	// pullRetry is the pause between two attempts to pull from one node.
	pullRetry = 500 * time.Millisecond
	// pullTimeout bounds one attempt: a lost packet of TCP's handshake costs a second, two cost three.
	pullTimeout = 4 * time.Second
)

// A gate keeps service names from being answered while this node may not know of a drain: the join barrier (docs/design.md section
// 8), the moment after a restart, and the time after it was alone for too long. Owned by Run's goroutine.
type gate struct {
	// joined is the durable mark that this node once had answers from every configured node, mark is its file, and marking is set while it is
	// being written.
	joined, marking bool
	mark            *durable.File[joinedMark]
	// nonce is this boot's: an answer that does not carry it is to an earlier boot.
	nonce [16]byte
	// answered are the nodes that answered it, and waived those that an operator lets it do without.
	answered, waived map[string]bool
	open             bool
	// blank are the nodes that answered and can't know what this one answered in earlier lives: they lost their state too, or are of a version
	// that remembers nothing of others.
	blank map[string]bool
	// maxTTL is an operator's word for what this node gave before, with a waiver; nil for none.
	maxTTL *time.Duration
}

// errDamaged is for a file that is there and is not what it should be.
var errDamaged = errors.New("damaged")

// The mark, on disk. It is of one cluster.
type joinedMark struct {
	Cluster string `json:"cluster"`
}

// joinedFile is the mark of a state directory.
func joinedFile(dir string) *durable.File[joinedMark] {
	return durable.NewFile[joinedMark](filepath.Join(dir, joinedName), 0, 0)
}

func readJoined(file *durable.File[joinedMark], cluster string) (bool, error) {
	m, err := file.Load()
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.As(err, &syntax), errors.As(err, &kind):
		return false, fmt.Errorf("mark of the cluster: %s: %w: %w", file.Path(), errDamaged, err)
	case err != nil:
		return false, fmt.Errorf("mark of the cluster: %w", err)
	case m.Cluster != cluster:
		return false, fmt.Errorf("mark of the cluster: %s is of cluster %q, the node file says %q: use another state directory", file.Path(), m.Cluster, cluster)
	}
	return true, nil
}

// first begins the gate of a node with the given others; the reason is empty when it is open.
func (g *gate) first(others []string) (reason string) {
	// rand.Read does not fail.
	_, _ = rand.Read(g.nonce[:])
	g.answered, g.waived, g.blank = make(map[string]bool), make(map[string]bool), make(map[string]bool)
	if len(others) == 0 {
		g.open = true
		return ""
	}
	return g.reason(others)
}

// reason says why the gate is shut.
func (g *gate) reason(missing []string) string {
	if g.joined {
		return "asks the other nodes what it missed"
	}
	return "joins the cluster: waits for " + strings.Join(missing, ", ")
}

// missing are the nodes whose answers the barrier still waits for.
func (e *Engine) missing(now time.Time) []string {
	c := e.cluster
	return slices.DeleteFunc(e.configuredNames(now), func(name string) bool {
		passive := e.opts.Without.Without(health.GuardNonce) && c.peers[name] != nil && c.peers[name].fresh
		return name == c.self || c.gate.answered[name] || c.gate.waived[name] || passive
	})
}

// Shut says why service names are not answered now; empty while they are.
func (e *Engine) Shut() string {
	if reason := *e.shut.Load(); reason != "" {
		return reason
	}
	return e.lease.Over()
}

// Serving is nil unless this node does not answer service names, or is drained.
func (e *Engine) Serving() error {
	if reason := e.Shut(); reason != "" {
		return errors.New(reason)
	}
	if e.drained.Load() {
		return errDrained
	}
	return nil
}

var errDrained = errors.New("drained by an operator")

func (e *Engine) shutGate(reason string) {
	if was := e.shut.Load(); was != nil && *was == reason {
		return
	}
	e.shut.Store(&reason)
	e.opts.Events.Add(either(reason != "", "node.shut", "node.serves"), e.opts.Node, reason, nil)
	e.metrics.cluster.shut.Set(boolValue(reason != ""))
	if reason != "" {
		e.opts.Logger.Warn("service names are not answered", "cause", reason)
	} else if e.cluster != nil && e.cluster.gate.open {
		e.opts.Logger.Info("service names are answered")
	}
}

// mindGate opens the gate when nothing is left to wait for, and shuts it when the lease has ended.
func (e *Engine) mindGate(now time.Time) {
	c := e.cluster
	if c == nil {
		return
	}
	c.renew(now)
	reason := e.lease.Over()
	switch {
	case reason != "":
		c.lease.ended = true
		e.shutGate(reason)
		return
	case c.lease.ended:
		// It missed what was ordered meanwhile, and asks before it answers.
		c.lease.ended, c.gate.open = false, false
		c.gate.answered = make(map[string]bool)
		e.shutGate(c.gate.reason(nil))
		e.pokePull()
	}
	if c.gate.open {
		return
	}
	missing := e.missing(now)
	if len(missing) == 0 || e.opts.Without.Without(health.GuardBarrier) {
		e.openGate(now)
		return
	}
	if !c.gate.joined {
		e.shutGate(c.gate.reason(missing))
	}
}

// openGate lets service names be answered, once the mark of that is on disk.
func (e *Engine) openGate(now time.Time) {
	c := e.cluster
	if !c.gate.joined {
		e.markJoined()
		return
	}
	if e.issued.asks {
		e.answeredBefore(now)
	}
	c.gate.open, c.urgent = true, true
	if e.remember(now) {
		// Its first answers go by what the others remember.
		e.publish(now, true)
	}
	e.shutGate("")
}

// markJoined brings the mark to disk, and opens the gate then.
func (e *Engine) markJoined() {
	g := &e.cluster.gate
	if g.marking {
		return
	}
	g.marking = true
	g.mark.Save(joinedMark{Cluster: e.cluster.opts.Gossip.Cluster}, func(err error) {
		e.loop.Post(func(now time.Time) {
			g.marking = false
			if err != nil {
				e.shutGate("cannot keep that it joined the cluster: " + err.Error())
				return
			}
			g.joined, e.lives.rejoined = true, true
			e.openGate(now)
		})
	})
}

// answeredBefore takes up what the other nodes remember of the answers of earlier processes. Who did not answer may be the only one who
// remembers: then somebody has to name it.
func (e *Engine) answeredBefore(now time.Time) {
	c, i := e.cluster, &e.issued
	i.asks = false
	before, absent := e.lives.before, ""
	for _, name := range e.configuredNames(now) {
		if name != c.self && (!c.gate.answered[name] || c.gate.blank[name]) {
			absent = name
		}
	}
	if e.opts.Without.Without(health.GuardBarrier | health.GuardNonce) {
		absent = ""
	}
	switch {
	case absent == "":
	case c.gate.maxTTL != nil:
		before = max(before, *c.gate.maxTTL)
	case e.opts.MaxTTL != nil:
		before = max(before, *e.opts.MaxTTL)
	default:
		before = config.MaxTTL
		i.greatest.unnamed = absent + " could not say what this node answered before: name the longest TTL (fairlead nodes max-ttl)"
	}
	i.book.Raise(e.started.Add(ledger.Slow(before)))
	e.claim(now)
	e.saveLives()
}

// rejoin shuts the join barrier again: this node came back with less than it had.
func (e *Engine) rejoin() {
	c := e.cluster
	c.gate.mark.Remove(func(err error) {
		if err != nil {
			e.opts.Logger.Error("mark of the cluster", "err", err)
		}
	})
	c.gate.joined, c.gate.open, e.issued.asks = false, false, true
	c.gate.answered, c.gate.blank = make(map[string]bool), make(map[string]bool)
	e.shutGate("its state is older than what it told the other nodes: asks them what it missed")
	e.saveLives()
}

// Waive lets this node join without the answers of the nodes named; without names, of all. before is the greatest TTL that it may have
// given in an earlier life, 0 for none; nil leaves that unknown.
func (e *Engine) Waive(before *time.Duration, names ...string) error {
	return e.loop.Do(func(now time.Time) error {
		c := e.cluster
		if c == nil {
			return errNoCluster
		}
		if c.gate.open || c.gate.joined {
			return fmt.Errorf("%w: this node has joined", health.ErrIntentConflict)
		}
		missing := e.missing(now)
		if len(names) == 0 {
			names = missing
		}
		for _, name := range names {
			if !slices.Contains(missing, name) {
				return fmt.Errorf("%w: this node does not wait for node %s", health.ErrNothingNamed, name)
			}
		}
		for _, name := range names {
			c.gate.waived[name] = true
		}
		if before != nil {
			c.gate.maxTTL = before
		}
		e.opts.Logger.Warn("joins without answers", "nodes", strings.Join(names, " "))
		e.mindGate(now)
		return nil
	})
}

// pull asks every other node what it holds, at the start and after this node was alone for too long, until the gate is open.
func (e *Engine) pull(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.pulls:
		}
		e.pullAll(ctx)
	}
}

// pokePull begins a pull.
func (e *Engine) pokePull() {
	select {
	case e.pulls <- struct{}{}:
	default:
	}
}

// pullAll returns when the gate is open.
func (e *Engine) pullAll(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asked := make(map[string]bool)
	// It does not begin while the lease of this node has ended.
	deadline := time.NewTimer(returnTimeout)
	defer deadline.Stop()
	again := time.NewTicker(pullRetry)
	defer again.Stop()
	for {
		var wanted []string
		var open, ended bool
		err := e.loop.Do(func(now time.Time) error {
			e.mindGate(now)
			open, ended = e.cluster.gate.open && !e.cluster.lease.ended, e.cluster.lease.ended
			wanted = slices.DeleteFunc(e.missing(now), func(name string) bool { return e.cluster.peers[name] == nil })
			return nil
		})
		if open || err != nil {
			return
		}
		if ended {
			deadline.Reset(returnTimeout)
		}
		for _, name := range wanted {
			if !asked[name] {
				asked[name] = true
				e.loop.Go(func() { e.pullFrom(ctx, name) })
			}
		}
		maps.DeleteFunc(asked, func(name string, _ bool) bool { return !slices.Contains(wanted, name) })
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		case <-e.pulled:
		case <-deadline.C:
			_ = e.loop.Do(func(now time.Time) error {
				if e.cluster.gate.joined && !e.cluster.lease.ended {
					e.openGate(now)
				}
				return nil
			})
		}
	}
}

// ask asks one node once. One of an older version says that it knows the older question alone, and remembers nothing; any other failure
// says nothing of what a node remembers.
func (e *Engine) ask(ctx context.Context, name string) error {
	reply, err := e.cluster.peer.Ask(ctx, name, askMemory, e.cluster.gate.nonce[:])
	if err == nil {
		return e.takePull(ctx, name, reply, true)
	}
	if refused, ok := errors.AsType[*gossip.RemoteError](err); !ok || !refused.UnknownKind {
		return err
	}
	if reply, err = e.cluster.peer.Ask(ctx, name, askPull, e.cluster.gate.nonce[:]); err != nil {
		return err
	}
	return e.takePull(ctx, name, reply, false)
}

// pullFrom asks one node until it answers.
func (e *Engine) pullFrom(ctx context.Context, name string) {
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, pullTimeout)
		err := e.ask(attempt, name)
		cancel()
		if err == nil {
			select {
			case e.pulled <- struct{}{}:
			case <-ctx.Done():
			}
			return
		}
		e.opts.Logger.Debug("pull", "node", name, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pullRetry):
		}
	}
}
