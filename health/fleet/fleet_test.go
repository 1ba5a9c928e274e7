package fleet

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOpen: what was signed by one of the keys, for this question, and nothing else.
func TestOpen(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	other, stranger, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	s := &Summary{Cluster: "b", Node: "b1", Nonce: "00ff", Service: "www.example.org.", State: Degraded, BoundSeconds: 45}
	encode := func(key ed25519.PrivateKey, s *Summary) []byte {
		signed, err := s.Sign(key)
		require.NoError(t, err)
		b, err := json.Marshal(signed)
		require.NoError(t, err)
		return b
	}
	reply := encode(private, s)
	got, err := Open(reply, []ed25519.PublicKey{other, public}, "00ff", s.Service)
	require.NoError(t, err)
	require.Equal(t, s, got)

	for name, tt := range map[string]struct {
		reply          []byte
		keys           []ed25519.PublicKey
		nonce, service string
		want           string
	}{
		"another key":     {encode(stranger, s), []ed25519.PublicKey{public}, "00ff", s.Service, "signed by none"},
		"no key":          {reply, nil, "00ff", s.Service, "signed by none"},
		"a replay":        {reply, []ed25519.PublicKey{public}, "00fe", s.Service, "another question"},
		"another service": {reply, []ed25519.PublicKey{public}, "00ff", "api.example.org.", "another question"},
		"changed":         {[]byte(strings.Replace(string(reply), `"payload":"ey`, `"payload":"eX`, 1)), []ed25519.PublicKey{public}, "00ff", s.Service, "signed by none"},
		"no JSON":         {[]byte("<html>"), []ed25519.PublicKey{public}, "00ff", s.Service, "no signed summary"},
		"too long":        {make([]byte, MaxSigned+1), []ed25519.PublicKey{public}, "00ff", s.Service, "more than"},
		"a new state":     {encode(private, &Summary{Nonce: "00ff", Service: s.Service, State: "fine"}), []ed25519.PublicKey{public}, "00ff", s.Service, "not known here"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(tt.reply, tt.keys, tt.nonce, tt.service)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// FuzzOpen: whatever comes, there is no panic, and nothing is believed without a key.
func FuzzOpen(f *testing.F) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(f, err)
	signed, err := (&Summary{Nonce: "00", Service: "www.example.org.", State: Up}).Sign(private)
	require.NoError(f, err)
	b, err := json.Marshal(signed)
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, reply []byte) {
		_, _ = Open(reply, []ed25519.PublicKey{public}, "00", "www.example.org.")
		if _, err := Open(reply, nil, "00", "www.example.org."); err == nil {
			t.Fatal("believed")
		}
	})
}
