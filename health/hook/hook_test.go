package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/event"
)

// receiver is who is told: reply says with which status, or that the network is down.
type receiver struct {
	mu     sync.Mutex
	status int
	err    error
	retry  string
	got    []cloudEvent
	at     []time.Time
	signed []string
	bodies [][]byte
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = append(r.at, time.Now())
	if r.err != nil {
		return nil, r.err
	}
	body, _ := io.ReadAll(req.Body)
	if r.status/100 == 2 {
		var e cloudEvent
		if err := json.Unmarshal(body, &e); err != nil {
			return nil, err
		}
		r.got, r.bodies, r.signed = append(r.got, e), append(r.bodies, body), append(r.signed, req.Header.Get(SignatureHeader))
	}
	return &http.Response{StatusCode: r.status, Header: http.Header{"Retry-After": {r.retry}}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func (r *receiver) set(status int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.err = status, err
}

func (r *receiver) types() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.got {
		all = append(all, e.Type+" "+e.Subject)
	}
	return all
}

// bench runs a sender in a bubble until stop.
type bench struct {
	log    *event.Log
	to     *receiver
	sender *Sender
	stop   func()
}

func start(t *testing.T, dir string, log *event.Log, to *receiver, change func(*Options)) *bench {
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("hush\n"), 0o600))
	o := Options{
		Node: "n1", Events: log, Dir: filepath.Join(dir, "hooks"), Client: &http.Client{Transport: to},
		Hooks: []config.Hook{{Name: "pager", URL: "https://user:hush@ops.example.org/x", Secret: secret, Types: []string{"endpoint.*"}, Timeout: time.Second}},
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	return &bench{log, to, s, func() { cancel(); require.NoError(t, <-done) }}
}

func TestDeliversInOrderAndSigned(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log, to := event.Open(event.Options{Node: "n1"}), &receiver{status: 204}
		log.Add("endpoint.down", "before", "", nil)
		b := start(t, dir, log, to, nil)
		log.Add("endpoint.down", "a", "refused", map[string]any{"old": "up"})
		log.Add("intent.created", "az eu-a", "", nil)
		log.Add("endpoint.up", "a", "", nil)
		synctest.Wait()
		b.stop()
		require.Equal(t, []string{"dev.fairlead.endpoint.down a", "dev.fairlead.endpoint.up a"}, to.types(), "what was before it began, and other types, are not for it")
		e := to.got[0]
		require.Equal(t, "1.0", e.SpecVersion)
		require.Equal(t, "n1-2", e.ID)
		require.Equal(t, map[string]any{"text": "refused", "old": "up"}, e.Data)
		stamp, _, _ := strings.Cut(strings.TrimPrefix(to.signed[0], "t="), ",")
		unix, err := strconv.ParseInt(stamp, 10, 64)
		require.NoError(t, err)
		require.Equal(t, Sign([]byte("hush"), time.Unix(unix, 0), to.bodies[0]), to.signed[0])
		require.NotEqual(t, Sign([]byte("other"), time.Unix(unix, 0), to.bodies[0]), to.signed[0])
	})
}

// While the receiver is away the events wait, in order, with growing pauses, also over a restart.
func TestRetriesOverARestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log, to := event.Open(event.Options{Node: "n1"}), &receiver{err: errors.New("refused")}
		b := start(t, dir, log, to, nil)
		log.Add("endpoint.down", "a", "", nil)
		log.Add("endpoint.up", "a", "", nil)
		time.Sleep(10 * time.Minute) // in a bubble
		status, sends := b.sender.Status()
		require.True(t, sends)
		require.Equal(t, 2, status[0].Waiting)
		require.Equal(t, "refused", status[0].LastError, "without the URL")
		for i := 2; i < len(to.at); i++ {
			require.LessOrEqual(t, to.at[i].Sub(to.at[i-1]), lastPause+time.Second)
		}
		require.Less(t, len(to.at), 20)
		b.stop()
		to.set(503, nil)
		b = start(t, dir, log, to, nil)
		time.Sleep(time.Minute)
		require.Empty(t, to.types())
		to.set(200, nil)
		time.Sleep(10 * time.Minute)
		b.stop()
		require.Equal(t, []string{"dev.fairlead.endpoint.down a", "dev.fairlead.endpoint.up a"}, to.types())
	})
}

