package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keyText is a public key in base64, another one for each n.
func keyText(n byte) string {
	return base64.StdEncoding.EncodeToString(append([]byte{n}, make([]byte, ed25519.PublicKeySize-1)...))
}

// clusterText is a node file of three nodes, with lines replaced or added.
func clusterText(replace ...string) string {
	text := `name: n1
cluster:
  name: test
  nodes:
    - {name: n2, address: "192.0.2.2:7946", public_key: "` + keyText(2) + `", region: us, az: us-a}
    - {name: n1, address: "192.0.2.1:7946", public_key: "` + keyText(1) + `", region: eu, az: eu-a}
    - {name: n3, address: "n3.example.org:7946", public_key: "` + keyText(3) + `"}
  gossip:
    listen: "0.0.0.0:7946"
    identity: id.key
    keyring: keys
`
	return strings.NewReplacer(replace...).Replace(text)
}

func TestCluster(t *testing.T) {
	n, problems := ParseNode("node.yaml", []byte(clusterText()+"    profile: wan\n    seeds: [\"seed.example.org:7946\"]\n  isolate_after: 10m\n"))
	require.NotNil(t, n, "%s", problems)
	require.Empty(t, problems)
	c := n.Cluster
	assert.Equal(t, []string{"n1", "n2", "n3"}, []string{c.Nodes[0].Name, c.Nodes[1].Name, c.Nodes[2].Name})
	assert.Equal(t, []string{"eu", "eu-a"}, []string{n.Region, n.AZ}, "from the roster")
	assert.Equal(t, "192.0.2.1:7946", c.Gossip.Advertise, "nobody can send to 0.0.0.0")
	assert.Equal(t, 2*time.Second, c.Allowance())
	assert.Equal(t, 10*time.Minute, c.IsolateAfter)
	assert.Equal(t, byte(1), c.Nodes[0].PublicKey[0])
	assert.Zero(t, (*Cluster)(nil).Allowance())
}

func TestClusterRejects(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"not one of them", clusterText("name: n1\ncluster", "name: n9\ncluster"), `:5:5: error: cluster.nodes: this node, "n9", is not among the nodes`},
		{"twice", clusterText("name: n3,", "name: n2,"), `:7:14: error: cluster.nodes[2].name: the node "n2" stands at line 5 already`},
		{"one key", clusterText(keyText(3), keyText(2)), `error: cluster.nodes[2].public_key: node "n2" has this key already`},
		{"short key", clusterText(keyText(3), "AAAA"), `error: cluster.nodes[2].public_key: want 32 octets in base64, got "AAAA"`},
		{"no port", clusterText("192.0.2.2:7946", "192.0.2.2"), `error: cluster.nodes[0].address: want host:port, as in 192.0.2.1:7946, got "192.0.2.2"`},
		{"AZ alone", clusterText("region: us, ", ""), `error: cluster.nodes[0].az: an AZ without a region`},
		{"another region", clusterText("name: n1\ncluster", "name: n1\nregion: asia\ncluster"), `error: cluster.nodes: the region of node "n1" is "eu" here, and "asia" at the top of the file`},
		{"listen to a name", clusterText("0.0.0.0:7946", "n1.example.org:7946"), `error: cluster.gossip.listen: want an address with a port`},
		{"no keys", clusterText("    keyring: keys\n", ""), `error: cluster.gossip.keyring: required`},
		{"no identity", clusterText("    identity: id.key\n", ""), `error: cluster.gossip: the key "identity" is missing`},
		{"in clear", clusterText("keyring: keys", "insecure: true"), `error: cluster.gossip.insecure: 0.0.0.0 is not a loopback address: gossip beyond it is encrypted`},
		{"in clear, with keys", clusterText("keyring: keys", "keyring: keys\n    insecure: true"), `error: cluster.gossip.insecure: in clear, and a keyring`},
		{"nowhere to send", clusterText("192.0.2.1:7946", "n1.example.org:7946"), `error: cluster.gossip.advertise: required: the other nodes cannot send to 0.0.0.0`},
		{"a long name", clusterText("name: test", "name: "+strings.Repeat("x", 64)), `error: cluster.name: a name has 1 to 63 octets, got 64`},
		{"too short", clusterText() + "  isolate_after: 9s\n", `error: cluster.isolate_after: 9s is out of range, want 10s to 1d`},
		{"profile", clusterText() + "    profile: man\n", `error: cluster.gossip.profile:`},
		{"no nodes", clusterText("  nodes:", "  node:"), `error: cluster.node: unknown key "node"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, problems := ParseNode("node.yaml", []byte(tt.text))
			require.Nil(t, n)
			require.Contains(t, problems.String(), tt.want)
		})
	}
	two := clusterText(`    - {name: n3, address: "n3.example.org:7946", public_key: "`+keyText(3)+"\"}\n", "") + "  isolate_after: 1m\n"
	n, problems := ParseNode("node.yaml", []byte(two))
	require.NotNil(t, n, "%s", problems)
	require.Contains(t, problems.String(), "warning: cluster.isolate_after: with 2 nodes all stop answering when they lose each other")
}

func TestIdentityFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "id")
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	require.NoError(t, WriteIdentity(path, key))
	got, err := ReadIdentity(path)
	require.NoError(t, err)
	require.True(t, key.Equal(got))
	require.ErrorIs(t, WriteIdentity(path, key), os.ErrExist, "an identity is not overwritten")
	require.NoError(t, os.Chmod(path, 0o644))
	_, err = ReadIdentity(path)
	require.ErrorIs(t, err, ErrKeyFile)
	require.ErrorContains(t, err, "mode 0644 lets everybody at it")
	for name, text := range map[string]string{"empty": "", "no PEM": "secret", "other PEM": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		bad := filepath.Join(t.TempDir(), "bad")
		require.NoError(t, os.WriteFile(bad, []byte(text), 0o600))
		_, err := ReadIdentity(bad)
		require.ErrorIs(t, err, ErrKeyFile, name)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestKeyringFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	one, two := make([]byte, 32), append(make([]byte, 15), 1)
	require.NoError(t, WriteKeyring(path, [][]byte{one, two}))
	keys, err := ReadKeyring(path)
	require.NoError(t, err)
	require.Equal(t, [][]byte{one, two}, keys)
	text := base64.StdEncoding.EncodeToString(one)
	for want, content := range map[string]string{
		"0 keys, want 1 to 16":              "# none\n\n",
		":2: this key stands there already": text + "\n" + text + "\n",
		":1: a key of 3 octets":             "AAAA\n",
		":3: not base64":                    "# secret\n\nsecret!\n",
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := ReadKeyring(path)
		require.ErrorIs(t, err, ErrKeyFile)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret!")
	}
	many := ""
	for i := range 17 {
		many += base64.StdEncoding.EncodeToString(append(make([]byte, 15), byte(i))) + "\n"
	}
	require.NoError(t, os.WriteFile(path, []byte(many), 0o600))
	_, err = ReadKeyring(path)
	require.ErrorContains(t, err, fmt.Sprintf("%d keys", 17))
}
