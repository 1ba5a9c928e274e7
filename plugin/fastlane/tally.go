package fastlane

import (
	"math/bits"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// maxReply is the longest reply over UDP in octets (answer.Question.Size and RFC 9715), and a little more.
const maxReply = 1280

// namedTypes are the types of questions that CoreDNS's metrics name; all others are "other".
var namedTypes = [...]uint16{
	dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeDNSKEY, dns.TypeDS, dns.TypeMX, dns.TypeNSEC3, dns.TypeNSEC, dns.TypeNS, dns.TypePTR,
	dns.TypeRRSIG, dns.TypeSOA, dns.TypeSRV, dns.TypeTXT, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeIXFR, dns.TypeAXFR, dns.TypeANY,
}

const otherType = len(namedTypes)

// typeIndex is the index in namedTypes of the types that have one there, all of which are below its length.
var typeIndex = func() (x [256]uint8) {
	for i := range x {
		x[i] = uint8(otherType)
	}
	for i, t := range namedTypes {
		x[t] = uint8(i)
	}
	return x
}()

func indexOf(typ uint16) int {
	if int(typ) < len(typeIndex) {
		return int(typeIndex[typ])
	}
	return otherType
}

// Durations are counted in buckets of an eighth of a power of two, in nanoseconds.
const (
	durationBits    = 3
	durationBuckets = 64 << durationBits
)

func durationBucket(d time.Duration) int {
	v := uint64(max(d, 1<<durationBits))
	n := bits.Len64(v) - 1
	return n<<durationBits | int(v>>(n-durationBits)&(1<<durationBits-1))
}

// durationIn is the middle of a bucket.
func durationIn(bucket int) time.Duration {
	n, sub := bucket>>durationBits, bucket&(1<<durationBits-1)
	return time.Duration((2*uint64(1<<durationBits|sub) + 1) << n >> (durationBits + 1))
}

// A tally counts the questions of one zone of one server that a worker answered.
type tally struct {
	// types are by address family, IPv4 first, and type.
	types  [2][otherType + 1]uint64
	do     uint64
	rcodes [16]uint64
	// requests and replies are by length in octets.
	requests [maxQuery]uint64
	replies  [maxReply + 1]uint64
	// durations are by bucket, and their sum.
	durations [durationBuckets]uint64
	taken     time.Duration
}

// add adds what another one counted.
func (t *tally) add(o *tally) {
	for f := range t.types {
		addAll(t.types[f][:], o.types[f][:])
	}
	t.do += o.do
	addAll(t.rcodes[:], o.rcodes[:])
	addAll(t.requests[:], o.requests[:])
	addAll(t.replies[:], o.replies[:])
	addAll(t.durations[:], o.durations[:])
	t.taken += o.taken
}

func addAll(to, from []uint64) {
	for i, n := range from {
		to[i] += n
	}
}

// total is how many questions were counted.
func (t *tally) total() (n uint64) {
	for _, c := range t.rcodes {
		n += c
	}
	return n
}

// Counts are what the workers of a lane did, or one of them.
type Counts struct {
	// Answered are replies that were written; Unsent are those that the system did not take.
	Answered, Unsent uint64
	// Handed are packets that took the ordinary path; Shed are those that its queue had no room for.
	Handed, Shed uint64
	// Dropped are datagrams that the sockets had no room for.
	Dropped uint64
	// Batches are how many times packets were read.
	Batches uint64
}

func (c *Counts) add(o Counts) {
	c.Answered += o.Answered
	c.Unsent += o.Unsent
	c.Handed += o.Handed
	c.Shed += o.Shed
	c.Dropped += o.Dropped
	c.Batches += o.Batches
}

// A counter belongs to one worker. mu is held by the worker while it works on a batch, so that counting costs no more than an
// increment; who scrapes takes it for as long as a copy takes.
type counter struct {
	mu sync.Mutex
	// tallies are by entry.id; made with the first question.
	tallies []*tally
	counts  Counts
}

// of is the tally of an entry.
func (c *counter) of(id int) *tally {
	if id < len(c.tallies) && c.tallies[id] != nil {
		return c.tallies[id]
	}
	for id >= len(c.tallies) {
		c.tallies = append(c.tallies, nil)
	}
	c.tallies[id] = new(tally)
	return c.tallies[id]
}

// addTo adds everything to sum.
func (c *counter) addTo(sum *counter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, t := range c.tallies {
		if t != nil {
			sum.of(id).add(t)
		}
	}
	sum.counts.add(c.counts)
}
