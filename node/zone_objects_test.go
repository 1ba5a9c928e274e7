package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/zonedir"
	"github.com/fairlead-dns/fairlead/discover/kube"
)

const zoneSpec = `{"zone":"example.org","nameservers":["ns1.example.net"],"regions":{"eu":{"azs":["eu-a"]}},"pools":{"web":{"region":"eu",
	"endpoints":[{"name":"a","addresses":["192.0.2.1"],"az":"eu-a"}]}},"services":{"www":{"tiers":[{"web":%s}]}}}`

// A zoneSite is a directory with the objects that are written into it.
type zoneSite struct {
	*zoneObjects
	t     *testing.T
	dir   *zonedir.Dir
	now   time.Time
	items []kube.Zone
	fails error
}

func newZoneSite(t *testing.T) *zoneSite {
	s := &zoneSite{t: t, now: time.Now()}
	path := t.TempDir()
	s.dir = zonedir.Open(path, zonedir.Options{})
	_, _, err := s.dir.Load()
	require.NoError(t, err)
	s.zoneObjects = &zoneObjects{node: "n1", cluster: "eu-1", want: &config.KubeZones{Directory: path}, logger: quiet, files: s.dir.Files,
		said: make(map[string]string), told: make(map[string]time.Time),
		zones: func() ([]kube.Zone, bool, error) { return s.items, s.items != nil, nil },
		accept: func(_ context.Context, z *kube.Zone, c kube.Condition, _ time.Time) error {
			if s.fails == nil {
				z.Accepted = c
			}
			return s.fails
		}}
	return s
}

// passes has the objects compared and the files looked at, until nothing moves.
func (s *zoneSite) passes() {
	s.t.Helper()
	for range 4 {
		s.look(s.t.Context(), s.now)
		_, err := s.dir.Poll()
		require.NoError(s.t, err)
		s.now = s.now.Add(zoneTold)
	}
}

func (s *zoneSite) put(spec string) {
	z := kube.Zone{Namespace: "dns", Name: "web", Generation: 1, Spec: json.RawMessage(spec)}
	if len(s.items) > 0 {
		z.Generation, z.Accepted = s.items[0].Generation+1, s.items[0].Accepted
	}
	s.items = []kube.Zone{z}
}

// TestZoneObjects: an object is a file, its problems are its condition, and of a bad version the last good one runs on.
func TestZoneObjects(t *testing.T) {
	s := newZoneSite(t)
	s.passes()
	assert.Empty(t, s.dir.Files(), "nothing is known")
	good := func(weight string) string { return fmt.Sprintf(zoneSpec, weight) }
	s.put(good("1"))
	s.passes()
	require.Len(t, s.dir.Zones(), 1)
	assert.Equal(t, kube.Condition{Status: "True", Reason: "Accepted", ObservedGeneration: 1, Message: "n1 answers it"}, s.items[0].Accepted)

	s.put(good(`-1`))
	s.passes()
	require.Len(t, s.dir.Zones(), 1)
	c := s.items[0].Accepted
	assert.Equal(t, "False Refused", c.Status+" "+c.Reason)
	assert.EqualValues(t, 2, c.ObservedGeneration)
	assert.Contains(t, c.Message, "n1: ")
	assert.Contains(t, c.Message, "services.www.tiers")
	assert.Contains(t, c.Message, "an earlier version is answered")

	// What could not be written is written later.
	s.put(good("2"))
	s.fails = errors.New("403")
	s.passes()
	assert.EqualValues(t, 2, s.items[0].Accepted.ObservedGeneration)
	s.fails = nil
	s.passes()
	assert.Equal(t, "True", s.items[0].Accepted.Status)

	// A file that somebody else wrote is neither written over nor taken away; that of an object that is gone is, and its zone runs on.
	other := filepath.Join(s.want.Directory, "dns.other.yaml")
	require.NoError(t, os.WriteFile(other, []byte("zone: example.com\n"), 0o600))
	s.items = append(s.items, kube.Zone{Namespace: "dns", Name: "other", Generation: 1, Spec: json.RawMessage(`{}`)})
	s.passes()
	assert.Equal(t, "False", s.items[1].Accepted.Status)
	assert.Contains(t, s.items[1].Accepted.Message, "not written over")
	s.items = []kube.Zone{}
	s.passes()
	assert.NoFileExists(t, filepath.Join(s.want.Directory, "dns.web.yaml"))
	assert.FileExists(t, other)
	assert.Len(t, s.dir.Zones(), 1)
}

// TestSupersedes: nodes that see an object differently do not write without end: a refusal stays until its own node takes it back.
func TestSupersedes(t *testing.T) {
	yes := func(node string) kube.Condition {
		return kube.Condition{Status: "True", Reason: "Accepted", Message: node + " answers it", ObservedGeneration: 3}
	}
	no := func(node string) kube.Condition {
		return kube.Condition{Status: "False", Reason: "Refused", Message: node + ": no geo database", ObservedGeneration: 3}
	}
	for _, tt := range []struct {
		name     string
		was, say kube.Condition
		want     bool
	}{
		{"the first word", kube.Condition{}, yes("n1"), true},
		{"the same word", yes("n1"), yes("n1"), false},
		{"another node's acceptance", yes("n2"), yes("n1"), false},
		{"a refusal", yes("n2"), no("n1"), true},
		{"another node's refusal", no("n2"), yes("n1"), false},
		{"two refusals", no("n2"), no("n1"), false},
		{"its own refusal is over", no("n1"), yes("n1"), true},
		{"a node with a longer name", no("n10"), yes("n1"), false},
	} {
		assert.Equal(t, tt.want, supersedes("n1", &tt.was, &tt.say, 3), tt.name)
	}
	was, say := no("n2"), yes("n1")
	assert.True(t, supersedes("n1", &was, &say, 4), "another generation")
}
