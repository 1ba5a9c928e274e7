package zonedir

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// TestDirText: what runs can be shown, also when the file on disk is broken or another version by now.
func TestDirText(t *testing.T) {
	for _, tt := range []struct {
		name, state string
		// broken is written over the file that runs.
		broken string
		err    error
	}{
		{name: "kept", state: "state"},
		{name: "kept, and the file is broken", state: "state", broken: "zone: a.example\nwhat: 1\n"},
		{name: "on disk alone"},
		{name: "nowhere", broken: "zone: a.example\nwhat: 1\n", err: ErrNoText},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newTestDir(t)
			if tt.state == "" {
				d.opts.State = ""
			}
			text := dirZone("a.example", "www")
			d.write("a.yaml", text)
			_, _, err := d.Load()
			require.NoError(t, err)
			if tt.broken != "" {
				d.write("a.yaml", tt.broken)
			}
			z := d.Zones()[0]
			got, err := d.Text(z)
			require.ErrorIs(t, err, tt.err)
			if err != nil {
				return
			}
			require.Equal(t, text, string(got.Content))
			require.Equal(t, filepath.Base(z.File), filepath.Base(got.Path))
			again, problems := got.Parse(nil, config.GeoUnknown)
			require.NoError(t, problems.Err())
			require.Equal(t, z.Hash, again.Hash)
		})
	}
}

// TestTextSecret: a private key is told by its digest alone, and the zone can be made again by who has it.
func TestTextSecret(t *testing.T) {
	b := &bundle{Content: []byte("zone: a.example"), Files: map[string][]byte{"k.pem": []byte("-----BEGIN EC PRIVATE KEY-----"), "ca.pem": []byte("x")}}
	got := b.text("a.yaml")
	require.Equal(t, map[string][]byte{"ca.pem": []byte("x")}, got.Files)
	require.Len(t, got.Secret["k.pem"], 64)
	require.NotContains(t, got.Secret["k.pem"], "KEY")
}
