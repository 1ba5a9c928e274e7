package cluster

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/table"
)

// membersOf is the roster n1, which is this node, to n3.
func membersOf(without health.Guards, now time.Time) *Members {
	m := NewMembers(MembersOptions{
		Self: "n1", Started: now, Nodes: []judge.Node{{Name: "n3"}, {Name: "n1"}, {Name: "n2"}}, Evidence: table.NewEvidence("n1", nil, without),
		Logger: slog.New(slog.DiscardHandler), Without: without,
	})
	m.NameNodes()
	return m
}

// hear has nodes be heard at an instant, straight.
func hear(m *Members, now time.Time, names ...string) (changed bool) {
	var list []gossip.Heard
	for _, name := range names {
		list = append(list, gossip.Heard{Node: name, Incarnation: 1, At: now, Direct: now})
	}
	return m.LookAround(list, now)
}

// TestBarrier: it opens once every configured node has answered or was waived, asks again after the lease had ended, and its mark is of one cluster.
func TestBarrier(t *testing.T) {
	now, dir := time.Now(), t.TempDir()
	open := func(cluster string) (*Barrier, error) {
		return OpenBarrier(dir, cluster, membersOf(0, now), 0, slog.New(slog.DiscardHandler))
	}
	b, err := open("c")
	require.NoError(t, err)
	require.False(t, b.Open())
	require.Equal(t, []string{"n2", "n3"}, b.Missing(now))
	require.Equal(t, "joins the cluster: waits for n2, n3", b.Reason(b.Missing(now)))
	b.Answered("n2", false)
	require.False(t, b.Passed(now))
	require.ErrorIs(t, b.Waive(nil, []string{"n2"}, now), health.ErrNothingNamed, "it has answered")
	ttl := time.Minute
	require.NoError(t, b.Waive(&ttl, nil, now))
	require.True(t, b.Passed(now))
	absent, named := b.Absent(now)
	require.Equal(t, "n3", absent, "who was waived may be the only one who remembers")
	require.Equal(t, &ttl, named)
	require.NoError(t, b.mark.Write(joinedMark{Cluster: "c"}))
	b.Marked(nil)
	b.Let()
	require.ErrorIs(t, b.Waive(nil, nil, now), health.ErrIntentConflict)

	require.False(t, b.LeaseEnds(true))
	require.True(t, b.LeaseEnds(false), "it is back")
	require.False(t, b.Open())
	require.Equal(t, []string{"n2"}, b.Missing(now), "a waiver stands")
	require.Equal(t, "asks the other nodes what it missed", b.Reason(nil))

	again, err := open("c")
	require.NoError(t, err)
	require.True(t, again.Joined())
	_, err = open("d")
	require.ErrorContains(t, err, `is of cluster "c", the node file says "d"`)
	require.NoError(t, os.WriteFile(filepath.Join(dir, JoinedName), []byte("{"), 0o600))
	again, err = open("c")
	require.ErrorIs(t, err, ErrDamaged)
	require.False(t, again.Joined())
}

// TestMembers: no name leaves by time, who is heard is told once, and too few are isolation.
func TestMembers(t *testing.T) {
	now := time.Now()
	m := membersOf(0, now)
	require.True(t, m.Isolated(), "nobody has been heard")
	require.True(t, hear(m, now, "n2", "n3"))
	require.False(t, hear(m, now.Add(time.Second), "n2", "n3"))
	require.Equal(t, 3, m.heard)
	require.False(t, m.Isolated())
	require.Equal(t, []string{"n2", "n3"}, m.Others())

	later := now.Add(time.Hour)
	require.True(t, m.LookAround([]gossip.Heard{{Node: "n2", At: later, Direct: later}, {Node: "n3", At: now, Direct: now}}, later), "a node falls silent")
	require.True(t, m.Fresh("n2"))
	require.False(t, m.Fresh("n3"))
	require.Equal(t, []string{"n1", "n2", "n3"}, m.Configured(later))
	m.Order(map[string]time.Time{"n3": later}, nil)
	require.Equal(t, []string{"n1", "n2"}, m.Configured(later), "a person has declared it removed")
	require.True(t, m.Knows("n3", later))
	require.False(t, m.Revived("n3", later))
	require.True(t, m.Revived("n2", now))
	m.SetNodes([]judge.Node{{Name: "n1"}, {Name: "n2"}})
	m.Order(nil, nil)
	require.Equal(t, []string{"n1", "n2", "n3"}, m.Configured(later), "another roster takes no name away")
}

// TestHolders: an order is held by who said so, until that one leaves the roster; what a node acknowledged counts beside its rounds.
func TestHolders(t *testing.T) {
	now := time.Now()
	m := membersOf(0, now)
	h := NewHolders(m)
	i := health.Intent{Kind: health.IntentDrain, ID: health.IntentID{Node: "n1", Incarnation: 1, Counter: 1}, Start: now, Forever: true}
	set := intent.Set{}.Add(i)
	ids := []health.IntentID{i.ID}
	require.Equal(t, [][]string{{"n2", "n3"}}, h.Lacking(set, []health.Intent{i}, now))
	of := h.Holding(set, ids, now)
	require.False(t, of.Enough())
	h.Held("n2", set)
	h.Held("n9", set)
	of = h.Holding(set, ids, now)
	require.Equal(t, Holding{Holders: []string{"n1", "n2"}, Missing: []string{"n3"}, Alone: true}, of)
	require.True(t, of.Enough())
	require.False(t, of.Complete())
	m.Order(nil, map[string]time.Time{"n3": now})
	of = h.Holding(set, ids, now)
	require.True(t, of.Complete(), "n3 is declared stopped")
	require.Empty(t, h.Everywhere(set, ids, now))
	h.Held("n3", set)
	require.Equal(t, ids, h.Everywhere(set, ids, now))
	m.SetNodes([]judge.Node{{Name: "n1"}, {Name: "n3"}})
	m.SetNodes([]judge.Node{{Name: "n1"}, {Name: "n2"}, {Name: "n3"}})
	require.Equal(t, [][]string{{"n2"}}, h.Lacking(set, []health.Intent{i}, now), "whoever was away begins anew")
}
