package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/round"
)

// AskTargets asks another node for a page of a list of targets.
const AskTargets = "targets"

// Lists bring the lists of targets here that the marks of other nodes rest on. Its owner is that of the Marks.
type Lists struct {
	Marks *Marks
	// Ask asks another node. Loop is the owner's.
	Ask    Ask
	Loop   *loop.Loop
	Logger *slog.Logger
}

// Fetch asks a node for its list of targets, unless somebody was asked a moment ago.
func (l *Lists) Fetch(from string, hash round.ListHash, now time.Time) {
	if !l.Marks.Asks(hash, now) {
		return
	}
	l.Loop.Beside(askTimeout, func(ctx context.Context) {
		list, err := l.fetch(ctx, from, hash)
		if err != nil {
			l.Logger.Debug("list of targets", "node", from, "err", err)
			return
		}
		l.Loop.Post(func(time.Time) { l.Marks.Learn(list) })
	})
}

func (l *Lists) fetch(ctx context.Context, from string, hash round.ListHash) (*round.Targets, error) {
	var pages [][]byte
	for {
		body := binary.AppendUvarint(slices.Clone(hash[:]), uint64(len(pages)))
		reply, err := l.Ask(ctx, from, AskTargets, body)
		if err != nil {
			return nil, err
		}
		count, n := binary.Uvarint(reply)
		if n <= 0 || count > round.MaxPages {
			return nil, fmt.Errorf("%w: page of a list", round.ErrMalformed)
		}
		pages = append(pages, reply[n:])
		if uint64(len(pages)) >= count {
			return round.FromPages(hash, pages...)
		}
	}
}

// Handle is the reply to AskTargets: how many pages there are, and the page.
func (l *Lists) Handle(_ context.Context, _ string, body []byte) (reply []byte, err error) {
	var hash round.ListHash
	if len(body) < len(hash) {
		return nil, round.ErrMalformed
	}
	page, n := binary.Uvarint(body[copy(hash[:], body):])
	if n <= 0 || page > round.MaxPages {
		return nil, round.ErrMalformed
	}
	err = l.Loop.Do(func(time.Time) error {
		list := l.Marks.List(hash)
		if list == nil {
			return errors.New("no such list any more")
		}
		reply = append(binary.AppendUvarint(nil, uint64(list.Pages())), list.Page(int(page))...)
		return nil
	})
	return reply, err
}