// What the receiver refuses for good is a dead letter, and can be delivered again.
func TestDeadLetters(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log, to := event.Open(event.Options{Node: "n1"}), &receiver{status: 400}
		b := start(t, dir, log, to, nil)
		log.Add("endpoint.down", "a", "", nil)
		synctest.Wait()
		letters, err := b.sender.Dead("pager")
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Equal(t, "the receiver answers 400", letters[0].Why)
		b.stop()
		to.set(200, nil)
		b = start(t, dir, log, to, nil)
		n, err := b.sender.Redeliver("pager")
		require.NoError(t, err)
		require.Equal(t, 1, n, "they outlive a restart")
		log.Add("endpoint.up", "a", "", nil)
		synctest.Wait()
		require.Equal(t, []string{"dev.fairlead.endpoint.down a", "dev.fairlead.endpoint.up a"}, to.types())
		_, err = b.sender.Dead("none")
		require.ErrorIs(t, err, ErrNoHook)
		b.stop()
		// A day of errors is enough.
		to.set(500, nil)
		b = start(t, dir, log, to, nil)
		log.Add("endpoint.down", "b", "", nil)
		time.Sleep(36 * time.Hour)
		letters, err = b.sender.Dead("pager")
		require.NoError(t, err)
		require.Len(t, letters, 1)
		b.stop()
	})
}

// A node that does not send lets events pass, but for the latest: the one that sends may just have died.
func TestHandOver(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log, to := event.Open(event.Options{Node: "n2"}), &receiver{status: 200}
		var mu sync.Mutex
		turn := false
		b := start(t, dir, log, to, func(o *Options) {
			o.Sends = func() bool { mu.Lock(); defer mu.Unlock(); return turn }
		})
		log.Add("endpoint.down", "old", "", nil)
		time.Sleep(handOver + 2*lookEvery)
		log.Add("endpoint.down", "new", "", nil)
		time.Sleep(5 * time.Second)
		require.Empty(t, to.types())
		mu.Lock()
		turn = true
		mu.Unlock()
		time.Sleep(2 * lookEvery)
		b.stop()
		require.Equal(t, []string{"dev.fairlead.endpoint.down new"}, to.types())
	})
}

// Who stood by does not begin at its next start, before it hears the one that sends, with what that one delivered long ago.
func TestStandbyRemembersWhatPassed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log, to := event.Open(event.Options{Node: "n2"}), &receiver{status: 200}
		b := start(t, dir, log, to, func(o *Options) { o.Sends = func() bool { return false } })
		log.Add("endpoint.down", "old", "", nil)
		log.Add("intent.created", "not meant", "", nil)
		time.Sleep(handOver + 2*lookEvery)
		log.Add("endpoint.down", "new", "", nil)
		time.Sleep(lookEvery)
		b.stop()
		b = start(t, dir, log, to, nil)
		synctest.Wait()
		b.stop()
		require.Equal(t, []string{"dev.fairlead.endpoint.down new"}, to.types())
	})
}

// Whose turn ends while the receiver is away still delivers what happened in its turn: the next one may not have been there. That
// outlives a restart; what came after the turn is the other's.
func TestTurnEndsWithAQueue(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log, to := event.Open(event.Options{Node: "n2"}), &receiver{status: 503}
		var ended atomic.Bool
		b := start(t, dir, log, to, func(o *Options) { o.Sends = func() bool { return !ended.Load() } })
		log.Add("endpoint.down", "a", "", nil)
		log.Add("endpoint.down", "b", "", nil)
		time.Sleep(time.Hour) // in a bubble
		log.Add("endpoint.down", "c", "", nil)
		ended.Store(true)
		time.Sleep(time.Minute)
		b.stop()
		b = start(t, dir, log, to, func(o *Options) { o.Sends = func() bool { return false } })
		log.Add("endpoint.up", "of the other", "", nil)
		time.Sleep(time.Minute)
		to.set(200, nil)
		time.Sleep(time.Hour)
		b.stop()
		require.Equal(t, []string{"dev.fairlead.endpoint.down a", "dev.fairlead.endpoint.down b", "dev.fairlead.endpoint.down c"}, to.types())
	})
}

