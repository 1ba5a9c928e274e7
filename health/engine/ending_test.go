package engine

import (
	"bytes"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// A logged is what was logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestEndsAreAnnounced: once for each end, ten minutes before or a tenth of the length if that is less.
func TestEndsAreAnnounced(t *testing.T) {
	suite.Large(t)
	synctest.Test(t, func(t *testing.T) {
		var log logged
		reg := prometheus.NewRegistry()
		b := start(t, Options{
			Model: config.NewModel([]*config.Zone{testZone("example.org.", "192.0.2.1", "192.0.2.2")}), Node: "n1",
			Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})), Registerer: reg,
		})
		lines := func() int {
			synctest.Wait()
			return strings.Count(log.String(), "intent ends by itself soon")
		}
		left := func(kind health.IntentKind) float64 {
			synctest.Wait()
			families, err := reg.Gather()
			require.NoError(t, err)
			for _, f := range families {
				for _, m := range f.GetMetric() {
					if f.GetName() == "fairlead_intent_ends_in_seconds" && m.GetLabel()[0].GetValue() == kind.String() {
						return m.GetGauge().GetValue()
					}
				}
			}
			t.Fatal("no such metric")
			return 0
		}
		require.True(t, math.IsInf(left(health.IntentDrain), 1))
		id := intend(t, b, drainOf(oneEnd))
		long := forceOf(twoEnd, health.Up)
		long.End = time.Now().Add(20 * time.Hour)
		intend(t, b, long)
		time.Sleep(53*time.Minute + 59*time.Second)
		require.Zero(t, lines())
		time.Sleep(3 * time.Second)
		require.Equal(t, 1, lines())
		require.Contains(t, log.String(), "kind=drain scope=\"endpoint example.org/web/e192.0.2.1\"")
		require.Contains(t, log.String(), "left_seconds=360")
		require.InDelta(t, 358, left(health.IntentDrain), 1.1)
		time.Sleep(time.Minute)
		require.Equal(t, 1, lines(), "once")
		require.NoError(t, b.Extend(id, time.Now().Add(time.Hour), "ada", ""))
		time.Sleep(49 * time.Minute)
		require.Equal(t, 1, lines())
		time.Sleep(2 * time.Minute)
		require.Equal(t, 2, lines(), "the new end is another one; of nearly two hours ten minutes are less than a tenth")
		time.Sleep(10 * time.Minute)
		require.True(t, math.IsInf(left(health.IntentDrain), 1), "it is over")
		time.Sleep(17*time.Hour + 50*time.Minute)
		require.Equal(t, 2, lines())
		time.Sleep(10 * time.Minute)
		require.Equal(t, 3, lines(), "ten minutes, and not two hours")
		forever := drainOf(oneEnd)
		forever.Forever = true
		intend(t, b, forever)
		time.Sleep(24 * time.Hour)
		require.Equal(t, 3, lines())
	})
}
