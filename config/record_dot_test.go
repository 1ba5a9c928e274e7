package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A name in record data that lacks its final dot is said: every other key takes such a name as absolute.
func TestRelativeData(t *testing.T) {
	for data, warns := range map[string]bool{
		"{name: old, type: CNAME, data: www.example.net}":                true,
		"{name: old, type: CNAME, data: www.example.net.}":               false,
		"{name: old, type: CNAME, data: www}":                            false,
		"{name: old, type: MX, data: [10 mx.example.net, 20 mx]}":        true,
		"{name: old, type: SRV, data: 1 1 25 mx.example.net.}":           false,
		"{name: old, type: TXT, data: \"v=spf1 include:a.example.net\"}": false,
	} {
		z, problems := Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]\nrecords: ["+data+"]\n"), ParseOptions{})
		require.NoError(t, problems.Err(), data)
		require.NotNil(t, z)
		if warns {
			require.Contains(t, problems.String(), ":3:", data)
			require.Contains(t, problems.String(), "without a final dot this name is ", data)
		} else {
			require.NotContains(t, problems.String(), "final dot", data)
		}
	}
}
