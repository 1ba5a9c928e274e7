package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/incident"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

func TestIncidentByHealth(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		log := event.Open(event.Options{Node: "n1"})
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), State: dir, Node: "n1", Events: log})
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Up, 0)
		b.report(z, 0, health.Down, 3)
		time.Sleep(2 * time.Second) // in a bubble
		list := b.Incidents()
		require.Len(t, list, 1)
		i := list[0]
		require.Equal(t, ledger.ByHealth, i.Kind)
		require.Len(t, i.Endpoints, 1)
		require.True(t, i.Open())
		require.True(t, i.Known(), "a node alone knows what it answered")
		require.NotNil(t, i.Phases.CacheResidue)

		// Another one a moment later belongs to it; all come back, and it ends when caches have forgotten.
		b.report(z, 1, health.Down, 3)
		time.Sleep(2 * time.Second)
		require.Len(t, b.Incidents(), 1)
		require.Len(t, b.Incidents()[0].Endpoints, 2)
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Up, 0)
		time.Sleep(3 * time.Minute)
		i = b.Incidents()[0]
		require.False(t, i.ReturnedAt.IsZero())
		require.False(t, i.Open())
		require.False(t, i.ClosedAt.Before(i.SafeAt))
		var types []string
		for _, e := range log.Last(100, event.Filter{Types: []string{"incident.*"}}) {
			types = append(types, e.Type)
		}
		require.Equal(t, []string{"incident.opened", "incident.bound_known", "incident.closed"}, types)
	})
	kept := incident.Open(incident.Options{State: dir}).Incidents()
	require.Len(t, kept, 1)
	require.False(t, kept[0].Open())
}

// An order's incident has its words; it goes on after a restart, and late hits can be laid over it.
func TestIncidentByOrder(t *testing.T) {
	dir := t.TempDir()
	z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
	opts := Options{Model: config.NewModel([]*config.Zone{z}), State: dir, Node: "n1"}
	var id health.IntentID
	synctest.Test(t, func(t *testing.T) {
		b := start(t, opts)
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Up, 0)
		var err error
		id, err = b.Intend(drainOf(oneEnd))
		require.NoError(t, err)
		time.Sleep(2 * time.Second) // in a bubble
		i := b.Incidents()[0]
		require.Equal(t, ledger.ByIntent, i.Kind)
		require.Equal(t, id.String(), i.Intent)
		require.True(t, i.Known())
		late := func(i *ledger.Incident) { i.LateHits = &ledger.LateHits{Count: 3, Source: "nginx"} }
		_, err = b.Amend("none", late)
		require.Error(t, err)
		made, err := b.Amend(i.ID, late)
		require.NoError(t, err)
		require.Equal(t, uint64(3), made.LateHits.Count)
	})
	synctest.Test(t, func(t *testing.T) {
		b := start(t, opts)
		time.Sleep(2 * time.Second) // in a bubble
		require.Len(t, b.Incidents(), 1)
		require.True(t, b.Incidents()[0].Open())
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Up, 0)
		require.NoError(t, b.EndIntent([]health.IntentID{id}, "ada", ""))
		time.Sleep(3 * time.Minute) // in a bubble
		require.Len(t, b.Incidents(), 1)
		require.False(t, b.Incidents()[0].Open())
	})
}
