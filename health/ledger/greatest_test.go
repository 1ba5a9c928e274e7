package ledger

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestGreatest: what can't be written isn't given, nor what no other node remembers; it falls only once no handler holds, and no cache can hold, more.
func TestGreatest(t *testing.T) {
	const transit = 5 * time.Second
	now := time.Now()
	l := New(now)
	b := NewBook(l, now, 0)
	b.Poll(now)
	g := NewGreatest(l, b, Earlier{Disk: time.Minute}, time.Minute, transit, 0, slog.New(slog.DiscardHandler))
	due := func(at time.Time) time.Duration {
		ttl, ok := g.Due(at)
		if !ok {
			return 0
		}
		return ttl
	}
	require.EqualValues(t, 60, l.Limit())
	require.Zero(t, due(now))

	g.Want(5 * time.Minute)
	require.Equal(t, 5*time.Minute, due(now))
	g.Writing()
	require.Zero(t, due(now), "it is being written")
	require.False(t, g.Written(5*time.Minute, errors.New("no space left on device")))
	g.Give(true)
	require.EqualValues(t, 60, l.Limit(), "it is not on disk")
	g.Writing()
	require.True(t, g.Written(due(now)+5*time.Minute, nil))
	g.Give(false)
	require.EqualValues(t, 60, l.Limit(), "nobody remembers it")
	g.Give(true)
	require.EqualValues(t, 300, l.Limit())
	require.Zero(t, g.Older())

	quiet := make(chan struct{})
	b.Published(&Swap{Quiet: quiet}, now)
	g.Want(time.Minute)
	require.Equal(t, 5*time.Minute, g.Older(), "caches may hold an answer of before")
	at := now.Add(time.Hour)
	b.Poll(at)
	require.Zero(t, due(at), "a handler may hold one")
	close(quiet)
	b.Poll(at)
	require.Zero(t, due(at), "and caches that got it now")
	require.Zero(t, due(at.Add(5*time.Minute+transit)))
	at = at.Add(Slow(5*time.Minute) + transit + time.Second)
	require.Equal(t, time.Minute, due(at))
	g.Writing()
	require.True(t, g.Written(time.Minute, nil))
	g.Give(false)
	require.EqualValues(t, 60, l.Limit(), "less needs nobody's memory")
	require.Zero(t, due(at))
	require.Zero(t, g.Older())
}

// TestGreatestUnnamed: what an earlier process answered is unknown until somebody names it, or nothing of it can be left.
func TestGreatestUnnamed(t *testing.T) {
	now := time.Now()
	l := New(now)
	g := NewGreatest(l, NewBook(l, now.Add(time.Hour), 0), Earlier{Unnamed: "a copy"}, time.Minute, time.Second, 0, slog.New(slog.DiscardHandler))
	require.Equal(t, "a copy", g.Unnamed())
	require.False(t, g.NamedByTime(now.Add(time.Hour)))
	require.True(t, g.NamedByTime(now.Add(time.Hour+2*time.Second)))
	g.Named()
	require.Empty(t, g.Unnamed())

	g.Ask()
	require.True(t, g.Asks())
	g.Heard(2*time.Hour, "", now)
	require.False(t, g.Asks())
	require.Empty(t, g.Unnamed())
	require.Equal(t, now.Add(Slow(2*time.Hour)+time.Second), g.Clear())
	g.Heard(time.Minute, "n2 could not say", now)
	require.Equal(t, "n2 could not say", g.Unnamed())
	require.Equal(t, now.Add(Slow(2*time.Hour)+time.Second), g.Clear(), "an earlier word is not taken back")
}
