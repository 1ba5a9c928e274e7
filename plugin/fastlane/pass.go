package fastlane

import (
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// A pass is the use of one snapshot for one batch. It is the only place here that knows how answers are stamped: the snapshot is
// held from before its first answer is made until all have been written and stamped, so that who waits for the last user of
// an older snapshot waits for the workers too.
type pass struct {
	lease  answer.Lease
	book   *ledger.Ledger
	worker *ledger.Worker
}

// begin takes the snapshot in force; ok is unset when there is none yet.
func (p *pass) begin(n Node, stripe uint32, holder *ledger.Holder) (ok bool) {
	p.lease = n.Enter(stripe)
	if p.lease.Snapshot == nil {
		p.lease.Leave()
		return false
	}
	p.book = p.lease.Snapshot.Ledger()
	p.worker = p.book.Worker(holder)
	return true
}

// past is an instant that has passed, on the ledger's clock.
func (p *pass) past() int64 { return p.worker.Last() }

// find is where a name leads.
func (p *pass) find(name []byte) answer.Spot { return p.lease.Snapshot.Find(name) }

// append appends the reply to q.
func (p *pass) append(dst []byte, q *answer.Question) ([]byte, answer.Reply, bool) {
	return p.lease.Snapshot.Append(dst, q)
}

// stamp notes that the answers which name what is in issued have been written.
func (p *pass) stamp(issued []answer.Issued) {
	now := int64(0)
	for i := range issued {
		if issued[i].Empty() {
			continue
		}
		if now == 0 {
			now = p.book.Now()
		}
		issued[i].Stamp(p.worker, now)
	}
}

// end lets go of the snapshot.
func (p *pass) end() {
	p.lease.Leave()
	*p = pass{}
}
