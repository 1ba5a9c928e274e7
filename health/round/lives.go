package round

import (
	"encoding/binary"
	"fmt"
	"time"
)

// PartLives is what a node knows of its own starts and disk, and what it remembers of those of the others: so is noticed that a node
// came back with less than it had (docs/design.md section 8), and so a greatest TTL is known to be remembered elsewhere before it is given.
const PartLives = "lives"

const (
	// A block begins with the version, the run, incarnation, writes, greatest TTL, flags, and the lives; then come the memories of others.
	maxMemoryEntry = len(namePrefix{}) + len(Boot{}) + 3*binary.MaxVarintLen64
	// MaxLives is how many starts are told, the latest ones.
	MaxLives = 16
	// maxLivesBlocks bounds the blocks: a thousand nodes.
	maxLivesBlocks = 64
	// maxTTLSeconds bounds a greatest TTL (RFC 2181 section 8).
	maxTTLSeconds = 1<<31 - 1
)

// A Life is one start of a node, and the number of its last durable write.
type Life struct {
	Boot   Boot
	Writes uint64
}

// Unnamed stands in the place of a greatest TTL while nobody knows what a node answered in earlier lives.
const Unnamed = maxTTLSeconds * time.Second

// A Remembered is what peers keep of its disk. The zero value is none.
type Remembered struct {
	Life
	Incarnation uint64
	// Greatest is the greatest TTL that its answers may carry, of earlier lives too; 0 while it is not told, Unnamed while nobody knows.
	Greatest time.Duration
}

// Newer tells whether r is of a later state of the disk than o.
func (r *Remembered) Newer(o *Remembered) bool {
	return r.Incarnation > o.Incarnation || r.Incarnation == o.Incarnation && r.Writes > o.Writes
}

// Lacks tells whether a disk with these lives is older than what is remembered of it.
func (r *Remembered) Lacks(lives []Life) bool {
	for _, l := range lives {
		if l.Boot == r.Boot {
			return l.Writes < r.Writes
		}
	}
	return r.Boot != Boot{}
}

// Lives is the part: what a node says of itself, and what it remembers of the others.
type Lives struct {
	Self Remembered
	// Joining is set while its words do not count: behind the join barrier, or before every configured node has compared its memory
	// with this life. Rejoined is set once it has passed the barrier in this life.
	Joining, Rejoined bool
	// Young is set while what the sender remembers of others began too lately: what a node of which it remembers no earlier life answered
	// before that may be in caches.
	Young bool
	// Lives are its starts, the latest last.
	Lives []Life
	// Others are by name; only Of reads them on the other side.
	Others map[string]Remembered

	heard map[namePrefix]Remembered
}

// Encode is the part; names are those of Others, in an order that stays.
func (l *Lives) Encode(names []string) (out []byte) {
	head := l.head()
	var list []byte
	count, blocks := 0, 0
	flush := func() {
		if blocks > 0 {
			// Gossip cuts here.
			out = append(out, make([]byte, blocks*BlockSize-len(out))...)
		}
		out = append(append(out, head...), byte(count))
		out = append(out, list...)
		list, count = list[:0], 0
		blocks++
	}
	for _, name := range names {
		r := l.Others[name]
		if r.Boot == (Boot{}) {
			continue
		}
		if len(head)+1+len(list)+maxMemoryEntry > BlockSize {
			flush()
		}
		id := prefixOfName(name)
		list = r.append(append(list, id[:]...))
		count++
	}
	flush()
	return out[:min(len(out), maxLivesBlocks*BlockSize)]
}

func (l *Lives) head() []byte {
	b := l.Self.append([]byte{version})
	flags := byte(0)
	if l.Joining {
		flags |= 1
	}
	if l.Rejoined {
		flags |= 2
	}
	if l.Young {
		flags |= 4
	}
	lives := l.Lives[max(0, len(l.Lives)-MaxLives):]
	b = append(b, flags, byte(len(lives)))
	for _, life := range lives {
		b = binary.AppendUvarint(append(b, life.Boot[:]...), life.Writes)
	}
	return b
}

func (r *Remembered) append(b []byte) []byte {
	b = binary.AppendUvarint(append(b, r.Boot[:]...), r.Incarnation)
	b = binary.AppendUvarint(b, r.Writes)
	return binary.AppendUvarint(b, uint64(r.Greatest/time.Second))
}

func (r *Remembered) read(list *reader) {
	copy(r.Boot[:], list.octets(len(r.Boot)))
	r.Incarnation, r.Writes = list.uvarint(), list.uvarint()
	r.Greatest = time.Duration(min(list.uvarint(), maxTTLSeconds)) * time.Second
}

// ParseLives is one block of the part. Others of it are read with Of.
func ParseLives(b []byte) (l Lives, err error) {
	switch {
	case len(b) == 0 || len(b) > BlockSize:
		return l, fmt.Errorf("%w: lives of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return l, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	list := reader{b: b[1:]}
	l.Self.read(&list)
	flags := list.octet()
	l.Joining, l.Rejoined, l.Young = flags&1 != 0, flags&2 != 0, flags&4 != 0
	for range list.octet() {
		var life Life
		copy(life.Boot[:], list.octets(len(life.Boot)))
		life.Writes = list.uvarint()
		l.Lives = append(l.Lives, life)
	}
	l.heard = make(map[namePrefix]Remembered)
	for range list.octet() {
		var id namePrefix
		var r Remembered
		copy(id[:], list.octets(len(id)))
		r.read(&list)
		l.heard[id] = r
	}
	if list.short {
		return Lives{}, fmt.Errorf("%w: lives end too early", ErrMalformed)
	}
	return l, nil
}

// Of is what the sender remembers of a node; ok is unset where this block says nothing of it.
func (l *Lives) Of(name string) (r Remembered, ok bool) {
	r, ok = l.heard[prefixOfName(name)]
	return r, ok
}
