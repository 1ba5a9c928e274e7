package fairlead

import (
	"testing"

	"github.com/coredns/caddy"
	"github.com/stretchr/testify/require"
)

func TestParseDirective(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		err        string // must occur in the error, with the line; empty for none
	}{
		{"least", "fairlead {\nzones z\nstate s\n}", ""},
		{"all", "fairlead {\nzones z\nnode n\nstate s\nfastlane auto\nfallthrough example.org example.net\n}", ""},
		{"fastlane off", "fairlead {\nzones z\nstate s\nfastlane off\n}", ""},
		{"fallthrough for all", "fairlead {\nzones z\nstate s\nfallthrough\n}", ""},
		{"no block", "fairlead", `Testfile:1 - Error during parsing: option "zones" is missing`},
		{"no state", "fairlead {\nzones z\n}", `Testfile:3 - Error during parsing: option "state" is missing`},
		{"argument", "fairlead z", "Testfile:1 - Error during parsing: fairlead takes no arguments"},
		{"twice", "fairlead {\nzones z\nstate s\n}\nfairlead {\nzones z\nstate s\n}", "Testfile:5 - Error during parsing: a second fairlead"},
		{"unknown option", "fairlead {\nzone z\n}", `Testfile:2 - Error during parsing: unknown option "zone"`},
		{"repeated option", "fairlead {\nzones z\nzones y\n}", `Testfile:3 - Error during parsing: option "zones" given twice`},
		{"no path", "fairlead {\nzones\n}", "Testfile:2 - Error during parsing: Wrong argument count"},
		{"two paths", "fairlead {\nzones z y\n}", "Testfile:2 - Error during parsing: Wrong argument count"},
		{"fastlane number", "fairlead {\nfastlane 0\n}", "Testfile:2 - Error during parsing: fastlane 0: want 1 to 1024 sockets"},
		{"fastlane word", "fairlead {\nfastlane fast\n}", `Testfile:2 - Error during parsing: fastlane "fast": want auto, off or a number of sockets`},
		{"fastlane alone", "fairlead {\nfastlane\n}", "Testfile:2 - Error during parsing: Wrong argument count"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := caddy.NewTestController("dns", tt.text)
			c.ServerBlockKeys = []string{"dns://Example.ORG.:53"}
			d, err := parseDirective(c)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []string{"example.org."}, d.origins)
			require.Equal(t, "z", d.zones)
			require.Equal(t, "s", d.state)
		})
	}
}

func TestBlocksAgree(t *testing.T) {
	a := new(attachment)
	require.NoError(t, a.add(&directive{zones: "z", state: "/s", node: "n"}, nil, nil))
	require.NoError(t, a.add(&directive{zones: "y", state: "/x/../s", node: "./n"}, nil, nil), "another way to write the same path")
	require.ErrorContains(t, a.add(&directive{zones: "y", state: "/t", node: "n"}, nil, nil), `state "/t" here and "/s" in another block`)
	require.ErrorContains(t, a.add(&directive{zones: "y", state: "/s"}, nil, nil), `node "" here and "n" in another block`)
}
