package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A node has stopped once so many leases had ended at one instant that the rest of the roster is no majority.
func TestFenced(t *testing.T) {
	begin := time.Now()
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	for _, tt := range []struct {
		name string
		list []silence
		need int
		want int // seconds; -1 for not certain
	}{
		{"nobody knows", nil, 1, -1},
		{"one of one, and its lease runs", []silence{{at(30), at(20)}}, 1, -1},
		{"one of one, and its lease has ended", []silence{{at(30), at(31)}}, 1, 30},
		{"two of two: the later end counts", []silence{{at(10), at(40)}, {at(30), at(35)}}, 2, 30},
		{"two of two: one was told too early to know", []silence{{at(10), at(29)}, {at(30), at(35)}}, 2, -1},
		{"two of three: the two that ended first", []silence{{at(10), at(40)}, {at(20), at(40)}, {at(30), at(40)}}, 2, 20},
		{"two of three: those that were silent at one time", []silence{{at(10), at(15)}, {at(20), at(40)}, {at(30), at(40)}}, 2, 30},
		{"three, never together", []silence{{at(10), at(15)}, {at(20), at(25)}, {at(30), at(35)}}, 2, -1},
	} {
		got, ok := fenced(tt.list, tt.need)
		require.Equal(t, tt.want >= 0, ok, tt.name)
		if ok {
			require.Equal(t, at(tt.want), got.at, tt.name)
			require.False(t, got.to.Before(got.at), tt.name)
		}
	}
}
