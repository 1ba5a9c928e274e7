package probe

import "container/heap"

// An agenda holds idle entries, the one that is due first on top. It is a heap; entries know their index in it, so any
// can be taken out.
type agenda []*entry

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].next.Before(a[j].next) }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = int32(i), int32(j)
}

// Push and Pop are for package heap only.
func (a *agenda) Push(x any) {
	e := x.(*entry)
	e.index = int32(len(*a))
	*a = append(*a, e)
}

func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return e
}

func (a *agenda) add(e *entry)    { heap.Push(a, e) }
func (a *agenda) remove(e *entry) { heap.Remove(a, int(e.index)) }
func (a *agenda) take() *entry    { return heap.Pop(a).(*entry) }

// A fifo holds entries that are due and wait for a slot, the longest waiting first. Entries that were removed meanwhile
// are skipped.
type fifo struct {
	list []*entry
	head int
}

// add appends e. A list that is never empty would grow for ever: what was taken is dropped when it is more than half.
func (f *fifo) add(e *entry) {
	if f.head > len(f.list)/2 {
		n := copy(f.list, f.list[f.head:])
		clear(f.list[n:])
		f.list, f.head = f.list[:n], 0
	}
	f.list = append(f.list, e)
}

// take returns the first entry that is still wanted, or nil.
func (f *fifo) take() *entry {
	for f.head < len(f.list) {
		e := f.list[f.head]
		f.list[f.head] = nil
		f.head++
		if !e.removed {
			return e
		}
	}
	f.list, f.head = f.list[:0], 0
	return nil
}
