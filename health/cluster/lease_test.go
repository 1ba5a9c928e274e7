package cluster

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A node has stopped once so many leases had ended at one instant that the rest of the roster is no majority.
func TestFenced(t *testing.T) {
	begin := time.Now()
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	for _, tt := range []struct {
		name string
		list []Silence
		need int
		want int // seconds; -1 for not certain
	}{
		{"nobody knows", nil, 1, -1},
		{"one of one, and its lease runs", []Silence{{at(30), at(20)}}, 1, -1},
		{"one of one, and its lease has ended", []Silence{{at(30), at(31)}}, 1, 30},
		{"two of two: the later end counts", []Silence{{at(10), at(40)}, {at(30), at(35)}}, 2, 30},
		{"two of two: one was told too early to know", []Silence{{at(10), at(29)}, {at(30), at(35)}}, 2, -1},
		{"two of three: the two that ended first", []Silence{{at(10), at(40)}, {at(20), at(40)}, {at(30), at(40)}}, 2, 20},
		{"two of three: those that were silent at one time", []Silence{{at(10), at(15)}, {at(20), at(40)}, {at(30), at(40)}}, 2, 30},
		{"three, never together", []Silence{{at(10), at(15)}, {at(20), at(25)}, {at(30), at(35)}}, 2, -1},
	} {
		got, ok := Fenced(tt.list, tt.need)
		require.Equal(t, tt.want >= 0, ok, tt.name)
		if ok {
			require.Equal(t, at(tt.want), got.At, tt.name)
			require.False(t, got.To.Before(got.At), tt.name)
		}
	}
}

// TestLease: it runs from when the majority last heard this node, ends by itself between two looks, and stands for no time that the machine was
// suspended.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var suspended time.Duration
		l := NewLease(30*time.Second, time.Now(), func() time.Duration { return suspended })
		require.Empty(t, l.Over(), "nothing is known yet")
		l.Renew(nil, 3, time.Now())
		time.Sleep(time.Millisecond)
		require.Equal(t, "no majority has heard this node since it started (isolate_after)", l.Over())
		time.Sleep(time.Minute) // in a bubble
		first := time.Now()
		l.Renew([]time.Time{first, first.Add(-time.Hour)}, 3, first)
		require.Empty(t, l.Over(), "one of the two others and this node are most of three")
		l.Renew([]time.Time{first}, 5, first)
		require.NotEmpty(t, l.Over(), "of five it takes two others")
		l.Renew([]time.Time{first}, 3, first)
		time.Sleep(30*time.Second - time.Millisecond)
		require.Empty(t, l.Over())
		time.Sleep(time.Millisecond)
		require.Equal(t, "no majority has heard this node for 30s (isolate_after)", l.Over())

		l.Renew([]time.Time{time.Now()}, 3, time.Now())
		require.Empty(t, l.Over())
		suspended = time.Minute
		require.NotEmpty(t, l.Over(), "others counted while the machine stood still")
		l.Renew([]time.Time{time.Now().Add(-time.Second)}, 3, time.Now())
		require.NotEmpty(t, l.Over(), "what was heard before the suspend does not outlive it")
		time.Sleep(time.Second)
		l.Renew([]time.Time{time.Now()}, 3, time.Now())
		require.Empty(t, l.Over())
	})
}

// TestNoLease: without isolate_after a node answers for ever, and a node alone needs nobody.
func TestNoLease(t *testing.T) {
	l := NewLease(0, time.Now().Add(-time.Hour), nil)
	l.Renew(nil, 3, time.Now())
	require.Empty(t, l.Over())
	l = NewLease(time.Second, time.Now().Add(-time.Hour), nil)
	l.Renew(nil, 1, time.Now())
	require.Empty(t, l.Over())
}
