package order

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/report"
	"github.com/fairlead-dns/fairlead/health/state"
	"github.com/fairlead-dns/fairlead/health/table"
)

// A bed is the orders of a node alone, with an owner that brings into force what moved. What it did is counted.
type bed struct {
	*Orders
	*Desk
	table *table.Table
	loop  *loop.Loop
	// applied counts how often something was brought into force.
	applied int
}

const (
	main  = "example.org./main"
	spare = "example.org./spare"
)

// start begins in a bubble, with the orders of a directory.
func start(t *testing.T, dir string) (b *bed, end func()) {
	now, logger := time.Now(), slog.New(slog.DiscardHandler)
	zone, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a, b]}}\n"+
		"checks: {up: {type: tcp, port: 80}}\npools:\n  main: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}, {name: f, az: b, addresses: [192.0.2.2]}]}\n"+
		"  spare: {region: eu, check: up, endpoints: [{name: s, az: a, addresses: [192.0.2.9]}]}\nservices: {www: {tiers: [{main: 1}, {spare: 1}]}}\n"), config.ParseOptions{})
	require.NotNil(t, zone, problems.String())
	evidence := table.NewEvidence("n1", nil, 0)
	file, err := state.Open("", time.Hour, now, logger)
	require.NoError(t, err)
	b = &bed{loop: loop.New(), table: table.New(config.NewModel([]*config.Zone{zone}), nil, evidence, file, now)}
	lease := cluster.NewLease(0, now, nil)
	reg := prometheus.NewRegistry()
	b.Orders, err = Open(Options{
		Node: "n1", Dir: dir, Shut: cluster.NewShut("n1", lease, nil, logger, reg), Evidence: evidence, Rounds: new(cluster.Rounds), Loop: b.loop, Pause: new(loop.Pause),
		Reporter: report.New(nil, logger, prometheus.NewRegistry()), Logger: logger, Registerer: reg,
	}, now)
	require.NoError(t, err)
	b.Desk = b.Orders.Desk()
	b.Use(b.table)
	b.Apply([]*table.Table{b.table}, now)
	b.table.Judge(now)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { b.own(ctx); close(done) }()
	go b.Run()
	return b, func() { cancel(); <-done }
}

func (b *bed) own(ctx context.Context) {
	defer b.loop.Close()
	b.loop.Run(ctx)
	for {
		b.settle(time.Now())
		select {
		case <-ctx.Done():
			b.End()
			b.settle(time.Now())
			return
		case c := <-b.loop.Commands():
			c.Do(time.Now(), b.settle)
		case <-b.loop.Woken():
			b.loop.DoPosted(time.Now())
		case w := <-b.Written():
			b.Take(w, time.Now())
		}
	}
}

func (b *bed) settle(now time.Time) {
	for {
		if moved, _ := b.Moved(); moved {
			b.applied++
			b.Apply([]*table.Table{b.table}, now)
			b.table.Judge(now)
		}
		if !b.Release(now) {
			return
		}
	}
}

// pool is the view of a pool; that of a bed that has ended if its loop has.
func (b *bed) pool(i int) (v *health.PoolView) {
	if b.loop.Do(func(time.Time) error { v = b.table.Pool(table.Ref{Pool: i}); return nil }) != nil {
		v = b.table.Pool(table.Ref{Pool: i})
	}
	return v
}

func drain(name string) health.Intent {
	s, err := health.ParseScope(health.ScopeEndpoint, name)
	if err != nil {
		panic(err)
	}
	return health.Intent{Kind: health.IntentDrain, Scope: s, Actor: "ada"}
}

