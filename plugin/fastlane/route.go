package fastlane

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/plugin/abuse"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// A Node is what answers.
type Node interface {
	// Enter gives the snapshot in force until the lease ends.
	Enter(stripe uint32) answer.Lease
	// Terms are where clients are, nil without a geo database, and whether service names are not answered now.
	Terms() (locator steer.Locator, shut bool)
}

// A Server is CoreDNS's on the same address: it takes what the lane does not answer.
type Server interface {
	ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg)
}

// A Block is one zone of a server, and how its questions are answered.
type Block struct {
	// Zone is the name by which CoreDNS finds the server block, a lower-case FQDN.
	Zone string
	// Ordinary is set where each question takes the ordinary path; the rest of the block then means nothing.
	Ordinary bool
	// Files is answer.Question.Files.
	Files string
	// Explains tells whether a TXT question asks for an explanation; nil if none does.
	Explains func(*answer.Question) bool
	// MaxSize is the largest UDP payload size of a client that counts, in octets; 0 for no limit (the plugin bufsize).
	MaxSize int
	// NSID is set when clients that ask for the name of the server get one (the plugin nsid).
	NSID bool
	// ANY is set when another plugin answers questions of type ANY (the plugin any).
	ANY bool
	// Counted is set when questions count in CoreDNS's own metrics (the plugin prometheus): it is the name of the plugin behind that,
	// which is what they call the writer of a reply.
	Counted string
}

// A Route is what the lane of one address needs to know of one CoreDNS instance. It is not changed after Attach.
type Route struct {
	// Address is the server's, as CoreDNS writes it: dns://127.0.0.1:53.
	Address string
	// Node answers; Server takes the rest, in a context of Context.
	Node    Node
	Server  Server
	Context context.Context
	// Guards are cookies and limits.
	abuse.Guards
	// Keys are the TSIG keys of Server; nil for none.
	Keys dns.TsigProvider
	// Decorate is the writer that another plugin puts around answers of the ordinary path; nil for none.
	Decorate dns.DecorateWriter
	// Blocks are the zones of the server, those of other plugins among them.
	Blocks []Block

	// table is Blocks with the longest name first, made by prepare.
	table []entry
	// handling is how many questions Server works on.
	handling atomic.Int64
	// idle gets a value when handling falls to 0.
	idle chan struct{}
}

// An entry is a block by its name in wire format.
type entry struct {
	name  []byte
	block *Block
	// id is the number of the counters of the block, for as long as the process lives.
	id int
}

// prepare makes the table. ids gives counters their numbers.
func (r *Route) prepare(ids func(label) int) {
	r.idle = make(chan struct{}, 1)
	for i := range r.Blocks {
		b := &r.Blocks[i]
		var buf [maxName + 1]byte
		n, err := dns.PackDomainName(b.Zone, buf[:], 0, nil, false)
		if err != nil {
			// No question can have such a name.
			continue
		}
		r.table = append(r.table, entry{name: bytes.ToLower(buf[:n]), block: b, id: ids(label{r.Address, b.Zone, b.Counted})})
	}
	slices.SortStableFunc(r.table, func(a, b entry) int {
		if len(a.name) != len(b.name) {
			return len(b.name) - len(a.name)
		}
		return strings.Compare(string(a.name), string(b.name))
	})
}

// find is the block in whose zone a name in wire format is, by the rule of CoreDNS: the longest one; nil for none.
func (r *Route) find(name []byte) *entry {
	at := 0
	for i := range r.table {
		e := &r.table[i]
		// The table's names get shorter, so the labels of name are walked once.
		for len(name)-at > len(e.name) {
			at += 1 + int(name[at])
		}
		if len(name)-at == len(e.name) && equalFold(name[at:], e.name) {
			return e
		}
	}
	return nil
}

// equalFold compares a name with one in lower case, of the same length.
func equalFold(name, lower []byte) bool {
	for len(name) >= 8 {
		// Where the octets are equal but for 0x20, the rest is looked at one by one.
		x := binary.LittleEndian.Uint64(name) ^ binary.LittleEndian.Uint64(lower)
		if x&^0x2020202020202020 != 0 {
			return false
		}
		if x != 0 && !equalFoldSlow(name[:8], lower[:8]) {
			return false
		}
		name, lower = name[8:], lower[8:]
	}
	return equalFoldSlow(name, lower)
}

func equalFoldSlow(name, lower []byte) bool {
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// takes tells whether the lane answers a question of the block.
func (b *Block) takes(q *query) bool {
	if b.Ordinary || b.NSID && q.nsid {
		return false
	}
	switch q.Type {
	case dns.TypeDS, dns.TypeAXFR, dns.TypeIXFR:
		// DS belongs to the parent, which may be another block; transfers are other plugins' business.
		return false
	case dns.TypeANY:
		return !b.ANY
	case dns.TypeTXT:
		return b.Explains == nil || !b.Explains(&q.Question)
	}
	return true
}

// readCookie gives the reply to q its cookie, if q has one, and tells whether that one shows that the client is where it seems to be.
func (r *Route) readCookie(q *query) (known bool) {
	if !q.cookie.Present {
		return false
	}
	q.WithCookie = true
	q.Cookie, known = r.Jar.Answer(&q.cookie, q.Client, time.Now().Unix())
	return known
}
