package gossip

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestValidate(t *testing.T) {
	c := &cluster{name: "test", roster: []Member{testMember(0, testAddress(0)), testMember(1, testAddress(1))}}
	clear := func(o *Options) { o.Keyring = Keyring{} }
	for _, test := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"as it is", func(*Options) {}, ""},
		{"no key", clear, "no key: gossip in clear needs insecure"},
		{"no key on loopback without insecure", func(o *Options) { clear(o); o.Bind = "127.0.0.1:7946" }, "needs insecure"},
		{"insecure beyond loopback", func(o *Options) { clear(o); o.Insecure = true }, "insecure is for loopback"},
		{"insecure on all addresses", func(o *Options) { clear(o); o.Insecure = true; o.Bind = "0.0.0.0:7946" }, "insecure is for loopback"},
		{"insecure on loopback", func(o *Options) { clear(o); o.Insecure = true; o.Bind = "127.0.0.1:7946" }, ""},
		{"insecure on loopback, IPv6", func(o *Options) { clear(o); o.Insecure = true; o.Bind = "[::1]:7946" }, ""},
		{"no primary", func(o *Options) { o.Keyring = Keyring{Others: [][]byte{testRing("x")}} }, "no primary key"},
		{"key of 15", func(o *Options) { o.Keyring.Primary = make([]byte, 15) }, "key 1 of 15 octets"},
		{"other key of 33", func(o *Options) { o.Keyring.Others = [][]byte{make([]byte, 16), make([]byte, 33)} }, "key 3 of 33 octets"},
		{"no cluster", func(o *Options) { o.Cluster = "" }, "1 to 63 octets"},
		{"long cluster", func(o *Options) { o.Cluster = strings.Repeat("x", 64) }, "1 to 63 octets"},
		{"longest cluster", func(o *Options) { o.Cluster = strings.Repeat("x", 63) }, ""},
		{"blank", func(o *Options) { o.Cluster = "a b" }, "cannot be in a name"},
		{"incarnation", func(o *Options) { o.Incarnation = 0 }, "starts at 1"},
		{"signing key", func(o *Options) { o.SigningKey = nil }, "signing key of 0 octets"},
		{"another's signing key", func(o *Options) { o.SigningKey = testKey("n2") }, "not that of the signing key"},
		{"not in the roster", func(o *Options) { o.Node = "n3" }, `node "n3", which is this one, is not in it`},
		{"twice", func(o *Options) { o.Roster = append(o.Roster[:2:2], o.Roster[1]) }, "stands twice"},
		{"one key for two", func(o *Options) {
			m := testMember(2, testAddress(2))
			m.PublicKey = o.Roster[1].PublicKey
			o.Roster = append(o.Roster[:2:2], m)
		}, `node "n3": has the public key of node "n2"`},
		{"short public key", func(o *Options) {
			o.Roster = append(o.Roster[:2:2], Member{"n3", "192.0.2.3:1", ed25519.PublicKey{1}})
		}, "public key of 1 octets"},
		{"address without port", func(o *Options) {
			m := testMember(2, testAddress(2))
			m.Address = "192.0.2.3"
			o.Roster = append(o.Roster[:2:2], m)
		}, "want host:port"},
		{"bind", func(o *Options) { o.Bind = "localhost:7946" }, "want address:port"},
		{"advertise", func(o *Options) { o.Advertise = "0.0.0.0:7946" }, "want address:port"},
		{"seed", func(o *Options) { o.Seeds = []string{"gossip.example.org:0"} }, "want 1 to 65535"},
		{"handler", func(o *Options) { o.Handlers = map[string]Handler{"": nil} }, "handler"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := c.options(0, testAddress(0), 1)
			test.change(&o)
			_, err := New(o)
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.want)
			}
		})
	}
	o := c.options(0, testAddress(0), 0)
	o.Cluster, o.Keyring.Primary = "", nil
	_, err := New(o)
	for _, want := range []string{"cluster", "incarnation", "keyring"} {
		require.ErrorContains(t, err, want, "all at once")
	}
}

func TestPublishLimits(t *testing.T) {
	c := &cluster{name: "test", roster: []Member{testMember(0, testAddress(0))}}
	p, err := New(c.options(0, testAddress(0), 1))
	require.NoError(t, err)
	require.NoError(t, p.Publish(map[string][]byte{strings.Repeat("k", MaxKey): make([]byte, MaxState-MaxKey)}))
	require.ErrorContains(t, p.Publish(map[string][]byte{strings.Repeat("k", MaxKey+1): nil}), "1 to 24")
	require.ErrorContains(t, p.Publish(map[string][]byte{"": nil}), "1 to 24")
	require.ErrorContains(t, p.Publish(map[string][]byte{"k": make([]byte, MaxState)}), "at most")
}

func TestIncarnation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incarnation")
	for want := uint64(1); want < 4; want++ {
		got, err := NextIncarnation(path)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got, err := RaiseIncarnation(path, 100)
	require.NoError(t, err)
	require.Equal(t, uint64(101), got)
	got, err = RaiseIncarnation(path, 5)
	require.NoError(t, err)
	require.Equal(t, uint64(102), got)
	for _, bad := range []string{"", "x", "-1", "1\n2\n", "99999999999999999999"} {
		require.NoError(t, os.WriteFile(path, []byte(bad), 0o600))
		_, err = NextIncarnation(path)
		require.ErrorContains(t, err, "not a number", bad)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, bad, string(b), "it is left for somebody to look at")
	}
	_, err = NextIncarnation(filepath.Join(path, "below"))
	require.Error(t, err)
}
