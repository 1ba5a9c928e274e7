package round

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// PartLags is what a node has measured of how far data is behind, and which services have moved to pools that keep data. An older node does not
// say it: what is not measured here either is not known then.
const PartLags = "lags"

const (
	// maxLags bounds its blocks: some 700 measurements.
	maxLags = 16
	// The kinds of entries; 0 is padding.
	lagMeasured = 1
	lagEntered  = 2
)

// Lags are what a node says of lags, in instants of this process's clock.
type Lags struct {
	// Measured are the node's own latest measurements, by target.
	Measured map[Prefix]health.Lag
	// Entered are the services that have moved to a pool that keeps data, by both names.
	Entered map[MemoryKey]bool
}

// Encode is the part, as of now, and how many entries found no room. Ages travel, rounded up: nothing looks newer than it is.
func (l *Lags) Encode(now time.Time) (out []byte, left int) {
	var block []byte
	add := func(entry []byte) {
		if block != nil && len(block)+len(entry) > BlockSize {
			if len(out)/BlockSize >= maxLags-1 {
				left++
				return
			}
			out = append(append(out, block...), make([]byte, BlockSize-len(block))...)
			block = nil
		}
		if block == nil {
			block = []byte{version}
		}
		block = append(block, entry...)
	}
	for _, key := range sortedKeys(l.Entered) {
		add(append([]byte{lagEntered}, key[:]...))
	}
	targets := make([]Prefix, 0, len(l.Measured))
	for target := range l.Measured {
		targets = append(targets, target)
	}
	slices.Sort(targets)
	for _, target := range targets {
		m := l.Measured[target]
		b := binary.BigEndian.AppendUint64([]byte{lagMeasured}, uint64(target))
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(m.Value))
		b = binary.AppendUvarint(b, uint64(max(0, now.Sub(m.At))/time.Millisecond)+1)
		add(binary.AppendUvarint(b, m.Seq))
	}
	if block == nil {
		block = []byte{version}
	}
	return append(out, block...), left
}

func sortedKeys(set map[MemoryKey]bool) []MemoryKey {
	keys := make([]MemoryKey, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b MemoryKey) int { return slices.Compare(a[:], b[:]) })
	return keys
}

// ParseLags reads one block that was sent such that its ages count from at.
func ParseLags(b []byte, at time.Time) (l Lags, err error) {
	switch {
	case len(b) == 0 || len(b) > BlockSize:
		return l, fmt.Errorf("%w: lags of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return l, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	l = Lags{Measured: make(map[Prefix]health.Lag), Entered: make(map[MemoryKey]bool)}
	r := reader{b: b[1:]}
	for len(r.b) > 0 && r.b[0] != 0 {
		switch kind := r.octet(); kind {
		case lagEntered:
			var key MemoryKey
			copy(key[:], r.octets(len(key)))
			l.Entered[key] = true
		case lagMeasured:
			head := r.octets(16)
			if head == nil {
				break
			}
			m := health.Lag{Value: math.Float64frombits(binary.BigEndian.Uint64(head[8:]))}
			m.At = at.Add(-time.Duration(min(r.uvarint(), uint64(maxAge.Milliseconds()))) * time.Millisecond)
			m.Seq = r.uvarint()
			if math.IsNaN(m.Value) || m.Value < 0 || math.IsInf(m.Value, 0) {
				return l, fmt.Errorf("%w: a lag of %v", ErrMalformed, m.Value)
			}
			l.Measured[Prefix(binary.BigEndian.Uint64(head))] = m
		default:
			return l, fmt.Errorf("%w: lags of kind %d", ErrMalformed, kind)
		}
		if r.short {
			return l, fmt.Errorf("%w: lags end too early", ErrMalformed)
		}
	}
	return l, nil
}
