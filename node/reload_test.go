package node

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/zonedir"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// TestSourceReload: what an operator asks for happens to one file of one directory.
func TestSourceReload(t *testing.T) {
	root, state := t.TempDir(), t.TempDir()
	one, two := root+"/one", root+"/two"
	writeZone(t, one+"/a.yaml", "a.example", 1)
	writeZone(t, one+"/b.yaml", "b.example", 1)
	writeZone(t, two+"/a.yaml", "c.example", 1)
	dirs := []*zoneDir{{path: one, shown: one}, {path: two, shown: two}}
	dirs, err := (&loader{state: state, logger: quiet}).start(dirs)
	require.NoError(t, err)
	s := newSource(quiet, dirs, nil, nil, nil, nil)
	back := func(file string) (*config.Model, error) {
		return s.change(file, func(d *zonedir.Dir, path string) error {
			return d.Rollback(path, zonedir.Rollback{Actor: "ada", Reason: "INC-1", At: time.Now()})
		})
	}
	_, err = back("mars.yaml")
	require.ErrorIs(t, err, zonedir.ErrNoSuchFile)
	_, err = back("a.yaml")
	require.ErrorContains(t, err, "is one of ["+one+"/a.yaml "+two+"/a.yaml]")
	_, err = back("b.yaml")
	require.ErrorIs(t, err, zonedir.ErrNoVersion)

	writeZone(t, one+"/b.yaml", "b.example", 2)
	first := s.model
	_, settling := s.look(false)
	require.True(t, settling)
	m, settling := s.look(false)
	require.False(t, settling)
	require.NotNil(t, m)
	m, err = back(one + "/b.yaml")
	require.NoError(t, err)
	require.Equal(t, first.Hash, m.Hash)
	shown := s.kept()
	require.Len(t, shown, 3)
	require.Equal(t, []any{"ada", "INC-1"}, []any{shown[1].RolledBack.Actor, shown[1].RolledBack.Reason})
	require.Len(t, shown[1].Kept, 2)
	require.Equal(t, shown[1].Hash, shown[1].Kept[1].Hash, "the older one runs")
	require.Nil(t, shown[0].RolledBack)
	require.Equal(t, []api.KeptVersion{{Hash: shown[0].Hash, KeptAt: shown[0].Kept[0].KeptAt}}, shown[0].Kept)
	m, err = s.change("b.yaml", (*zonedir.Dir).Forward)
	require.NoError(t, err)
	require.NotEqual(t, first.Hash, m.Hash)
}
