package cluster

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/round"
)

// A life is one start of n1 with the disk in a directory.
type life struct {
	*Lives
	m *Members
	l *ledger.Ledger
}

// begin starts n1 anew; want is what its files allow. It is owned by a loop until the test ends.
func begin(t *testing.T, dir string, want time.Duration) (a *life, end func()) {
	now := time.Now()
	m, lo, logger := membersOf(0, now), loop.New(), slog.New(slog.DiscardHandler)
	b, err := OpenBarrier(t.TempDir(), "c", m, 0, logger)
	require.NoError(t, err)
	b.Let()
	read, damaged := ReadLives(dir)
	require.NoError(t, damaged)
	l := ledger.New(now)
	a = &life{m: m, l: l, Lives: OpenLives(LivesOptions{
		Dir: dir, Members: m, Barrier: b, Incarnation: 1, Want: want, MaxTTL: new(time.Duration), Ledger: l, Transit: time.Second, Rounds: new(Rounds), Loop: lo, Logger: logger,
	}, read, now)}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-lo.Woken():
				lo.DoPosted(time.Now())
			}
		}
	}()
	go func() { _ = a.Run(ctx) }()
	return a, func() { cancel(); synctest.Wait() }
}

// hears takes in what n2 says.
func (a *life) hears(t *testing.T, said *round.Lives) (restored bool) {
	restored, err := a.Take(&gossip.Round{Node: "n2", Data: said.Encode([]string{"n1"})})
	require.NoError(t, err)
	return restored
}

// TestGreatestIsRemembered: a greater TTL is given once it is on disk and another node says that it remembers it; then a start anew knows it.
func TestGreatestIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		a, end := begin(t, dir, time.Minute)
		require.Zero(t, a.l.Limit(), "nobody remembers it")
		of := round.Remembered{Life: round.Life{Boot: a.m.boot, Writes: a.written}, Incarnation: 1, Greatest: time.Minute}
		own := round.Remembered{Life: round.Life{Boot: round.Boot{2}, Writes: 1}, Incarnation: 1, Greatest: time.Hour}
		n2 := &round.Lives{Self: own, Rejoined: true, Lives: []round.Life{own.Life}, Others: map[string]round.Remembered{"n1": of}}
		require.False(t, a.hears(t, n2))
		a.Mind(time.Now())
		require.EqualValues(t, 60, a.l.Limit())
		require.Equal(t, time.Hour, a.GreatestOf("n2"))
		require.Equal(t, config.MaxTTL, a.GreatestOf("n3"), "it never told")
		a.SaveMoved([16]byte{})
		synctest.Wait()
		end()

		b, end := begin(t, dir, time.Minute)
		defer end()
		require.EqualValues(t, 60, b.l.Limit(), "it was remembered before")
		require.Equal(t, time.Hour, b.GreatestOf("n2"))
		require.NotEqual(t, a.m.boot, b.m.boot)
		require.Equal(t, a.m.boot, b.past[0].Boot)
		require.False(t, b.hears(t, n2), "n2 remembers a life that is on this disk")
	})
}

// TestRestoredDisk: who remembers more of this node than its disk has says so, once, and another node's copy of an older disk does not count.
func TestRestoredDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, end := begin(t, t.TempDir(), time.Minute)
		defer end()
		own := round.Remembered{Life: round.Life{Boot: round.Boot{2}, Writes: 9}, Incarnation: 1, Greatest: time.Minute}
		n2 := &round.Lives{Self: own, Rejoined: true, Lives: []round.Life{own.Life}, Others: map[string]round.Remembered{
			"n1": {Life: round.Life{Boot: round.Boot{7}, Writes: 3}, Incarnation: 1, Greatest: time.Hour},
		}}
		require.True(t, a.hears(t, n2), "it remembers a life that the disk has not")
		_, restored := a.TakeOwn(&round.Lives{Others: n2.Others, Self: own})
		require.False(t, restored, "it has not joined before")

		older := *n2
		older.Rejoined, older.Self = false, round.Remembered{Life: round.Life{Boot: round.Boot{3}, Writes: 2}, Incarnation: 2}
		older.Lives = []round.Life{older.Self.Life}
		a.hears(t, &older)
		require.True(t, a.m.peers["n2"].older, "the life with nine writes is not among its own")
		older.Rejoined = true
		a.hears(t, &older)
		require.False(t, a.m.peers["n2"].older, "it has joined anew")
	})
}
