package round

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

// PartWords is what a node says of everything that has left the answers of any node that it has heard of (docs/design.md section 8), whether
// or not it ever had that. Who says nothing of a holding has not said that it is out.
const PartWords = "words"

const (
	// A block begins with the version, the run and its clock in milliseconds, and how many entries follow. An entry is the RDATA, what
	// is said of it under all names, and how many names follow of which something else is said.
	wordsHead = 1 + len(Boot{}) + 8 + 2
	// maxWordEntry and maxNameEntry are the longest that each can be.
	maxWordEntry = len(ledger.RDataKey{}) + 1 + 3*binary.MaxVarintLen64
	maxNameEntry = len(ledger.OwnerKey{}) + 1 + 2*binary.MaxVarintLen64
	// maxWords bounds the blocks. What does not fit is not said.
	maxWords = 512
	// wordStep is what remaining times are rounded up to, and ages down.
	wordStep = 50 * time.Millisecond
	// maxWordsKept bounds what is remembered of what one node said.
	maxWordsKept = 1 << 18
	// wordsKept is for how long.
	wordsKept   = time.Minute
	forgetEvery = 5 * time.Second
)

// A Word is what a node says of a holding, or of RDATA under all names.
type Word struct {
	Verb ledger.Verb
	// Left is how long caches may still hold an answer of the node; negative: so long ago it expired. Age is how long ago it was certain
	// that the last one had been written. Both are for Out alone.
	Left, Age time.Duration
}

// A NameWord is a Word about one owner name.
type NameWord struct {
	Owner ledger.OwnerKey
	Word
}

// An RDataWord is a Word about RDATA under all names. Names are those of which something else is to be said.
type RDataWord struct {
	RData ledger.RDataKey
	Word
	// Own is set where something of it left the sender's own answers. The others repeat only what is somebody's own, so that nothing is
	// told for ever.
	Own   bool
	Names []NameWord
}

// EncodeWords is the part of a run at an instant of its clock. untold is how many words found no room.
func EncodeWords(boot Boot, clock time.Duration, words []RDataWord) (out []byte, untold int) {
	slices.SortFunc(words, func(a, b RDataWord) int { return slices.Compare(a.RData[:], b.RData[:]) })
	e := wordsEncoder{boot: boot, clock: clock}
	for i := range words {
		untold += e.add(&words[i])
	}
	e.flush()
	return e.out, untold
}

type wordsEncoder struct {
	boot  Boot
	clock time.Duration
	out   []byte
	// list are the entries of the block in the making.
	list          []byte
	count, blocks int
}

// add adds an entry, in several pieces if it is long; it returns how many words found no room.
func (e *wordsEncoder) add(w *RDataWord) (untold int) {
	names := w.Names
	for {
		if wordsHead+len(e.list)+maxWordEntry+min(len(names), 1)*maxNameEntry > BlockSize {
			e.flush()
		}
		if e.blocks >= maxWords {
			return 1 + len(names)
		}
		n := min(len(names), (BlockSize-wordsHead-len(e.list)-maxWordEntry)/maxNameEntry)
		e.list = append(e.list, w.RData[:]...)
		e.list = w.append(e.list, w.Own)
		e.list = binary.AppendUvarint(e.list, uint64(n))
		for i := range names[:n] {
			e.list = append(e.list, names[i].Owner[:]...)
			e.list = names[i].append(e.list, false)
		}
		e.count++
		if names = names[n:]; len(names) == 0 {
			return 0
		}
		e.flush()
	}
}

// append writes the word; own is what RDataWord has.
func (w *Word) append(b []byte, own bool) []byte {
	flags := byte(w.Verb)
	if own {
		flags |= 1 << 7
	}
	b = append(b, flags)
	if w.Verb != ledger.Out {
		return b
	}
	steps := w.Left / wordStep
	if w.Left > 0 && w.Left%wordStep != 0 {
		steps++
	}
	b = binary.AppendVarint(b, int64(steps))
	return binary.AppendUvarint(b, uint64(max(w.Age, 0)/wordStep))
}

// flush ends a block. The first one is written even if nothing is to be said: that nothing is known of is a word too.
func (e *wordsEncoder) flush() {
	if e.count == 0 && e.blocks > 0 || e.blocks >= maxWords {
		return
	}
	if e.blocks > 0 {
		// Gossip cuts here.
		e.out = append(e.out, make([]byte, e.blocks*BlockSize-len(e.out))...)
	}
	e.out = append(append(e.out, version), e.boot[:]...)
	e.out = binary.BigEndian.AppendUint64(e.out, uint64(e.clock/heardStep))
	e.out = append(binary.BigEndian.AppendUint16(e.out, uint16(e.count)), e.list...)
	e.list, e.count = e.list[:0], 0
	e.blocks++
}

// A Given is a Word as it came: at At, from the run Boot, which made it at Clock of its own.
type Given struct {
	Word
	Boot  Boot
	Clock time.Duration
	At    time.Time
}

