package discover

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

const zoneText = `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [eu-a, eu-b]}}
pools:
  web:
    region: eu
    settle: 5m
    from:
      - {cluster: eu-1, service: shop/web, az: eu-a}
services: {www: {tiers: [{web: 1}]}}
`

func zone(t *testing.T, text string) *config.Zone {
	t.Helper()
	z, problems := config.Parse("z.yaml", []byte(text), config.ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	return z
}

// A cluster is one at an instant of its own, and what has been decided of it.
type cluster struct {
	t     *testing.T
	now   time.Time
	set   *Set
	wants []Want
	// up are the endpoints that are up, others how many endpoints each pool has elsewhere.
	up     map[string]bool
	others int
	anyUp  bool
	kinds  []string
}

func newCluster(t *testing.T, text string) *cluster {
	return &cluster{t: t, now: time.Now(), set: &Set{Cluster: "eu-1"}, wants: Wants([]*config.Zone{zone(t, text)}, "eu-1"), up: make(map[string]bool)}
}

// says has the cluster say of the first part what objects are there; nil for not known.
func (c *cluster) says(accept bool, known bool, objects ...Object) []string {
	g := Ground{Now: c.now, Accept: accept, Up: func(_ Key, name string) bool { return c.up[name] }, Others: func(string, string) int { return c.others },
		Judged: func(_ Key, name string) bool { _, is := c.up[name]; return is }, AnyUp: func(string, string) bool { return c.anyUp }}
	var notes []Note
	c.set, notes = c.set.Decide(g, c.wants, []Seen{{Key: c.wants[0].Key, Known: known, Objects: objects}})
	c.kinds = nil
	for _, n := range notes {
		c.kinds = append(c.kinds, n.Kind)
	}
	var out []string
	for _, p := range c.set.Parts {
		for _, e := range p.Entries {
			out = append(out, e.RData())
		}
	}
	return out
}

func object(name string, addresses ...string) Object {
	o := Object{Name: name}
	for _, a := range addresses {
		o.Addresses = append(o.Addresses, Address{IP: netip.MustParseAddr(a)})
	}
	return o
}

// TestFailureTable is that of kubernetes.md, as far as one set decides it.
func TestFailureTable(t *testing.T) {
	c := newCluster(t, zoneText)
	assert.Empty(t, c.says(false, false))
	assert.Equal(t, []string{"192.0.2.1"}, c.says(false, true, object("shop/web", "192.0.2.1")))
	assert.Equal(t, []string{"192.0.2.1"}, c.says(false, false), "what is not known takes nothing away")

	// The status is emptied: kept for ever, and said once.
	assert.Equal(t, []string{"192.0.2.1"}, c.says(false, true, object("shop/web")))
	assert.Equal(t, []string{"discovery.kept"}, c.kinds)
	c.now = c.now.Add(24 * time.Hour)
	before := c.set
	assert.Equal(t, []string{"192.0.2.1"}, c.says(false, true, object("shop/web")))
	assert.Same(t, before, c.set)

	// Another address joins at once; the old one leaves when it is up.
	assert.Equal(t, []string{"192.0.2.1", "192.0.2.2"}, c.says(false, true, object("shop/web", "192.0.2.2")))
	assert.Equal(t, []string{"192.0.2.1", "192.0.2.2"}, c.says(false, true, object("shop/web", "192.0.2.2")))
	c.up["eu-1.192-0-2-2"] = true
	assert.Equal(t, []string{"192.0.2.2"}, c.says(false, true, object("shop/web", "192.0.2.2")))
	// One that never comes up takes its place after `settle`.
	assert.Equal(t, []string{"192.0.2.2", "192.0.2.3"}, c.says(false, true, object("shop/web", "192.0.2.3")))
	c.now = c.now.Add(5*time.Minute - time.Second)
	assert.Len(t, c.says(false, true, object("shop/web", "192.0.2.3")), 2)
	c.now = c.now.Add(time.Second)
	assert.Equal(t, []string{"192.0.2.3"}, c.says(false, true, object("shop/web", "192.0.2.3")))

	// The object is deleted: the pool's last endpoint stays until somebody lets go.
	assert.Equal(t, []string{"192.0.2.3"}, c.says(false, true))
	assert.Equal(t, []string{"discovery.held"}, c.kinds)
	assert.Empty(t, c.says(true, true))
	assert.Equal(t, []string{"discovery.left"}, c.kinds)
	// With an endpoint elsewhere it leaves at once.
	c.others = 1
	assert.Len(t, c.says(false, true, object("shop/web", "192.0.2.4")), 1)
	assert.Empty(t, c.says(false, true))
}

// TestReturn: what was about to leave stays when its object says it again.
func TestReturn(t *testing.T) {
	c := newCluster(t, zoneText)
	c.says(false, true, object("shop/web", "192.0.2.1"))
	c.says(false, true, object("shop/web", "192.0.2.2"))
	c.up["eu-1.192-0-2-2"], c.up["eu-1.192-0-2-1"] = false, true
	assert.Equal(t, []string{"192.0.2.1"}, c.says(false, true, object("shop/web", "192.0.2.1")), "the other one leaves: 192.0.2.1 is up")
	assert.Equal(t, Named, c.set.Parts[0].Entries[0].State)
	// Deleted and made again under another name: the address never left.
	c.says(false, true)
	assert.True(t, c.set.Parts[0].Entries[0].Held)
	c.says(false, true, object("shop/web2", "192.0.2.1"))
	e := c.set.Parts[0].Entries[0]
	assert.Equal(t, "shop/web2", e.Object)
	assert.False(t, e.Held)
}

// TestProbedFirst: while something of the pool is up, a new address is answered once probes have said what it is.
func TestProbedFirst(t *testing.T) {
	c := newCluster(t, zoneText)
	weight := func() int {
		members, _ := Members(zone(t, zoneText), map[string]*Set{"eu-1": c.set})
		return members[0][len(members[0])-1].Weight
	}
	c.says(false, true, object("shop/web", "192.0.2.1"))
	assert.Equal(t, 1, weight(), "it is the only one")
	assert.False(t, c.set.Waits())
	c.anyUp = true
	c.says(false, true, object("shop/web", "192.0.2.1", "192.0.2.2"))
	assert.Zero(t, weight())
	assert.True(t, c.set.Waits())
	c.up["eu-1.192-0-2-2"] = false
	c.says(false, true, object("shop/web", "192.0.2.1", "192.0.2.2"))
	assert.Equal(t, 1, weight(), "whether it is answered is for health to say now")
}

// TestShrinkGuard: a fifth of a large set may leave, a namespace that is deleted object by object may not.
func TestShrinkGuard(t *testing.T) {
	c := newCluster(t, zoneText)
	c.others = 1
	var all []Object
	for i := range 50 {
		all = append(all, object(fmt.Sprintf("shop/web-%d", i), fmt.Sprintf("192.0.2.%d", i+1)))
	}
	c.says(false, true, all...)
	c.now = c.now.Add(guardWindow)
	assert.Len(t, c.says(false, true, all[10:]...), 40)
	for i := 11; i <= 50; i++ {
		c.now = c.now.Add(time.Second)
		c.says(false, true, all[i:]...)
	}
	assert.Len(t, c.set.Parts[0].Entries, 35, "15 of 50 is 30 %%")
	c.now = c.now.Add(guardWindow)
	assert.Len(t, c.says(false, true), 35, "what is too much at once does not become less by waiting")
	assert.Empty(t, c.says(true, true))

	// Pods that take the places of others are no loss.
	c.set = &Set{Cluster: "eu-1"}
	var old, next []string
	for i := range 30 {
		old, next = append(old, fmt.Sprintf("192.0.2.%d", i+1)), append(next, fmt.Sprintf("198.51.100.%d", i+1))
		c.up[fmt.Sprintf("eu-1.198-51-100-%d", i+1)] = true
	}
	c.says(false, true, object("shop/web", old...))
	c.now = c.now.Add(guardWindow)
	assert.Equal(t, next, c.says(false, true, object("shop/web", next...)))
}

// TestWeights: how many endpoints are ready is taken up with pauses.
func TestWeights(t *testing.T) {
	c := newCluster(t, zoneText)
	ready := func(n int) int {
		c.says(false, true, Object{Name: "shop/web", Addresses: []Address{{IP: netip.MustParseAddr("192.0.2.1"), Ready: n}}})
		return c.set.Parts[0].Entries[0].Ready
	}
	assert.Equal(t, 3, ready(3))
	assert.Equal(t, 3, ready(2))
	c.now = c.now.Add(weighEvery)
	assert.Equal(t, 2, ready(2))
	assert.Equal(t, 2, ready(4))
}

// TestSelectorEdited: the endpoints of the old selector stay until the new one has been read.
func TestSelectorEdited(t *testing.T) {
	c := newCluster(t, zoneText)
	c.says(false, true, object("shop/web", "192.0.2.1"))
	edited := zone(t, `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [eu-a, eu-b]}}
pools: {web: {region: eu, from: [{cluster: eu-1, ingress: shop/web, az: eu-b}]}}
services: {www: {tiers: [{web: 1}]}}
`)
	c.wants = Wants([]*config.Zone{edited}, "eu-1")
	assert.Equal(t, []string{"192.0.2.1"}, c.says(false, false))
	members, problems := Members(edited, map[string]*Set{"eu-1": c.set})
	assert.Empty(t, problems)
	require.Len(t, members[0], 1)
	assert.Equal(t, 1, members[0][0].AZ)
	assert.Equal(t, []string{"192.0.2.1"}, c.says(false, true), "it names nothing: a slip")
	members, _ = Members(edited, map[string]*Set{"eu-1": c.set})
	assert.Len(t, members[0], 1)
	assert.Equal(t, []string{"192.0.2.7"}, c.says(false, true, object("shop/web", "192.0.2.7")))
	c.wants = nil
	g := Ground{Now: c.now}
	next, _ := c.set.Decide(g, nil, nil)
	assert.Empty(t, next.Parts, "a pool that takes nothing any more has nothing")
}

func TestMembers(t *testing.T) {
	z := zone(t, `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a]}}
pools:
  web: {region: eu, from: [{cluster: [eu-1, eu-2], service: shop/web, weight: ready, max: 2}]}
  six: {region: us, from: [{cluster: eu-1, service: shop/web, family: ipv6, weight: 9}]}
services: {www: {tiers: [{web: 1}, {six: 1}]}}
`)
	entries := []Entry{
		{Address: Address{IP: netip.MustParseAddr("192.0.2.1"), AZ: "eu-b", Ready: 4}, Object: "shop/web", Probed: true},
		{Address: Address{IP: netip.MustParseAddr("192.0.2.2"), AZ: "eu-z"}, Object: "shop/web", Probed: true},
		{Address: Address{IP: netip.MustParseAddr("192.0.2.3"), Port: 30080}, Object: "shop/web", Probed: true},
		{Address: Address{IP: netip.MustParseAddr("2001:db8::"), AZ: "us-a"}, Object: "shop/web", Probed: true},
		{Address: Address{Host: "lb.example.net."}, Object: "shop/web"},
	}
	set := func(name, az string) *Set {
		s := &Set{Cluster: name, AZ: az}
		for _, w := range Wants([]*config.Zone{z}, name) {
			s.Parts = append(s.Parts, Part{Key: w.Key, Entries: entries})
		}
		return s
	}
	members, problems := Members(z, map[string]*Set{"eu-1": set("eu-1", "eu-a"), "eu-2": set("eu-2", "")})
	assert.Equal(t, []config.Member{
		{Name: "eu-1.192-0-2-1", Cluster: "eu-1", Addr: netip.MustParseAddr("192.0.2.1"), AZ: 1, Weight: 4},
		{Name: "eu-1.192-0-2-3", Cluster: "eu-1", Addr: netip.MustParseAddr("192.0.2.3"), AZ: 0, Weight: 1, Port: 30080},
		{Name: "eu-2.192-0-2-1", Cluster: "eu-2", Addr: netip.MustParseAddr("192.0.2.1"), AZ: 1, Weight: 4},
	}, members[0])
	assert.Equal(t, []config.Member{{Name: "eu-1.2001-db8--0", Cluster: "eu-1", Addr: netip.MustParseAddr("2001:db8::"), AZ: 2, Weight: 9}}, members[1])
	text := fmt.Sprint(problems)
	assert.Contains(t, text, "web: 192.0.2.2 of shop/web in eu-1: the zone file has no AZ eu-z in region eu")
	assert.Contains(t, text, "web: service shop/web in eu-1 has more than 2 endpoints")
	assert.Contains(t, text, "web: 192.0.2.3 of shop/web in eu-2: the cluster does not say its AZ, and region eu has several: `az` is missing")
}

func TestLoad(t *testing.T) {
	state := t.TempDir()
	sets, err := Load(state)
	require.NoError(t, err)
	assert.Empty(t, sets)
	c := newCluster(t, zoneText)
	c.says(false, true, object("shop/web", "192.0.2.1"))
	require.NoError(t, Prepare(state))
	require.NoError(t, c.set.Save(state))
	other := *c.set
	other.Cluster = "eu-2"
	require.NoError(t, other.Save(state))
	sets, err = Load(state)
	require.NoError(t, err)
	require.Len(t, sets, 2)
	next, notes := sets["eu-1"].Decide(Ground{Now: c.now, Others: func(string, string) int { return 0 }}, c.wants, nil)
	assert.Same(t, sets["eu-1"], next, "a start without an API changes nothing")
	assert.Empty(t, notes)
}
