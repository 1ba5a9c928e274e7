package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// TestShare walks through returns. Instants are seconds after the return began.
func TestShare(t *testing.T) {
	begin := time.Now()
	at := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	plain := config.Failback{Hold: 10 * time.Second}
	ramp := config.Failback{Hold: 10 * time.Second, Ramp: []int{10, 30, 100}, Step: 5 * time.Second}
	long := config.Failback{Hold: 10 * time.Second, Ramp: []int{50, 100}, Step: time.Minute}
	with := func(f config.Failback, mode config.FailbackMode) config.Failback {
		f.Mode = mode
		return f
	}
	for _, tt := range []struct {
		name   string
		r      Return
		f      config.Failback
		second int
		want   int
		next   int // -1: none
	}{
		{"nothing returns", Return{}, ramp, 0, 100, -1},
		{"hold begins", Return{Since: begin}, plain, 0, 0, 10},
		{"hold ends", Return{Since: begin}, plain, 10, 100, -1},
		{"no hold", Return{Since: begin}, config.Failback{}, 0, 100, -1},
		{"hold before a ramp", Return{Since: begin}, ramp, 9, 0, 10},
		{"first step", Return{Since: begin}, ramp, 10, 10, 15},
		{"second step", Return{Since: begin}, ramp, 15, 30, 20},
		{"the end", Return{Since: begin}, ramp, 20, 100, -1},
		{"a ramp of one step is none", Return{Since: begin}, config.Failback{Hold: 10 * time.Second, Ramp: []int{100}, Step: time.Minute}, 10, 100, -1},
		{"a retry holds twice as long", Return{Since: begin, Retries: []time.Time{at(12)}}, ramp, 31, 0, 32},
		{"and then ramps anew", Return{Since: begin, Retries: []time.Time{at(12)}}, ramp, 32, 10, 37},
		{"a second retry four times", Return{Since: begin, Retries: []time.Time{at(12), at(33)}}, ramp, 72, 0, 73},
		{"a retry is nothing to whom has no ramp", Return{Since: begin, Retries: []time.Time{at(12)}}, plain, 13, 100, -1},
		{"nor to whom is done", Return{Since: begin, Retries: []time.Time{at(25)}}, ramp, 26, 100, -1},
		{"but to whom is not", Return{Since: begin, Retries: []time.Time{at(25)}}, long, 26, 0, 45},
		{"failures before count", Return{Since: begin, Doubled: 2}, ramp, 39, 0, 40},
		{"up to an hour", Return{Since: begin, Doubled: 20}, ramp, 3599, 0, 3600},
		{"a longer hold stays", Return{Since: begin, Doubled: 20}, config.Failback{Hold: 2 * time.Hour, Ramp: []int{1, 100}, Step: time.Second}, 7199, 0, 7200},
		{"manual waits", Return{Since: begin}, with(ramp, config.FailbackManual), 1000, 0, -1},
		{"let in, the ramp begins", Return{Since: begin, Admitted: at(50)}, with(ramp, config.FailbackManual), 50, 10, 55},
		{"let in without a ramp", Return{Since: begin, Admitted: at(50)}, with(plain, config.FailbackManual), 50, 100, -1},
		{"never is never", Return{Since: begin, Admitted: at(50)}, with(plain, config.FailbackNever), 100, 0, -1},
		{"but for a new file", Return{Since: begin, Reloaded: at(50)}, with(plain, config.FailbackNever), 100, 100, -1},
		{"a new file is no word for manual", Return{Since: begin, Reloaded: at(50)}, with(plain, config.FailbackManual), 100, 0, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			percent, next := tt.r.Share(tt.f, at(tt.second))
			require.Equal(t, tt.want, percent)
			if tt.next < 0 {
				require.True(t, next.IsZero(), "next %v", next.Sub(begin))
			} else {
				require.Equal(t, at(tt.next), next)
			}
		})
	}
}

// TestShareAgreesWithNext: between now and next nothing changes, and at next something does.
func TestShareAgreesWithNext(t *testing.T) {
	begin := time.Now()
	f := config.Failback{Hold: 7 * time.Second, Ramp: []int{5, 20, 50, 100}, Step: 3 * time.Second}
	r := Return{Since: begin, Retries: []time.Time{begin.Add(8 * time.Second), begin.Add(25 * time.Second)}, Doubled: 0}
	last, changes := begin, 0
	for now := begin; ; {
		percent, next := r.Share(f, now)
		if next.IsZero() {
			require.Equal(t, Whole, percent)
			break
		}
		require.True(t, next.After(now))
		// Retries come from outside: Share does not foresee them.
		still, _ := r.Share(f, next.Add(-1))
		if !r.Retries[0].After(now) && r.Retries[1].After(next) || !r.Retries[1].After(now) {
			require.Equal(t, percent, still)
		}
		last, now, changes = now, next, changes+1
		require.Less(t, changes, 100)
	}
	require.Greater(t, last.Sub(begin), 50*time.Second)
}

func TestReturnKeepsWhatItFailed(t *testing.T) {
	now := time.Now()
	r := Return{Since: now}
	for i := range 40 {
		r = r.Retry(now.Add(time.Duration(i) * time.Second))
	}
	require.Len(t, r.Retries, maxRetries)
	out := r.Out()
	require.False(t, out.On())
	require.False(t, out.IsZero())
	require.Equal(t, maxRetries, out.Doubled)
	out.Since = now
	require.Equal(t, maxRetries, out.Retry(now).Out().Doubled)
	require.True(t, Return{Since: now}.Let(now.Add(-1), time.Time{}).Admitted.IsZero(), "a word from before is none")
	require.Equal(t, now, Return{Since: now}.Let(now, time.Time{}).Admitted)
}
