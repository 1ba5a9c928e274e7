package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/round"
)

const (
	// AskPull asks for all orders, with a nonce of this boot that comes back.
	AskPull = "pull"
	// AskMemory asks besides what the node remembers of the asker's disk, and which nodes are configured.
	AskMemory = "pull+memory"
	// returnTimeout is how long a node that was part of the cluster before waits for the others at a start: then it serves with
	// what it has, since a cluster that is half down must not become one that is down.
	returnTimeout = 1500 * time.Millisecond
	// pullRetry is the pause between two attempts to pull from one node.
	pullRetry = 500 * time.Millisecond
)

// Orders are those of operators, as far as nodes tell each other all of them.
type Orders interface {
	// Told is the greatest incarnation of a node that is known by its orders, and all that is on disk.
	Told(of string, now time.Time) (incarnation uint64, kept []byte)
	// TakeKept takes in what another node says; it returns once that is in force and on disk. first is done before, on the owner's goroutine.
	TakeKept(ctx context.Context, set intent.Set, first func(now time.Time) error) error
	// Raise makes the ids that are given from now on those of an incarnation, if it is a later one.
	Raise(incarnation uint64)
}

// A Pull asks every other node what it holds, at the start and after this node was alone for too long, until the barrier is open. Run is a goroutine
// of its own; Begin and News belong to the owner of the loop, which opens the barrier.
type Pull struct {
	Holders *Holders
	Barrier *Barrier
	Lives   *Lives
	Orders  Orders
	Ask     Ask
	Loop    *loop.Loop
	Logger  *slog.Logger

	begin  chan struct{} // holds at most one token
	pulled chan struct{} // another node has answered
	news   PullNews      // of the owner
}

// PullNews are what came of asking since the last time.
type PullNews struct {
	// Moved is set where the barrier may open. Late is set where it has to, with what is known: the others had their time.
	Moved, Late bool
	// Restored is a node that remembers more of this one than it knows itself; empty for none.
	Restored string
}

// Init makes it ready.
func (p *Pull) Init() *Pull {
	p.begin, p.pulled = make(chan struct{}, 1), make(chan struct{})
	return p
}

// Begin begins a pull.
func (p *Pull) Begin() {
	select {
	case p.begin <- struct{}{}:
	default:
	}
}

// News are what came of it since the last call.
func (p *Pull) News() (news PullNews) {
	news, p.news = p.news, news
	return news
}

// Run asks until ctx ends.
func (p *Pull) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.begin:
		}
		p.all(ctx)
	}
}

// all returns when the barrier is open.
func (p *Pull) all(ctx context.Context) {
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
		err := p.look(PullNews{Moved: true}, func(now time.Time) {
			open, ended = p.Barrier.Open() && !p.Barrier.Ended(), p.Barrier.Ended()
			wanted = p.Barrier.ToAsk(now)
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
				p.Loop.Go(func() { p.from(ctx, name) })
			}
		}
		maps.DeleteFunc(asked, func(name string, _ bool) bool { return !slices.Contains(wanted, name) })
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		case <-p.pulled:
		case <-deadline.C:
			_ = p.look(PullNews{Late: true}, func(time.Time) {})
		}
	}
}

// look looks on the owner's goroutine, once that has settled news.
func (p *Pull) look(news PullNews, at func(now time.Time)) error {
	err := p.Loop.Do(func(time.Time) error {
		p.news.Moved, p.news.Late = p.news.Moved || news.Moved, p.news.Late || news.Late
		return nil
	})
	if err != nil {
		return err
	}
	return p.Loop.Do(func(now time.Time) error { at(now); return nil })
}

// ask asks one node once. One of an older version says that it knows the older question alone, and remembers nothing; any other failure
// says nothing of what a node remembers.
func (p *Pull) ask(ctx context.Context, name string) error {
	nonce := p.Barrier.Nonce()
	reply, err := p.Ask(ctx, name, AskMemory, nonce[:])
	if err == nil {
		return p.take(ctx, name, reply, true)
	}
	if refused, ok := errors.AsType[*gossip.RemoteError](err); !ok || !refused.UnknownKind {
		return err
	}
	if reply, err = p.Ask(ctx, name, AskPull, nonce[:]); err != nil {
		return err
	}
	return p.take(ctx, name, reply, false)
}