// A node that stands by still delivers again what it could not deliver itself: nobody else has those letters.
func TestStandbyRedelivers(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log, to := event.Open(event.Options{Node: "n2"}), &receiver{status: 400}
		b := start(t, dir, log, to, nil)
		log.Add("endpoint.down", "a", "", nil)
		synctest.Wait()
		b.stop()
		to.set(200, nil)
		b = start(t, dir, log, to, func(o *Options) { o.Sends = func() bool { return false } })
		n, err := b.sender.Redeliver("pager")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		time.Sleep(2 * lookEvery)
		b.stop()
		require.Equal(t, []string{"dev.fairlead.endpoint.down a"}, to.types())
	})
}

// When the log was lost and its numbers begin anew, a position from before must not hold back what happens now.
func TestPositionAheadOfTheLog(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log, to := event.Open(event.Options{Node: "n1"}), &receiver{status: 200}
		b := start(t, dir, log, to, nil)
		for range 5 {
			log.Add("endpoint.up", "before", "", nil)
		}
		synctest.Wait()
		b.stop()
		to = &receiver{status: 200}
		fresh := event.Open(event.Options{Node: "n1"})
		b = start(t, dir, fresh, to, nil)
		fresh.Add("endpoint.down", "a", "", nil)
		synctest.Wait()
		b.stop()
		require.Equal(t, []string{"dev.fairlead.endpoint.down a"}, to.types())
	})
}

// A receiver that asks for patience, in seconds or by the clock, gets it, up to an hour.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for text, want := range map[string]time.Duration{
			"": 0, "1200": 20 * time.Minute, "99999999999": maxPatience, "-5": 0, "soon": 0, "9999999999999999999999": 0,
			time.Now().Add(10 * time.Minute).UTC().Format(http.TimeFormat): 10 * time.Minute,
			time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):       0,
		} {
			require.Equal(t, want, patience(text, time.Now()), text)
		}
		log, to := event.Open(event.Options{Node: "n1"}), &receiver{status: 429, retry: "1200"}
		b := start(t, t.TempDir(), log, to, nil)
		log.Add("endpoint.down", "a", "", nil)
		time.Sleep(19 * time.Minute) // in a bubble
		synctest.Wait()
		require.Len(t, to.at, 1)
		to.set(200, nil)
		time.Sleep(2 * time.Minute)
		b.stop()
		require.Len(t, to.types(), 1)
	})
}

// The gauges are right at every scrape, also in the midst of a pause.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		log, to := event.Open(event.Options{Node: "n1"}), &receiver{err: errors.New("refused")}
		b := start(t, t.TempDir(), log, to, func(o *Options) { o.Registerer = reg })
		log.Add("endpoint.down", "a", "", nil)
		log.Add("endpoint.up", "a", "", nil)
		time.Sleep(time.Hour) // in a bubble
		require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP fairlead_hook_oldest_seconds Age of the oldest event that waits for its delivery; 0 while none does.
# TYPE fairlead_hook_oldest_seconds gauge
fairlead_hook_oldest_seconds{hook="pager"} 3600
# HELP fairlead_hook_queue Events that wait for their delivery, those included that are to be delivered again.
# TYPE fairlead_hook_queue gauge
fairlead_hook_queue{hook="pager"} 2
`), "fairlead_hook_oldest_seconds", "fairlead_hook_queue"))
		b.stop()
	})
}

func TestBrokenFileStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pager.json"), bytes.Repeat([]byte("{"), 9), 0o600))
	_, err := New(Options{Events: event.Open(event.Options{}), Dir: dir, Hooks: []config.Hook{{Name: "pager"}}})
	require.ErrorContains(t, err, "pager.json")
}
