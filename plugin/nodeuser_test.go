package fairlead

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/coredns/caddy"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

func TestAccountOf(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("node.yaml", "user: fairlead:dns\n")
	write("bad.yaml", "user: [root]\n")
	write("imported", "fairlead {\n zones z\n state s\n node "+dir+"/node.yaml\n}\n")
	named := Account{User: config.User{Name: "fairlead", Group: "dns"}, State: "s"}
	for _, c := range []struct {
		name, corefile string
		want           Account
		err            string
	}{
		{"named", "example.org {\n fairlead {\n zones z\n state s\n node " + dir + "/node.yaml\n }\n errors\n}\n", named, ""},
		{"relative to root", "example.org {\n root " + dir + "\n fairlead {\n zones z\n state s\n node node.yaml\n }\n}\n",
			Account{User: named.User, State: filepath.Join(dir, "s")}, ""},
		{"imported", "example.org {\n import " + dir + "/imported\n}\n", named, ""},
		{"no node file", "example.org {\n fairlead {\n zones z\n state s\n }\n}\n", Account{State: "s"}, ""},
		{"not ours", "example.org {\n whoami\n}\n", Account{}, ""},
		{"another block's", "example.net {\n whoami\n}\nexample.org {\n import " + dir + "/imported\n}\n", named, ""},
		{"a broken Corefile", "example.org {\n fairlead {\n", Account{}, "Corefile"},
		{"a broken directive", "example.org {\n fairlead {\n zones z\n }\n}\n", Account{}, "state"},
		{"a broken node file", "example.org {\n fairlead {\n zones z\n state s\n node " + dir + "/bad.yaml\n }\n}\n", Account{}, "bad.yaml:1"},
		{"no such node file", "example.org {\n fairlead {\n zones z\n state s\n node " + dir + "/none.yaml\n }\n}\n", Account{}, "none.yaml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := AccountOf(caddy.CaddyfileInput{Filepath: "Corefile", Contents: []byte(c.corefile), ServerTypeName: "dns"})
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}
