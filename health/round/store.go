package round

import "bytes"

// A told is a reason, and in which block it came.
type told struct {
	text  string
	shard int
}

// A detailStore is what details said of the targets of the present list, by index. It holds what four blocks can say, and a
// reduction for each target at most.
type detailStore struct {
	reasons    map[int32]told
	reductions map[int32]uint8
	// raw are the blocks as they came last, for what repeats itself, and those that are about a list whose marks have not come.
	// ranges are the indices of which each of them told the reductions.
	raw    [maxDetail][]byte
	ranges [maxDetail]struct{ from, to uint32 }
	// shards is of how many blocks the part was the last time.
	shards int
}

func (d *detailStore) setReason(i int32, t told) {
	if d.reasons == nil {
		d.reasons = make(map[int32]told)
	}
	d.reasons[i] = t
}

func (d *detailStore) setReduction(i int32, percent uint8) {
	if d.reductions == nil {
		d.reductions = make(map[int32]uint8)
	}
	d.reductions[i] = percent
}

func (v *Vantage) takeDetails(shard, shards int, b []byte) (changed []Prefix, err error) {
	d := &v.details
	if shard < 0 || shard >= min(shards, maxDetail) {
		return nil, ErrMalformed
	}
	if bytes.Equal(d.raw[shard], b) && len(b) > 0 {
		v.forget(shards)
		return nil, nil
	}
	block, err := parseDetails(b)
	if err != nil {
		return nil, err
	}
	v.forget(shards)
	if v.targets != nil && block.hash == v.targets.Hash {
		for i, r := range d.ranges {
			if i != shard && block.from < r.to && r.from < block.to {
				// What it said is overwritten, and counts again when it is repeated.
				d.raw[i] = nil
			}
		}
		d.ranges[shard] = struct{ from, to uint32 }{block.from, block.to}
		changed = v.apply(shard, &block)
	}
	d.raw[shard] = bytes.Clone(b)
	return changed, nil
}

// forget drops the words of blocks that are no more. Reductions go when a block says so.
func (v *Vantage) forget(shards int) {
	d := &v.details
	fewer := shards < d.shards
	if d.shards = shards; !fewer {
		return
	}
	for i := shards; i < maxDetail; i++ {
		d.raw[i] = nil
	}
	for i, r := range d.reasons {
		if r.shard >= shards {
			delete(d.reasons, i)
		}
	}
}

// says tells whether there is an observation of the target at i.
func (v *Vantage) says(i int) bool {
	return v.marks.at(i) != MarkNone && !v.times[v.from(i)].Direct.IsZero()
}

// apply makes what a block says hold. changed are the targets with another reduction, if there is an observation of them.
func (v *Vantage) apply(shard int, b *detailBlock) (changed []Prefix) {
	d := &v.details
	n := v.targets.Len()
	for i, was := range d.reductions {
		if uint32(i) < b.from || uint32(i) >= b.to {
			continue
		}
		is, ok := b.reductions[i]
		if !ok {
			delete(d.reductions, i)
		}
		if is != was && v.says(int(i)) {
			changed = append(changed, v.targets.list[i])
		}
	}
	for i, is := range b.reductions {
		if int(i) >= n {
			continue
		}
		if _, ok := d.reductions[i]; !ok && is != 0 && v.says(int(i)) {
			changed = append(changed, v.targets.list[i])
		}
		d.setReduction(i, is)
	}
	for i, r := range d.reasons {
		if _, ok := b.reasons[i]; !ok && r.shard == shard {
			delete(d.reasons, i)
		}
	}
	for i, text := range b.reasons {
		if int(i) >= n {
			continue
		}
		if was, ok := d.reasons[i]; ok && was.shard != shard {
			d.raw[was.shard] = nil
		}
		d.setReason(i, told{text, shard})
	}
	return changed
}
