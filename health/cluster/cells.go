package cluster

import (
	"time"

	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/round"
)

// cellsPart is from which pools nodes answer the shards of services with cells. What a node answers from elsewhere is news.
func (x *Exchange) cellsPart() Part {
	return Part{Key: round.PartCells, Spare: true, Take: x.Words.takeCells, Encode: func(now time.Time) ([]byte, any) {
		services := x.Departures.Answered()
		if len(services) == 0 {
			return nil, nil
		}
		var sum uint64
		for i := range services {
			sum = sum*31 + services[i].Hash
		}
		return round.EncodeCells(x.Members.boot, x.Words.clock(now), services), sum
	}}
}

// takeCells takes in from where another node answers shards: nothing where it has no such services.
func (w *Words) takeCells(r *gossip.Round, _ time.Time) error {
	p := w.Members.peers[r.Node]
	if len(r.Data) == 0 {
		p.cells = round.Cells{}
		return nil
	}
	said, err := round.ParseCells(r.Data)
	if err != nil {
		return err
	}
	if p.cells.Boot == said.Boot && p.cells.Clock > said.Clock {
		// Rounds may overtake each other.
		return nil
	}
	p.cells = said
	return nil
}

// cellsOf is what a node said of its shards after it had heard what this node told at an instant, lately; nil for nothing.
func (w *Instant) cellsOf(p *peer) (of round.CellsOf, after time.Time) {
	mine, ok := p.echoed(&round.Given{Boot: p.cells.Boot, Clock: p.cells.Clock})
	if after = w.Started.Add(mine); !ok || w.now.Sub(after) >= freshFor {
		return nil, after
	}
	return p.cells.Of, after
}
