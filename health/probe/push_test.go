package probe

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

func pushCheck() *config.Check {
	return sealed(config.Check{Name: "self", Type: config.CheckPush, Push: &config.PushCheck{Lease: 30 * time.Second}})
}

// TestPushTimeline has reports, and what is observed at which second.
func TestPushTimeline(t *testing.T) {
	type report struct {
		at time.Duration
		r  Report
	}
	type seen struct {
		at        time.Duration
		state     health.State
		reason    string
		reduction int
		next      time.Duration
		failures  int
	}
	const s = time.Second
	up, down := Report{State: health.Up}, Report{State: health.Down}
	for _, test := range []struct {
		name    string
		reports []report
		until   time.Duration
		want    []seen
	}{
		{"silence", nil, 95 * s, []seen{
			{30 * s, health.Unknown, "no report for 30s", 0, 90 * s, 0}, {60 * s, health.Unknown, "no report for 30s", 0, 120 * s, 0},
			{90 * s, health.Unknown, "no report for 30s", 0, 150 * s, 0},
		}},
		{"up at once, then silence", []report{{10 * s, up}}, 45 * s, []seen{
			{10 * s, health.Up, "", 0, 40 * s, 0}, {40 * s, health.Unknown, "no report for 30s", 0, 100 * s, 1},
		}},
		{"reports keep it", []report{{10 * s, up}, {39 * s, up}, {68 * s, up}}, 97 * s, []seen{
			{10 * s, health.Up, "", 0, 40 * s, 0}, {39 * s, health.Up, "", 0, 69 * s, 0}, {68 * s, health.Up, "", 0, 98 * s, 0},
		}},
		{"down counts at once, and so does up", []report{{s, up}, {2 * s, down}, {3 * s, up}}, 4 * s, []seen{
			{s, health.Up, "", 0, 31 * s, 0}, {2 * s, health.Down, "reported down", 0, 32 * s, 1}, {3 * s, health.Up, "", 0, 33 * s, 0},
		}},
		{"a reason", []report{{s, Report{State: health.Down, Reason: "disk\nfull"}}}, 2 * s, []seen{
			{s, health.Down, "reported down: disk full", 0, 31 * s, 1},
		}},
		{"a weight", []report{{s, Report{State: health.Up, Weight: new(25)}}, {2 * s, up}}, 3 * s, []seen{
			{s, health.Up, "", 75, 31 * s, 0}, {2 * s, health.Up, "", 0, 32 * s, 0},
		}},
		{"a lease of its own", []report{{s, Report{State: health.Down, Lease: 5 * s}}}, 12 * s, []seen{
			{s, health.Down, "reported down", 0, 6 * s, 1}, {6 * s, health.Unknown, "no report for 5s", 0, 16 * s, 1},
			{11 * s, health.Unknown, "no report for 5s", 0, 21 * s, 1},
		}},
		{"back after a silence", []report{{s, up}, {40 * s, up}}, 41 * s, []seen{
			{s, health.Up, "", 0, 31 * s, 0}, {31 * s, health.Unknown, "no report for 30s", 0, 91 * s, 1}, {40 * s, health.Up, "", 0, 70 * s, 0},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 0, answerIn(0))
				self := target(pushCheck(), "192.0.2.1", 0)
				r.SetTargets([]health.Target{self, target(httpCheck(nil), "192.0.2.2", 80)})
				r.run(t)
				begin := time.Now()
				for _, report := range test.reports {
					time.Sleep(report.at - time.Since(begin))
					require.NoError(t, r.Report(self.ID, report.r))
				}
				time.Sleep(test.until - time.Since(begin))
				r.stop()
				var got []seen
				for _, o := range r.seen.take() {
					if o.Target == self.ID {
						got = append(got, seen{o.At.Sub(begin), o.State, o.Reason, o.Reduction, o.Next.Sub(begin), o.Failures})
					}
				}
				assert.Equal(t, test.want, got)
			})
		})
	}
}

func TestReportIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 0, answerIn(0))
		self, web := target(pushCheck(), "192.0.2.1", 0), target(httpCheck(nil), "192.0.2.2", 80)
		r.SetTargets([]health.Target{self, web})
		up := Report{State: health.Up}
		require.NoError(t, r.Report(self.ID, up), "before Run")
		assert.ErrorIs(t, r.Report(health.TargetID{1}, up), ErrNoTarget)
		assert.ErrorIs(t, r.Report(web.ID, up), ErrNotPushed)
		assert.EqualError(t, r.Report(self.ID, Report{State: health.Suspect}), "report: state suspect: want up or down")
		assert.EqualError(t, r.Report(self.ID, Report{State: health.Up, Weight: new(101)}), "report: weight 101 %: want 0..100")
		assert.EqualError(t, r.Report(self.ID, Report{State: health.Up, Lease: -1}), "report: lease -1ns: want at most 24h0m0s")
		assert.NoError(t, r.Report(self.ID, Report{State: health.Up, Lease: 30 * time.Second}))
		assert.ErrorIs(t, r.Report(self.ID, Report{State: health.Up, Lease: 30*time.Second + 1}), ErrLease, "the bound is made of the check's")
		r.run(t)
		time.Sleep(29 * time.Second)
		r.seen.take()
		r.SetTargets([]health.Target{web})
		assert.ErrorIs(t, r.Report(self.ID, up), ErrNoTarget)
		time.Sleep(time.Hour)
		for _, o := range r.seen.take() {
			assert.NotEqual(t, self.ID, o.Target, "its lease went with it")
		}
		r.SetTargets([]health.Target{self})
		assert.True(t, r.Restore(self.ID, health.Down, time.Now()))
		r.stop()
		assert.ErrorIs(t, r.Report(self.ID, up), ErrNotRunning)
	})
}

// TestFlapsAmongReports: damping holds for what reports itself, too.
func TestFlapsAmongReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 0, answerIn(0))
		check := *pushCheck()
		check.Flap = &config.Flap{Transitions: 2, Window: time.Minute, Hold: time.Minute}
		self := target(sealed(check), "192.0.2.1", 0)
		r.SetTargets([]health.Target{self})
		r.run(t)
		var got []health.State
		for _, state := range []health.State{health.Up, health.Down, health.Up, health.Down, health.Up} {
			require.NoError(t, r.Report(self.ID, Report{State: state}))
			time.Sleep(time.Second)
			got = append(got, r.seen.take()[0].State)
		}
		r.stop()
		assert.Equal(t, []health.State{health.Up, health.Down, health.Up, health.Down, health.Down}, got)
	})
}

// TestReportsAndLeasesRace is for the race detector, and for the order of what is observed.
func TestReportsAndLeasesRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 0, answerIn(0))
		self := target(pushCheck(), "192.0.2.1", 0)
		r.SetTargets([]health.Target{self})
		r.run(t)
		for i := range 200 {
			go func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				_ = r.Report(self.ID, Report{State: health.Up, Lease: 10 * time.Millisecond})
			}()
		}
		time.Sleep(time.Minute)
		r.stop()
		last := time.Time{}
		seen := r.seen.take()
		require.Greater(t, len(seen), 200)
		for _, o := range seen {
			require.False(t, o.At.Before(last))
			last = o.At
		}
		assert.Equal(t, health.Unknown, seen[len(seen)-1].State)
	})
}

func TestPushIsNotDialled(t *testing.T) {
	wantFailure(t, target(pushCheck(), "192.0.2.1", 0), Unsupported, "a push check is not probed: it waits for reports")
}

// TestSilenceAfterARestart: what an earlier run believed stands for a report; without it nobody is known ever to have reported.
func TestSilenceAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 0, answerIn(0))
		known, never := target(pushCheck(), "192.0.2.1", 0), target(pushCheck(), "192.0.2.2", 0)
		r.SetTargets([]health.Target{known, never})
		require.True(t, r.Restore(known.ID, health.Up, time.Now()))
		r.run(t)
		time.Sleep(31 * time.Second)
		r.stop()
		failures := make(map[health.TargetID]int)
		for _, o := range r.seen.take() {
			assert.Equal(t, health.Unknown, o.State)
			failures[o.Target] = o.Failures
		}
		assert.Equal(t, map[health.TargetID]int{known.ID: 1, never.ID: 0}, failures)
	})
}
