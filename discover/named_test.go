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

const namedZone = `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [eu-a, eu-b]}}
pools:
  web:
    region: eu
    settle: 5m
    endpoints:
      - {name: lb, host: LB.example.net, az: eu-b, weight: 3, probe: {port: 8443}}
      - {name: own, addresses: [192.0.2.99], az: eu-a}
      - {name: six, host: six.example.net, az: eu-a, family: ipv6}
services: {www: {tiers: [{web: 1}]}}
`

// named is the first host name of namedZone, at instants of its own.
type named struct {
	*testing.T
	want NameWant
	set  *Set
	now  time.Time
	up   map[string]bool
}

func newNamed(t *testing.T, endpoint int) *named {
	w := NameWants([]*config.Zone{zone(t, namedZone)})
	require.Len(t, w, 2)
	return &named{T: t, want: w[endpoint], set: &Set{Cluster: w[endpoint].Name}, now: time.Now(), up: make(map[string]bool)}
}

// says has resolvers say a after d.
func (n *named) says(d time.Duration, a Answer) (out []string) {
	n.now = n.now.Add(d)
	up := func(_ Key, name string) bool { return n.up[name] }
	g := Ground{Now: n.now, Up: up, Judged: up, AnyUp: func(string, string) bool { return len(n.up) > 0 }}
	n.set, _ = n.want.Decide(n.set, g, a)
	for _, p := range n.set.Parts {
		for _, e := range p.Entries {
			text := e.RData()
			if !e.Probed {
				text += "?"
			}
			out = append(out, text+string(e.State))
		}
	}
	return out
}

func has(texts ...string) (a Answer) {
	a.Known = true
	for _, t := range texts {
		a.Addresses = append(a.Addresses, Address{IP: netip.MustParseAddr(t)})
	}
	return a
}

// TestNamed: what a host name has now, what it had, and how long that stays.
func TestNamed(t *testing.T) {
	n := newNamed(t, 0)
	require.Empty(t, n.says(0, Answer{}), "nothing is known")
	require.Equal(t, []string{"192.0.2.1", "2001:db8::1"}, n.says(0, has("192.0.2.1", "2001:db8::1")), "nothing else is up: nothing to wait for")
	n.up["lb.192-0-2-1"], n.up["lb.2001-db8--1"] = true, true
	require.Equal(t, []string{"192.0.2.1", "2001:db8::1"}, n.says(time.Hour, Answer{}), "what is not known takes nothing away")
	require.Equal(t, []string{"192.0.2.1"}, n.says(time.Second, has("192.0.2.1")), "another one is up")
	require.Equal(t, []string{"192.0.2.1replaced", "192.0.2.2?"}, n.says(time.Second, has("192.0.2.2")), "until the new one has been probed")
	n.up["lb.192-0-2-2"] = true
	require.Equal(t, []string{"192.0.2.2"}, n.says(time.Second, has("192.0.2.2")))

	var many, few []string
	for i := range 30 {
		many = append(many, fmt.Sprintf("192.0.2.%d", 100+i))
		n.up[fmt.Sprintf("lb.192-0-2-%d", 100+i)] = true
	}
	require.Len(t, n.says(time.Second, has(many...)), 30)
	few = many[:2]
	require.Equal(t, few, n.says(time.Hour, has(few...)), "no guard: the name says which addresses it has")

	denied := has(few...)
	denied.Denied, denied.Since = true, n.now
	require.Equal(t, []string{few[0] + "kept", few[1] + "kept"}, n.says(0, denied))
	require.Len(t, n.says(DeniedKept-time.Second, denied), 2)
	require.Empty(t, n.says(time.Second, denied), "the last ones too")
}

// TestNamedFamily: the addresses of the other family are none.
func TestNamedFamily(t *testing.T) {
	require.Equal(t, []string{"2001:db8::1"}, newNamed(t, 1).says(0, has("192.0.2.1", "2001:db8::1")))
}

// TestNameMembers: each address is an endpoint of its own, over a restart too.
func TestNameMembers(t *testing.T) {
	n := newNamed(t, 0)
	n.says(0, has("192.0.2.1", "192.0.2.99"))
	names := Names{n.want.NameKey: n.set}
	state := t.TempDir()
	require.NoError(t, names.Save(state))
	names, err := LoadNames(state)
	require.NoError(t, err)
	z := zone(t, namedZone)
	out := z.With(NameMembers(z, names))
	require.Equal(t, z.Hash, out.Hash, "nodes with the same file serve the same, whatever each is told")
	require.NotEqual(t, z.Resolved, out.Resolved)
	require.Len(t, out.Pools[0].Endpoints, 2, "an address of the file stands in it once")
	e := out.Pools[0].Endpoints[1]
	assert.Equal(t, &config.Endpoint{Name: "lb.192-0-2-1", Of: "lb", V4: netip.MustParseAddr("192.0.2.1"), ProbeAddr: netip.MustParseAddr("192.0.2.1"), AZ: 1, Weight: 3, ProbePort: 8443}, e)
	require.NoError(t, Names{}.Save(state))
	names, err = LoadNames(state)
	require.NoError(t, err)
	require.Empty(t, names)
	require.Same(t, z, z.With(NameMembers(z, names)))
}
