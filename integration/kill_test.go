package integration

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// endSlack is how far the ends of one intent on two nodes may be apart: the way between nodes, and what passes before a reply.
const endSlack = 4 * time.Second

// An attempt is one order that was sent; status is 0 when no reply came.
type attempt struct {
	method string
	// target is what is extended or ended; empty for a new intent, which is known by its reason.
	target string
	req    api.IntentRequest
	end    time.Time
	status int
	got    api.Intent
}

// An orderBook is what must be in force after all that was acknowledged.
type orderBook struct {
	open map[string]api.Intent
	// flying is the order without a reply; nil if there is none.
	flying *attempt
	count  int
	// acked are the reasons of the latest orders that were acknowledged, by node.
	acked map[string][]string
}

// draw is a random order.
func (b *orderBook) draw(r *rand.Rand) *attempt {
	b.count++
	a := &attempt{method: http.MethodPost, end: time.Now().Add(time.Duration(600+r.IntN(3000)) * time.Second)}
	if ids := b.ids(); len(ids) > 0 && r.IntN(3) == 0 {
		a.target = ids[r.IntN(len(ids))]
		a.method = []string{http.MethodPatch, http.MethodDelete}[r.IntN(2)]
		// Later than any other end.
		a.end = time.Now().Add(time.Duration(4000+60*b.count) * time.Second)
		return a
	}
	e := clusterEndpoints[r.IntN(len(clusterEndpoints))]
	a.req = api.IntentRequest{Kind: "drain", Scope: api.Scope{Kind: "endpoint", Name: "example.org/" + e.pool + "/" + e.name}, Actor: "test",
		Reason: fmt.Sprintf("order %d", b.count), Override: []string{"never_empty", "keep_azs"}, ForSeconds: time.Until(a.end).Seconds()}
	switch r.IntN(4) {
	case 0:
		a.req.Kind, a.req.State = "force", []string{"up", "down"}[r.IntN(2)]
	case 1:
		w := r.IntN(9)
		a.req.Kind, a.req.Weight = "weight", &w
	}
	return a
}

