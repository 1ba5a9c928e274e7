package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/round"
)

// A speaker says a word in its part, and remembers what was said to it.
type speaker struct {
	says  string
	news  any
	heard []string
	fails error
}

func (p *speaker) part(key string) Part {
	return Part{Key: key, Encode: func(time.Time) ([]byte, any) { return []byte(p.says), p.news }, Take: func(r *gossip.Round, _ time.Time) error {
		p.heard = append(p.heard, r.Node+": "+string(r.Data))
		return p.fails
	}}
}

// teller remembers what was told last, and how. Rounds of more than most octets are too much.
type teller struct {
	how   string
	parts map[string]string
	most  int
}

var errTooMuch = errors.New("too much")

func (t *teller) tell(how string, parts map[string][]byte) error {
	t.how, t.parts = how, make(map[string]string)
	size := 0
	for key, b := range parts {
		t.parts[key] = string(b)
		size += len(b)
	}
	if size > t.most {
		return errTooMuch
	}
	return nil
}

func (t *teller) Publish(parts map[string][]byte) error { return t.tell("at once", parts) }
func (t *teller) Refresh(parts map[string][]byte) error { return t.tell("in time", parts) }

// TestTell: news of any part is told at once, everything else with the round of the second; what is too much goes without the spare parts.
func TestTell(t *testing.T) {
	now := time.Now()
	clock, orders, marks := &speaker{says: "1"}, &speaker{news: 1}, &speaker{says: "uuu", news: "uuu"}
	var r Rounds
	spare := marks.part("marks")
	spare.Spare = true
	r.Register(clock.part("clock"), orders.part("orders"), spare, Part{Key: "silent"})
	to := &teller{most: 10}
	tell := func(how string, parts map[string]string) {
		t.Helper()
		tooMuch, err := r.Tell(to, now)
		require.NoError(t, errors.Join(tooMuch, err))
		require.Equal(t, how, to.how)
		require.Equal(t, parts, to.parts)
	}
	tell("at once", map[string]string{"clock": "1", "orders": "", "marks": "uuu"})
	clock.says = "2"
	tell("in time", map[string]string{"clock": "2", "orders": "", "marks": "uuu"})
	orders.news = 2
	tell("at once", map[string]string{"clock": "2", "orders": "", "marks": "uuu"})
	tell("in time", map[string]string{"clock": "2", "orders": "", "marks": "uuu"})

	marks.says, marks.news = "uuuuuuuuuuu", "ddd"
	tooMuch, err := r.Tell(to, now)
	require.ErrorIs(t, tooMuch, errTooMuch)
	require.NoError(t, err)
	require.Equal(t, "at once", to.how)
	require.Equal(t, map[string]string{"clock": "2", "orders": ""}, to.parts)

	orders.says = "drain everything"
	tooMuch, err = r.Tell(to, now)
	require.ErrorIs(t, errors.Join(tooMuch, err), errTooMuch)
	require.Error(t, err, "not even without the spare parts")
}

// TestTake: each shard goes to the owner of its part, whose error is the answer.
func TestTake(t *testing.T) {
	now := time.Now()
	orders, marks := new(speaker), &speaker{fails: round.ErrMalformed}
	var r Rounds
	r.Register(orders.part("orders"), marks.part("marks"), Part{Key: "pictures"})
	require.NoError(t, r.Take(&gossip.Round{Node: "b", Key: "orders", Data: []byte("drain")}, now))
	require.ErrorIs(t, r.Take(&gossip.Round{Node: "c", Key: "marks", Data: []byte("x")}, now), round.ErrMalformed)
	require.ErrorIs(t, r.Take(&gossip.Round{Node: "c", Key: "weather"}, now), round.ErrUnknownPart)
	require.NoError(t, r.Take(&gossip.Round{Node: "c", Key: "pictures"}, now))
	require.Equal(t, []string{"b: drain"}, orders.heard)
	require.Equal(t, []string{"c: x"}, marks.heard)
	require.Panics(t, func() { r.Register(orders.part("orders")) })
}

// TestDeliver: shards wait in their order, up to a bound; what found no room is counted once.
func TestDeliver(t *testing.T) {
	var r Rounds
	for i := range maxWaiting + 3 {
		r.Deliver(gossip.Round{Shard: i})
	}
	shards, lost := r.Waiting()
	require.Len(t, shards, maxWaiting)
	require.EqualValues(t, 3, lost)
	require.Equal(t, 0, shards[0].Shard)
	require.Equal(t, maxWaiting-1, shards[maxWaiting-1].Shard)
	shards, lost = r.Waiting()
	require.Empty(t, shards)
	require.Zero(t, lost)
}
