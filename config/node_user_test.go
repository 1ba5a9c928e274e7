package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNodeUser(t *testing.T) {
	long := strings.Repeat("u", 32)
	for text, want := range map[string]User{
		"fairlead": {Name: "fairlead"}, "65532": {Name: "65532"}, "fairlead:dns": {Name: "fairlead", Group: "dns"},
		"65532:0": {Name: "65532", Group: "0"}, "a.b-c_1": {Name: "a.b-c_1"}, long + ":" + long: {Name: long, Group: long},
	} {
		n, problems := ParseNode("node.yaml", []byte("user: \""+text+"\"\n"))
		require.NoError(t, problems.Err(), text)
		require.Equal(t, want, n.User, text)
	}
	for _, text := range []string{":", "fairlead:", ":dns", "a b", "-r", "a:b:c", long + "u", "../root", "root\\n"} {
		_, problems := ParseNode("node.yaml", []byte("user: \""+text+"\"\n"))
		require.ErrorContains(t, problems.Err(), "user: want USER or USER:GROUP", text)
	}
	require.Equal(t, User{}, DefaultNode().User)
}