func (b *orderBook) ids() (ids []string) {
	for id := range b.open {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// send sends an order to a node and notes what came of it; false when no reply came.
func (b *orderBook) send(t *testing.T, n *clusterNode, a *attempt) bool {
	switch a.method {
	case http.MethodPatch:
		a.status = n.call(a.method, api.IntentPath(a.target), api.ExtendRequest{Actor: "test", ForSeconds: time.Until(a.end).Seconds()}, &a.got)
	case http.MethodDelete:
		a.status = n.call(a.method, api.IntentPath(a.target), api.EndRequest{Actor: "test"}, nil)
	default:
		a.status = n.call(a.method, api.IntentsPath, a.req, &a.got)
	}
	if a.status == 0 {
		b.flying = a
		return false
	}
	require.Less(t, a.status, 300, "%s %+v", a.method, a)
	b.apply(a)
	if a.method == http.MethodPost {
		b.acked[n.name] = append(b.acked[n.name], a.req.Reason)
	}
	return true
}

// apply brings an order that was carried out into the book.
func (b *orderBook) apply(a *attempt) {
	switch a.method {
	case http.MethodDelete:
		delete(b.open, a.target)
	case http.MethodPatch:
		b.open[a.target] = a.got
	default:
		for _, id := range b.replacedBy(a) {
			delete(b.open, id)
		}
		b.open[a.got.ID] = a.got
	}
}

// replacedBy are the intents whose place a new one takes.
func (b *orderBook) replacedBy(a *attempt) (ids []string) {
	for _, i := range b.open {
		if a.method == http.MethodPost && a.req.Kind != "drain" && i.Kind == a.req.Kind && i.Scope == a.req.Scope {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

// differs is what a node's intents have that the book does not explain; empty if all is well.
func (b *orderBook) differs(list []api.Intent) string {
	find := func(ok func(api.Intent) bool) *api.Intent {
		if i := slices.IndexFunc(list, ok); i >= 0 {
			return &list[i]
		}
		return nil
	}
	var made *api.Intent
	if a := b.flying; a != nil && a.method == http.MethodPost {
		made = find(func(i api.Intent) bool { return i.Reason == a.req.Reason })
	}
	for id, want := range b.open {
		got := find(func(i api.Intent) bool { return i.ID == id })
		a := b.flying
		ended := a != nil && a.method == http.MethodDelete && a.target == id
		replaced := made != nil && slices.Contains(b.replacedBy(a), id)
		extended := a != nil && a.method == http.MethodPatch && a.target == id
		switch {
		case got == nil && !ended && !replaced:
			return fmt.Sprintf("lost: %+v", want)
		case got == nil:
		case replaced:
			return fmt.Sprintf("half applied: %s is there, and %s, which it replaces", made.ID, id)
		case !sameIntent(got, &want):
			return fmt.Sprintf("%+v became %+v", want, *got)
		case !near(*got.EndsAt, *want.EndsAt) && !(extended && near(*got.EndsAt, a.end)):
			return fmt.Sprintf("%s ends at %s, acknowledged was %s", id, got.EndsAt, want.EndsAt)
		}
	}
	for _, got := range list {
		if _, ok := b.open[got.ID]; ok {
			continue
		}
		if made == nil || made.ID != got.ID {
			return fmt.Sprintf("nobody ordered, or somebody ended: %+v", got)
		}
		req := b.flying.req
		want := api.Intent{Kind: req.Kind, Scope: req.Scope, Weight: req.Weight, Forced: req.State, Actor: req.Actor, Reason: req.Reason, Override: req.Override}
		if !sameIntent(&got, &want) || !near(*got.EndsAt, b.flying.end) {
			return fmt.Sprintf("half applied: %+v of %+v", got, req)
		}
	}
	return ""
}

func near(a, b time.Time) bool { return a.Sub(b).Abs() < endSlack }

// sameIntent compares all that is written once.
func sameIntent(a, b *api.Intent) bool {
	weight := func(i *api.Intent) string {
		if i.Weight == nil {
			return ""
		}
		return fmt.Sprint(*i.Weight)
	}
	return a.Kind == b.Kind && a.Scope == b.Scope && weight(a) == weight(b) && a.Forced == b.Forced && a.Actor == b.Actor && a.Reason == b.Reason &&
		slices.Equal(a.Override, b.Override)
}

// settled resolves the order in flight by what a node has, after the book has explained it.
func (b *orderBook) settled(list []api.Intent) {
	if a := b.flying; a != nil {
		made := slices.IndexFunc(list, func(i api.Intent) bool { return a.method == http.MethodPost && i.Reason == a.req.Reason })
		target := slices.IndexFunc(list, func(i api.Intent) bool { return i.ID == a.target })
		switch {
		case made >= 0:
			a.got = list[made]
			b.apply(a)
		case a.method == http.MethodDelete && target < 0:
			b.apply(a)
		case a.method == http.MethodPatch && target >= 0:
			a.got = list[target]
			b.apply(a)
		}
	}
	b.flying = nil
}

// TestKills kills nodes while drains, weights, forces, extensions and ends are ordered over their API, at random moments and exactly
// between the moment at which an order is on disk and its reply: nothing that was acknowledged is lost, and what was not is there
// as a whole or not at all.
func TestKills(t *testing.T) {
	if inNamespaces(t) {
		return
	}
	c := newCluster(t, 3)
	r := rand.New(rand.NewPCG(7, 8))
	b := &orderBook{open: make(map[string]api.Intent), acked: make(map[string][]string)}
	acked, between, there := 0, 0, 0
	for trial := range trials(10) {
		victim := c.nodes[r.IntN(len(c.nodes))]
		if trial%2 == 0 {
			acked += c.killAtRandom(t, victim, b, r)
		} else {
			acked += c.killBeforeReply(t, victim, b, r)
			between++
		}
		victim.start()
		flying := b.flying
		why := ""
		var list api.Intents
		explained := func() bool {
			if why = c.differ(); why != "" {
				return false
			}
			for _, n := range c.nodes {
				list = api.Intents{}
				if n.call(http.MethodGet, api.IntentsPath, nil, &list) != http.StatusOK {
					return false
				}
				if why = b.differs(list.Intents); why != "" {
					why = n.name + ": " + why
					return false
				}
			}
			return true
		}
		for deadline := time.Now().Add(patience); !explained(); time.Sleep(50 * time.Millisecond) {
			require.True(t, time.Now().Before(deadline), "trial %d, %s killed, in flight %+v: %s", trial, victim.name, flying, why)
		}
		before := len(b.open)
		b.settled(list.Intents)
		if trial%2 == 1 && len(b.open) > before {
			there++
		}
		b.recorded(t, victim)
		c.endMost(t, b)
	}
	t.Logf("%d kills, %d of them between disk and reply (after which the order was there %d times), %d acknowledged orders, none lost, none by half",
		trials(10), between, there, acked)
	require.NotZero(t, acked)
	require.Equal(t, between, there, "what was on disk when the node was killed is there")
}

// killAtRandom kills a node that takes orders, one after the other.
func (c *realCluster) killAtRandom(t *testing.T, victim *clusterNode, b *orderBook, r *rand.Rand) (acked int) {
	delay := time.Duration(r.IntN(400)) * time.Millisecond
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		time.Sleep(delay) // the random moment
		victim.kill()
	}()
	for b.send(t, victim, b.draw(r)) {
		acked++
	}
	<-killed
	return acked
}

// killBeforeReply has the other nodes stand still, so that an order waits for them once it is on the victim's disk, and kills the
// victim then.
func (c *realCluster) killBeforeReply(t *testing.T, victim *clusterNode, b *orderBook, r *rand.Rand) (acked int) {
	for range 3 {
		require.True(t, b.send(t, victim, b.draw(r)))
		acked++
	}
	signal := func(s os.Signal) {
		for _, n := range c.nodes {
			if n != victim {
				require.NoError(t, n.cmd.Process.Signal(s))
			}
		}
	}
	signal(syscall.SIGSTOP)
	defer signal(syscall.SIGCONT)
	for _, n := range c.nodes {
		if n != victim {
			// Returns once every thread of it stands still: until then it may still acknowledge.
			require.NoError(t, unix.Waitid(unix.P_PID, n.cmd.Process.Pid, nil, unix.WSTOPPED, nil))
		}
	}
	path := filepath.Join(victim.dir, "state", "intents.json")
	a := b.draw(r)
	for a.method != http.MethodPost || a.req.Kind != "drain" {
		a = b.draw(r)
	}
	replied := make(chan bool, 1)
	go func() { replied <- b.send(t, victim, a) }()
	await(t, "the order on disk", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && strings.Contains(string(text), fmt.Sprintf("%q", a.req.Reason))
	})
	victim.kill()
	require.False(t, <-replied, "nobody has acknowledged it")
	return acked
}

// recorded: what a node acknowledged is in its audit log, whose chain holds.
func (b *orderBook) recorded(t *testing.T, n *clusterNode) {
	out, code := run(t, n.bin, "audit", "verify", filepath.Join(n.dir, "state"))
	require.Zero(t, code, out)
	var log api.Audit
	require.Equal(t, http.StatusOK, n.call(http.MethodGet, fmt.Sprintf("%s?limit=%d", api.AuditPath, api.MaxAudit), nil, &log))
	done := make(map[string]bool)
	for _, e := range log.Entries {
		done[e.Reason] = done[e.Reason] || e.Outcome == "ok"
	}
	for _, reason := range b.acked[n.name] {
		require.True(t, done[reason], "%s acknowledged %s and has no record of it", n.name, reason)
	}
	b.acked[n.name] = nil
}

// endMost keeps the number of intents small.
func (c *realCluster) endMost(t *testing.T, b *orderBook) {
	for _, id := range b.ids() {
		if len(b.open) <= 6 {
			return
		}
		require.True(t, b.send(t, c.nodes[0], &attempt{method: http.MethodDelete, target: id}))
	}
}