// WordsBy is what one node said. The zero value has heard nothing.
type WordsBy struct {
	all   map[ledger.RDataKey]*givenRData
	count int
	// forgot is when forget last looked.
	forgot time.Time
}

type givenRData struct {
	Given
	own   bool
	names map[ledger.OwnerKey]Given
}

// Take takes in a block, heard at the given instant. One that is not understood changes nothing.
func (s *WordsBy) Take(b []byte, at time.Time) error {
	g, words, err := parseWords(b)
	if err != nil {
		return err
	}
	if s.all == nil {
		s.all = make(map[ledger.RDataKey]*givenRData)
	}
	s.forget(at)
	g.At = at
	for i := range words {
		s.take(&words[i], g)
	}
	return nil
}

func (s *WordsBy) take(w *RDataWord, g Given) {
	r := s.all[w.RData]
	if r == nil {
		if s.count >= maxWordsKept {
			return
		}
		r = new(givenRData)
		s.all[w.RData] = r
		s.count++
	}
	if r.Boot == g.Boot && r.Clock > g.Clock {
		// Blocks may overtake each other.
		return
	}
	g.Word = w.Word
	r.Given, r.own = g, w.Own
	for _, n := range w.Names {
		if r.names == nil {
			r.names = make(map[ledger.OwnerKey]Given)
		}
		if _, known := r.names[n.Owner]; !known {
			if s.count >= maxWordsKept {
				return
			}
			s.count++
		}
		g.Word = n.Word
		r.names[n.Owner] = g
	}
}

// forget drops what was not said again for long, once in forgetEvery.
func (s *WordsBy) forget(now time.Time) {
	if now.Sub(s.forgot) < forgetEvery {
		return
	}
	s.forgot, s.count = now, 0
	for key, r := range s.all {
		maps.DeleteFunc(r.names, func(_ ledger.OwnerKey, g Given) bool { return now.Sub(g.At) > wordsKept })
		if now.Sub(r.At) > wordsKept {
			delete(s.all, key)
			continue
		}
		s.count += 1 + len(r.names)
	}
}

// RData is what the node last said of RDATA under all names; ok is unset where it said nothing.
func (s *WordsBy) RData(k ledger.RDataKey) (g Given, ok bool) {
	if r := s.all[k]; r != nil {
		return r.Given, true
	}
	return g, false
}

// Holding is what the node last said of a holding: under its name, or under all names where it answers none of them.
func (s *WordsBy) Holding(k ledger.Key) (g Given, ok bool) {
	r := s.all[k.RData]
	if r == nil {
		return g, false
	}
	if g, ok = r.names[k.Owner]; ok && (g.Boot != r.Boot || g.Clock >= r.Clock || r.Verb != ledger.Out) {
		return g, true
	}
	return r.Given, r.Verb == ledger.Out
}

// EachOwn calls f for the RDATA that left the node's own answers, as it said after an instant, with the names that it told apart.
func (s *WordsBy) EachOwn(after time.Time, f func(ledger.RDataKey, []ledger.OwnerKey)) {
	for key, r := range s.all {
		if r.own && r.At.After(after) {
			f(key, slices.SortedFunc(maps.Keys(r.names), func(a, b ledger.OwnerKey) int { return slices.Compare(a[:], b[:]) }))
		}
	}
}

func parseWords(b []byte) (g Given, words []RDataWord, err error) {
	switch {
	case len(b) < wordsHead || len(b) > BlockSize:
		return g, nil, fmt.Errorf("%w: words of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return g, nil, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	rest := b[1+copy(g.Boot[:], b[1:]):]
	g.Clock = steps(binary.BigEndian.Uint64(rest))
	count := int(binary.BigEndian.Uint16(rest[8:]))
	list := reader{b: b[wordsHead:]}
	for range count {
		var w RDataWord
		copy(w.RData[:], list.octets(len(w.RData)))
		w.Own = w.read(&list)
		names := list.uvarint()
		for range min(names, BlockSize) {
			var n NameWord
			copy(n.Owner[:], list.octets(len(n.Owner)))
			n.read(&list)
			w.Names = append(w.Names, n)
			if list.short {
				break
			}
		}
		if list.short || names > BlockSize {
			return g, nil, fmt.Errorf("%w: list of words ends too early", ErrMalformed)
		}
		words = append(words, w)
	}
	return g, words, nil
}

// read reads what append wrote.
func (w *Word) read(list *reader) (own bool) {
	flags := list.octet()
	w.Verb = ledger.Verb(flags & 0x7f)
	if w.Verb < ledger.Answering || w.Verb > ledger.Out {
		list.short = true
	}
	if w.Verb == ledger.Out {
		const most = int64(maxAge / wordStep)
		w.Left = time.Duration(min(max(list.varint(), -most), most)) * wordStep
		w.Age = time.Duration(min(list.uvarint(), uint64(most))) * wordStep
	}
	return flags&(1<<7) != 0
}
