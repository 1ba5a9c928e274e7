package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gone"
)

// recordsModel has static records beside the endpoint 192.0.2.1.
func recordsModel(t *testing.T, records string) *config.Model {
	z, problems := config.Parse("zone.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
pools: {web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}}
services: {www: {tiers: [{web: 1}]}}
records: [`+records+`]
`), config.ParseOptions{})
	require.NoError(t, problems.Err())
	return config.NewModel([]*config.Zone{z})
}

// TestGoneRecordsOutliveTheProcess: a static record that is removed is held by caches for the longest TTL that it had, whether the file was
// edited while the node ran, before it was restarted, or while it was down.
func TestGoneRecordsOutliveTheProcess(t *testing.T) {
	const long, short, none = "{name: old, type: A, data: 192.0.2.1, ttl: 1h}", "{name: old, type: A, data: 192.0.2.1, ttl: 1m}", "{name: other, type: A, data: 192.0.2.9, ttl: 1h}"
	const down = "down"
	for _, tt := range []struct {
		name string
		// files are in force one after the other, for a minute each; the node is down between two with the word in between.
		files []string
		want  time.Duration
	}{
		{"removed", []string{long, none}, time.Hour},
		{"removed, and a restart", []string{long, none, down, none}, time.Hour},
		{"removed while it was down", []string{long, down, none}, time.Hour},
		{"a shorter TTL, then removed", []string{long, short, none}, time.Hour - time.Minute},
		{"a shorter TTL while it was down, then removed", []string{long, down, short, none}, time.Hour - time.Minute},
		{"removed and back", []string{long, none, long}, 0},
		{"never there", []string{none, down, none}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var b *bed
				var end func()
				var last time.Time
				for _, file := range tt.files {
					if file == down {
						end()
						b = nil
						continue
					}
					last = time.Now()
					if m := recordsModel(t, file); b == nil {
						b, end = begin(t, Options{Model: m, State: dir, StateMaxAge: time.Hour})
					} else {
						b.SetModel(m)
					}
					time.Sleep(time.Minute) // in a bubble
				}
				defer func() { end() }()
				left := b.gone.Of("192.0.2.1", "192.0.2.9")
				if tt.want == 0 {
					require.Empty(t, left)
					return
				}
				require.Len(t, left, 1)
				require.Equal(t, "192.0.2.1", left[0].RData)
				got := left[0].Until.Sub(last)
				require.GreaterOrEqual(t, got, tt.want)
				require.Less(t, got, tt.want+10*time.Second)
				time.Sleep(got + 3*time.Minute) // in a bubble
				require.Empty(t, b.gone.Of("192.0.2.1", "192.0.2.9"), "and no longer")
				end()
				b, end = begin(t, Options{Model: recordsModel(t, none), State: dir, StateMaxAge: time.Hour})
				require.Empty(t, b.gone.Of("192.0.2.1", "192.0.2.9"), "nor after a restart")
			})
		})
	}
}

// TestGoneElsewhere: what another node answered, and no file of it has any more, is told by what it carries.
func TestGoneElsewhere(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		n1, end := begin(t, Options{Model: recordsModel(t, "{name: old, type: A, data: 192.0.2.1, ttl: 1h}"), State: dir})
		defer end()
		n1.SetModel(recordsModel(t, "{name: other, type: A, data: 192.0.2.9}"))
		time.Sleep(time.Minute) // in a bubble
		n2 := gone.Open(gone.Options{}, new(config.Model), time.Now())
		others := make(gone.Others)
		require.NoError(t, n1.loop.Do(func(time.Time) error {
			others.Add("n1", n1.gone.Keys())
			return nil
		}))
		n2.Show(others, time.Now())
		own, elsewhere := n1.gone.Of("192.0.2.1"), n2.Of("192.0.2.1")
		require.Len(t, own, 1)
		require.Equal(t, []gone.Record{{Carrier: config.Carrier{RData: "192.0.2.1"}, Node: "n1", Until: own[0].Until}}, elsewhere)
		require.Equal(t, "of node n1", elsewhere[0].String())
		require.Empty(t, n2.Of("192.0.2.9"))
	})
}

// TestDamagedLedger: bounds are unknown, and the file is set aside and named.
func TestDamagedLedger(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, cluster.LedgerName), []byte(`{"version":2,"gre`), 0o600))
	synctest.Test(t, func(t *testing.T) {
		b, end := begin(t, Options{Model: recordsModel(t, "{name: x, type: TXT, data: y}"), State: dir})
		defer end()
		require.Contains(t, fmt.Sprint(b.Engine.state.Damaged()), cluster.LedgerName)
	})
	require.FileExists(t, filepath.Join(dir, cluster.LedgerName+".damaged"))
	require.FileExists(t, filepath.Join(dir, cluster.LedgerName))
}

// TestDamagedRecords: a damaged file costs what it held, and says so.
func TestDamagedRecords(t *testing.T) {
	for _, content := range []string{"", `{"version":1,"records":[{`, `{"version":7}`} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, gone.FileName), []byte(content), 0o600))
		synctest.Test(t, func(t *testing.T) {
			b, end := begin(t, Options{Model: recordsModel(t, "{name: old, type: A, data: 192.0.2.1}"), State: dir})
			defer end()
			require.Empty(t, b.gone.Of("192.0.2.1", "192.0.2.9"))
			require.Contains(t, fmt.Sprint(b.Engine.state.Damaged()), gone.FileName)
		})
		require.FileExists(t, filepath.Join(dir, gone.FileName+".damaged"))
		require.FileExists(t, filepath.Join(dir, gone.FileName))
	}
}

// TestRestoredState: what an older copy of the state directory may not know is not known.
func TestRestoredState(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, cluster.LedgerName), []byte(`{"version":2}`), 0o600))
	e, err := New(Options{Model: config.NewModel(nil), Prober: &fakeProber{}, Publisher: &fakePublisher{}, State: dir, Restored: "a copy"})
	require.NoError(t, err)
	_, why := e.Clear()
	require.Equal(t, "a copy", why)
}
