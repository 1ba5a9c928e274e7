package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

const (
	// AskLeft asks another node what it is that has left its answers, by keys of RDATA.
	AskLeft = "left"
	// maxAskLeft bounds the keys of one request, maxNamedLeft the holdings of a reply.
	maxAskLeft   = 64
	maxNamedLeft = 500
	// leftRetry is how long the reply of a node is waited for before that one is asked again.
	leftRetry = 2 * time.Second
)

// A foreignHolding is something that has left another node's own answers, that this node never had, and that caches may hold. It is known by
// its keys alone until that node has named it.
type foreignHolding struct {
	key ledger.RDataKey
	// until is when the last honest cache has forgotten it, as the other node says; zero where the node has not said so.
	until time.Time
}

// eachForeign calls f for each foreign holding of a node.
func (w *Words) eachForeign(p *peer, now time.Time, f func(foreignHolding)) {
	book := w.Lives.book
	p.words.EachOwn(time.Time{}, func(k ledger.RDataKey, owners []ledger.OwnerKey) {
		if len(owners) == 0 {
			g, ok := p.words.RData(k)
			if ok && book.Absences()[k] == nil && !book.Answered(k) {
				w.ifHeld(k, &g, now, f)
			}
			return
		}
		for _, owner := range owners {
			key := ledger.Key{Owner: owner, RData: k}
			g, ok := p.words.Holding(key)
			if ok && book.Standing(key) == nil && !book.Answers(key) {
				w.ifHeld(k, &g, now, f)
			}
		}
	})
}

// ifHeld calls f unless caches have forgotten it, by the word of the node that had it.
func (w *Words) ifHeld(k ledger.RDataKey, g *round.Given, now time.Time, f func(foreignHolding)) {
	switch until := g.At.Add(ledger.Slow(g.Left) + w.Transit); {
	case g.Verb != ledger.Out:
		// What it has not spoken of for long it has forgotten, or answers again: then it stands in the files, which are the same.
		if now.Sub(g.At) < freshFor {
			f(foreignHolding{key: k})
		}
	case until.After(now):
		f(foreignHolding{k, until})
	}
}

// NameForeign has foreign holdings named by the nodes that had them, so that they stand here as they stand there.
func (w *Words) NameForeign(now time.Time) {
	for name, p := range w.Members.peers {
		if !p.fresh || now.Sub(p.askedLeft) < leftRetry {
			continue
		}
		var keys []ledger.RDataKey
		w.eachForeign(p, now, func(h foreignHolding) {
			if len(keys) < maxAskLeft && !slices.Contains(keys, h.key) {
				keys = append(keys, h.key)
			}
		})
		if len(keys) == 0 {
			continue
		}
		p.askedLeft = now
		w.Loop.Beside(askTimeout, func(ctx context.Context) { w.fetchLeft(ctx, name, keys) })
	}
}

// foreign is until when caches may hold what has left a node's own answers and is not known to this one; open is set while the node has not
// said until when.
func (w *Words) foreign(p *peer, now time.Time) (until time.Time, open bool) {
	w.eachForeign(p, now, func(h foreignHolding) {
		until, open = ledger.Later(until, h.until), open || h.until.IsZero()
	})
	return until, open
}

// A namedLeft is a holding that has left a node's answers, as that node tells others what it is.
type namedLeft struct {
	Owner    string `json:"owner"`
	RData    string `json:"rdata"`
	Service  string `json:"service,omitempty"`
	Zone     string `json:"zone"`
	Pool     string `json:"pool,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Region   string `json:"region,omitempty"`
	AZ       string `json:"az,omitempty"`
	// AgoSeconds is for how long the node has not answered it.
	AgoSeconds float64 `json:"ago_seconds"`
}

// fetchLeft asks a node what some keys stand for, and has that stand here.
func (w *Words) fetchLeft(ctx context.Context, node string, keys []ledger.RDataKey) {
	var body []byte
	for _, k := range keys {
		body = append(body, k[:]...)
	}
	reply, err := w.Ask(ctx, node, AskLeft, body)
	var list []namedLeft
	if err == nil {
		err = json.Unmarshal(reply, &list)
	}
	if err == nil && len(list) > maxNamedLeft {
		err = fmt.Errorf("%w: %d holdings", round.ErrMalformed, len(list))
	}
	if err != nil {
		w.Logger.Debug("what left the answers of another node not fetched", "node", node, "err", err)
		return
	}
	w.Loop.Post(func(now time.Time) {
		for i := range list {
			if l := &list[i]; slices.Contains(keys, ledger.RDataKeyOf(l.RData)) {
				label := ledger.Label{Zone: l.Zone, Pool: l.Pool, Endpoint: l.Endpoint, Region: l.Region, AZ: l.AZ}
				ago := time.Duration(min(max(l.AgoSeconds, 0), departure.MaxStanding.Seconds()) * float64(time.Second))
				w.Lives.book.Claim(ledger.Holding{Owner: l.Owner, RData: l.RData}, l.Service, label, now.Add(-ago))
			}
		}
	})
}

// HandleLeft is the reply to AskLeft.
func (w *Words) HandleLeft(_ context.Context, _ string, body []byte) (reply []byte, err error) {
	if len(body)%len(ledger.RDataKey{}) != 0 || len(body) > maxAskLeft*len(ledger.RDataKey{}) {
		return nil, round.ErrMalformed
	}
	list := []namedLeft{}
	err = w.Loop.Do(func(now time.Time) error {
		for k := range slices.Chunk(body, len(ledger.RDataKey{})) {
			a := w.Lives.book.Absences()[ledger.RDataKey(k)]
			if a == nil {
				continue
			}
			for _, s := range a.Names {
				if len(list) == maxNamedLeft {
					return nil
				}
				l := &s.Label
				list = append(list, namedLeft{
					Owner: s.Owner, RData: s.RData, Service: s.Service, Zone: l.Zone, Pool: l.Pool, Endpoint: l.Endpoint, Region: l.Region, AZ: l.AZ,
					AgoSeconds: now.Sub(s.Left).Seconds(),
				})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(list)
}
