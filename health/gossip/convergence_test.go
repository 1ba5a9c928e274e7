package gossip

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// long asks for all that the tables in the documents were made of: minutes.
var long = os.Getenv(suite.LongEnv) != ""

// quantile of sorted values.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// TestConvergence measures how long it takes until all nodes know a change, in virtual time. docs/reliability.md id R4: at 30 % loss
// p99 <= 6 s and max <= 12 s; a drain is known everywhere within 1 s at p99 where nothing is lost. The table:
//
//	FAIRLEAD_LONG=1 go test -v -timeout 30m -run TestConvergence ./health/gossip
func TestConvergence(t *testing.T) {
	sizes := []int{5, 20, 50}
	if long {
		sizes = append(sizes, 100, 200)
	}
	for _, size := range sizes {
		for _, loss := range []float64{0, .1, .3} {
			t.Run(fmt.Sprintf("%d nodes, %.0f %% loss", size, loss*100), func(t *testing.T) {
				if size > 5 {
					suite.Large(t)
				}
				changes := 200
				switch {
				case size > 50:
					changes = 40
				case !long:
					changes = min(changes, 600/size)
				}
				if testing.Short() || suite.Race {
					changes = min(changes, 10)
				}
				if testing.Short() && size > 20 {
					t.Skip("takes its time")
				}
				bubble(t, func(t *testing.T) {
					net := gossiptest.New(uint64(size)*100 + uint64(loss*100))
					net.SetLink(lossy(loss))
					c := newCluster(t, net, size, func(o *Options) {
						// As the engine has it.
						if o.Direct = 128; size == 50 {
							o.Direct = defaultDirect
						}
					})
					time.Sleep(10 * time.Second)
					var took []time.Duration
					for i := range changes {
						time.Sleep(time.Duration(i%10) * 37 * time.Millisecond)
						c.publish(i%size, "k", fmt.Sprint(i))
						took = append(took, c.converged(i%size, "k", fmt.Sprint(i), 12*time.Second))
					}
					slices.Sort(took)
					p50, p99, most := quantile(took, .5), quantile(took, .99), took[len(took)-1]
					t.Logf("%2d nodes, %2.0f %% loss, %3d changes: all know after p50 %v, p99 %v, max %v", size, loss*100, changes, p50, p99, most)
					if loss == 0 {
						require.Less(t, most, time.Second)
					}
					require.LessOrEqual(t, p99, 6*time.Second)
				})
			})
		}
	}
}

// TestTraffic prints what a node sends, with a state of 1 kB for each 1,000 endpoints:
//
//	FAIRLEAD_LONG=1 go test -v -timeout 30m -run TestTraffic ./health/gossip
func TestTraffic(t *testing.T) {
	suite.Long(t)
	const seconds = 20
	for _, way := range []struct {
		name            string
		size, endpoints int
		direct          int
	}{
		{"direct", 5, 1000, 0}, {"direct", 5, 10000, 0}, {"direct", 20, 1000, 0}, {"direct", 20, 10000, 0},
		{"relayed", 100, 1000, 0}, {"direct", 100, 1000, 1000},
	} {
		t.Run(fmt.Sprintf("%d nodes, %d endpoints, %s", way.size, way.endpoints, way.name), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := gossiptest.New(1)
				net.SetLink(lan)
				c := newCluster(t, net, way.size, func(o *Options) {
					if way.direct > 0 {
						o.Direct = way.direct
					}
				})
				for _, n := range c.nodes {
					require.NoError(t, n.Publish(map[string][]byte{"obs": make([]byte, way.endpoints)}))
				}
				time.Sleep(20 * time.Second)
				sum := func(name string) (total float64) {
					for _, n := range c.nodes {
						total += value(t, n.metrics.octets[name])
					}
					return total / float64(way.size)
				}
				packets, streams, start := sum(packetOut), sum(streamOut), time.Now()
				time.Sleep(seconds * time.Second)
				packets, streams = (sum(packetOut)-packets)/seconds, (sum(streamOut)-streams)/seconds
				// And while every node changes something all the time, as when an AZ fails.
				busy := sum(packetOut)
				for i := range 25 {
					for j, n := range c.nodes {
						state := make([]byte, way.endpoints)
						state[(i*7+j)%len(state)] = byte(i + 1)
						require.NoError(t, n.Publish(map[string][]byte{"obs": state}))
					}
					time.Sleep(200 * time.Millisecond)
				}
				busy = (sum(packetOut) - busy) / 5
				t.Logf("%3d nodes, %5d endpoints, %-7s: %7.1f kB/s sent by each in packets, %6.1f in streams; %7.1f in packets while all of them change (%v)",
					way.size, way.endpoints, way.name, packets/1e3, streams/1e3, busy/1e3, time.Since(start))
			})
		})
	}
}
