package fairlead

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// simSeeds is how many random histories a run of the tests goes through; FAIRLEAD_SEEDS is another number, FAIRLEAD_SEED the first.
const simSeeds = 4

// simLength is how long each one lasts, in the bubble's time.
const simLength = 30 * time.Minute

// simPlacedFrom and simPlacedTo edit the zone of one seed in four: its pool us is watched from us alone, and out when nobody there is
// heard.
const (
	simPlacedFrom = "ready: {type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 2}}\npools:\n"
	simPlacedTo   = "ready: {type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 2}, " +
		"inner: {type: tcp, port: 81, interval: 5s, timeout: 1s, fall: 2, rise: 2, vantages: {region: [us]}}}\npools:\n"
	simPlacedPool = "us: {region: us, check: ready,"
	simPlacedLost = "us: {region: us, check: inner, on_vantages_lost: down,"
)

func fromEnv(name string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

// simRoot is where the disks of a simulation are: in memory where that can be, for every change is an fsync.
func simRoot(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "fairlead-sim-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestSimSeeds runs whole clusters through random faults: half an hour of their time each, at least five faults.
func TestSimSeeds(t *testing.T) {
	suite.Large(t)
	first := fromEnv("FAIRLEAD_SEED", 1)
	for i := range fromEnv("FAIRLEAD_SEEDS", simSeeds) {
		seed := first + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			root := simRoot(t)
			synctest.Test(t, func(t *testing.T) {
				s := newSim(t, seed, simSize(seed), root)
				if seed%4 == 3 {
					s.edit(simPlacedFrom, simPlacedTo)
					s.edit(simPlacedPool, simPlacedLost)
				}
				w := &wreck{sim: s, r: rand.New(rand.NewPCG(seed, 5))}
				w.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
				w.startAll()
				w.await(20 * time.Second)
				for end := time.Now().Add(simLength); time.Now().Before(end); {
					w.step()
					w.wait(time.Duration(5+w.r.IntN(60)) * time.Second)
				}
				w.settle()
				faults := s.end()
				require.GreaterOrEqual(t, w.count, 5)
				for _, f := range faults {
					t.Errorf("FAIRLEAD_SEED=%d FAIRLEAD_SEEDS=1: %s", seed, f)
				}
			})
		})
	}
}

// simSize is three nodes mostly, since five cost four times as much, and five for one seed in eight.
func simSize(seed uint64) int {
	if seed%8 == 0 {
		return 5
	}
	return 3
}
