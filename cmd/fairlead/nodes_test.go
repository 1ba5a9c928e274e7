package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func TestWriteNodes(t *testing.T) {
	at := time.Date(2026, 5, 17, 3, 12, 40, 0, time.UTC)
	ago := func(d time.Duration) *time.Time { t := at.Add(-d); return &t }
	n := &api.Nodes{Node: "n1", Cluster: "test", At: at, Heard: 2, Roster: 5, Isolated: true, Keys: 0, Nodes: []api.Node{
		{Name: "n1", Region: "eu", AZ: "eu-a", State: api.NodeSelf, Version: "v1", ConfigHash: "abc", Joined: true, Answering: true, Isolated: true},
		{Name: "n2", Region: "us", State: api.NodeHeard, HeardAt: ago(time.Second), RelayedAt: ago(time.Second), Version: "v1", ConfigHash: "def", Joined: true, Answering: true,
			Drift: ago(time.Minute)},
		{Name: "n3", State: api.NodeStale, HeardAt: ago(time.Minute), RelayedAt: ago(2 * time.Second), Version: "v1", ConfigHash: "abc", Joined: true, Answering: true},
		{Name: "n4", State: api.NodeNever},
		{Name: "n6", State: api.NodeStale, HeardAt: ago(time.Minute), LeaseSeconds: 600},
		{Name: "n7", State: api.NodeStale, HeardAt: ago(time.Minute), LeaseSeconds: 10, FencedAt: ago(48 * time.Second)},
		{Name: "n5", State: api.NodeStopped, HeardAt: ago(time.Hour)},
	}}
	var b strings.Builder
	writeNodes(&b, n, terminal.Style{})
	assert.Equal(t, `cluster test: node n1 hears 2 of 5, gossip in clear: ■ isolated; health moves nothing until more nodes are heard
  STATE          NODE  REGION  AZ    HEARD      CONFIG  VERSION
  ■ stale        n3    -       -     1m00s ago  abc     v1       may still answer, others hear it: the way from it to here is cut
  ■ never heard  n4    -       -     never      -       -
  ■ stale        n6    -       -     1m00s ago  -       -        stops answering once no majority has heard it for 10m0s
  ■ stale        n7    -       -     1m00s ago  -       -        stopped answering by itself 03:11:52Z (48s)
  ▲ self         n1    eu      eu-a  -          abc     v1       isolated
  ▲ heard        n2    us      -     1.0s ago   def     v1       another configuration since 03:11:40Z (1m00s)
  ⏸ stopped      n5    -       -     1h00m ago  -       -
`, b.String())
	b.Reset()
	writeNodes(&b, &api.Nodes{Node: "n1"}, terminal.Style{})
	assert.Equal(t, "node n1 is alone: its node file has no cluster\n", b.String())
	b.Reset()
	writeNodes(&b, &api.Nodes{Node: "n1", Cluster: "test", At: at, Heard: 1, Roster: 2, Keys: 1, Shut: "joins the cluster: waits for n2", WaitsFor: []string{"n2"}}, terminal.Style{})
	assert.Equal(t, `cluster test: node n1 hears 1 of 2: ▲ no majority
■ service names are not answered: joins the cluster: waits for n2
  if those nodes hold no drains that matter: `+"`fairlead nodes waive NAME`, or `fairlead nodes bootstrap` for all\n", b.String())
}

func TestVotes(t *testing.T) {
	at := func(states ...string) (list []api.Vantage) {
		for i, s := range states {
			list = append(list, api.Vantage{Node: string(rune('a' + i)), State: s})
		}
		return list
	}
	assert.Empty(t, votes(nil))
	assert.Empty(t, votes(at("down", "down")), "they agree")
	assert.Equal(t, "a says up, b says down, c says up", votes(at("up", "down", "up")))
	failing := at("up", "up")
	failing[1].Failures = 2
	assert.Equal(t, "a says up, b says up with 2 failed", votes(failing))
}