// TestDesk: an order is in force when its giver is answered, behind the one before it, and is there after a restart; a refused one changes nothing.
func TestDesk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b, end := start(t, dir)
		defer end()
		require.NoError(t, b.Admissible(drain(main+"/e")))
		require.Zero(t, b.applied)
		id, err := b.Intend(drain(main + "/e"))
		require.NoError(t, err)
		require.True(t, b.pool(0).Endpoints[0].Drained)
		require.Equal(t, 1, b.applied)

		_, err = b.Intend(drain(main + "/none"))
		require.ErrorIs(t, err, health.ErrNothingNamed)
		require.Len(t, b.Intents(), 1)
		require.Equal(t, 1, b.applied)
		require.NoError(t, b.Freeze(true, "ada", "work"))
		require.True(t, b.Desk.Frozen().On)

		_, err = b.Intend(drain(main + "/f"))
		require.NoError(t, err, "the standby is left")
		_, err = b.Intend(drain(spare + "/s"))
		var rule *health.RuleError
		require.ErrorAs(t, err, &rule, "nobody would be left")
		require.False(t, b.pool(1).Endpoints[0].Drained)
		require.ErrorIs(t, b.EndIntent([]health.IntentID{{Node: "n9"}}, "ada", ""), health.ErrNoIntent)
		require.NoError(t, b.EndIntent([]health.IntentID{id}, "ada", ""))
		require.False(t, b.pool(0).Endpoints[0].Drained)
	})
	synctest.Test(t, func(t *testing.T) {
		b, end := start(t, dir)
		defer end()
		require.True(t, b.pool(0).Endpoints[1].Drained)
		require.True(t, b.Desk.Frozen().On)
	})
}

// TestOrdersBehindEachOther: while the disk is slow nothing that waits for it is in force, and the next order is judged by what is in force before it.
func TestOrdersBehindEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, end := start(t, t.TempDir())
		defer end()
		full := errors.New("no space left on device")
		var fails error
		require.NoError(t, b.loop.Do(func(time.Time) error {
			b.SlowDown(func(j *intent.Job) error {
				time.Sleep(5 * time.Second) // in a bubble
				return errors.Join(fails, j.Write())
			})
			return nil
		}))
		type answer struct {
			err   error
			after time.Duration
		}
		answers, begun := make(map[string]chan answer), time.Now()
		for _, name := range []string{main + "/e", main + "/f", spare + "/s"} {
			c := make(chan answer, 1)
			answers[name] = c
			go func() {
				_, err := b.Intend(drain(name))
				c <- answer{err, time.Since(begun)}
			}()
			synctest.Wait()
		}
		require.False(t, b.pool(0).Endpoints[0].Drained, "it is not on disk")
		require.Equal(t, answer{nil, 5 * time.Second}, <-answers[main+"/e"])
		require.Equal(t, answer{nil, 10 * time.Second}, <-answers[main+"/f"])
		got := <-answers[spare+"/s"]
		var rule *health.RuleError
		require.ErrorAs(t, got.err, &rule, "it is judged behind the two before it")
		require.Equal(t, 10*time.Second, got.after, "and needs no disk for that")

		fails = full
		_, err := b.Intend(health.Intent{Kind: health.IntentFreeze, Scope: health.Scope{Kind: health.ScopeCluster}, Actor: "ada", Forever: true})
		require.ErrorIs(t, err, full)
		require.False(t, b.Desk.Frozen().On)
	})
}

// TestOrdersOfOthers: what another node says is in force at once, and whoever waits for it is answered once it is on disk.
func TestOrdersOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, end := start(t, t.TempDir())
		defer end()
		other := drain(main + "/e")
		other.ID, other.Start, other.End = health.IntentID{Node: "n2", Incarnation: 1, Counter: 1}, time.Now(), time.Now().Add(time.Hour)
		set := intent.Set{}.Add(other)
		refused := errors.New("refused")
		require.ErrorIs(t, b.TakeKept(t.Context(), set, func(time.Time) error { return refused }), refused)
		require.Empty(t, b.Intents())
		require.NoError(t, b.TakeKept(t.Context(), set, func(time.Time) error { return nil }))
		require.True(t, b.pool(0).Endpoints[0].Drained)
		require.Equal(t, 1, b.applied)
		require.NoError(t, b.TakeKept(t.Context(), set, func(time.Time) error { return nil }))
		require.Equal(t, 1, b.applied, "it is known")
		require.Equal(t, cluster.Holding{Holders: []string{"n1"}}, b.AwaitHolding(t.Context(), []health.IntentID{other.ID}, (*cluster.Holding).Enough))
		require.False(t, b.Due(time.Now()))
		require.True(t, b.Due(time.Now().Add(time.Hour)), "it ends")
	})
}
