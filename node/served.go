package node

import (
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
)

const (
	// servedName is the file in the state directory that says from which file each zone is served.
	servedName    = "served.json"
	servedVersion = 1
)

// A servings remembers over restarts from which file each zone was served: of two files for one zone that one goes on. It is owned
// by the source. The zero value, and nil, remember nothing.
type servings struct {
	path string
	// files are absolute paths by name of the zone.
	files map[string]string
}

// servedFile is what is on disk.
type servedFile struct {
	Version int               `json:"version"`
	Zones   map[string]string `json:"zones"`
}

// loadServed reads what a state directory remembers. A file that is damaged costs no more than that.
func loadServed(state string, logger *slog.Logger) *servings {
	s := &servings{path: filepath.Join(state, servedName)}
	var f servedFile
	if err := durable.ReadJSON(s.path, servedVersion, &f); err != nil && !errors.Is(err, fs.ErrNotExist) {
		logger.Error("which file each zone was served from is forgotten: of two files for one zone the first is taken", "file", s.path, "err", err)
	}
	s.files = f.Zones
	return s
}

// is tells whether z is of the file from which its zone was served.
func (s *servings) is(z *config.Zone) bool {
	return s != nil && s.files[z.Name] == absolute(z.File)
}

// keep remembers m.
func (s *servings) keep(m *config.Model) error {
	if s == nil || s.path == "" {
		return nil
	}
	files := make(map[string]string, len(m.Zones))
	for _, z := range m.Zones {
		files[z.Name] = absolute(z.File)
	}
	if maps.Equal(files, s.files) {
		return nil
	}
	s.files = files
	return durable.WriteJSON(s.path, servedFile{Version: servedVersion, Zones: files})
}