// from asks one node until it answers.
func (p *Pull) from(ctx context.Context, name string) {
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, askTimeout)
		err := p.ask(attempt, name)
		cancel()
		if err == nil {
			select {
			case p.pulled <- struct{}{}:
			case <-ctx.Done():
			}
			return
		}
		p.Logger.Debug("pull", "node", name, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pullRetry):
		}
	}
}

// take takes the answer of a node in; remembers tells whether it is one to AskMemory.
func (p *Pull) take(ctx context.Context, name string, reply []byte, remembers bool) error {
	nonce := p.Barrier.Nonce()
	rest, ok := bytes.CutPrefix(reply, nonce[:])
	if !ok {
		return errors.New("an answer to another start")
	}
	blank := !remembers
	if remembers {
		var err error
		if rest, blank, err = p.takeMemory(name, rest); err != nil {
			return err
		}
	}
	incarnation, n := binary.Uvarint(rest)
	if n <= 0 {
		return errors.New("no incarnation in the answer")
	}
	s, err := intent.Decode(rest[n:], time.Now())
	if errors.Is(err, intent.ErrKind) {
		// A newer node has it, and it has effect on such nodes alone. To wait would keep this one from answering at all.
		p.Logger.Warn("intents of another version are not known here", "node", name, "err", err)
	} else if err != nil {
		return err
	}
	err = p.Orders.TakeKept(ctx, s, func(time.Time) error {
		if incarnation > 0 {
			p.Orders.Raise(incarnation + 1)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("not kept: %w", err)
	}
	return p.Loop.Do(func(time.Time) error {
		p.Holders.Held(name, s)
		p.Barrier.Answered(name, blank)
		p.news.Moved = true
		return nil
	})
}

// takeMemory takes in what another node remembers of this one's earlier lives; rest is what follows in the reply. blank is set where it
// can't know.
func (p *Pull) takeMemory(name string, reply []byte) (rest []byte, blank bool, err error) {
	n, size := binary.Uvarint(reply)
	if size <= 0 || n > uint64(len(reply)-size) {
		return nil, false, errors.New("no memory in the answer")
	}
	said, err := round.ParseLives(reply[size : size+int(n)])
	if err != nil {
		return nil, false, err
	}
	err = p.Loop.Do(func(time.Time) error {
		restored := false
		if blank, restored = p.Lives.TakeOwn(&said); restored {
			p.news.Restored = name
		}
		return nil
	})
	return reply[size+int(n):], blank, err
}

// Handle is the reply to AskPull: the nonce, the asker's greatest incarnation that is known here by its orders, and what this node holds.
func (p *Pull) Handle(_ context.Context, from string, body []byte) (reply []byte, err error) {
	if len(body) != len(Nonce{}) {
		return nil, errors.New("not a nonce")
	}
	err = p.Loop.Do(func(now time.Time) error {
		incarnation, kept := p.Orders.Told(from, now)
		reply = append(reply, body...)
		reply = binary.AppendUvarint(reply, incarnation)
		reply = append(reply, kept...)
		return nil
	})
	return reply, err
}

// HandleMemory is the reply to AskMemory: the nonce, a block of PartLives, its length first, and what Handle has after the nonce. The asker is
// configured from then on, before it is answered.
func (p *Pull) HandleMemory(ctx context.Context, from string, body []byte) (reply []byte, err error) {
	rest, err := p.Handle(ctx, from, body)
	if err != nil {
		return nil, err
	}
	kept := make(chan error, 1)
	err = p.Loop.Do(func(time.Time) error {
		p.Lives.Configure(from, func(err error) { kept <- err })
		memory := p.Lives.OwnFor(from)
		reply = append(reply, body...)
		reply = binary.AppendUvarint(reply, uint64(len(memory)))
		reply = append(append(reply, memory...), rest[len(body):]...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	select {
	case err = <-kept:
		return reply, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
