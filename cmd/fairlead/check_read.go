package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/zonedir"
)

// parseNode reads the node file at path; nil without a path, or if it is broken.
func parseNode(path string) (*config.Node, config.Problems) {
	if path == "" {
		return nil, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, config.Problems{{File: path, Message: "cannot be read: " + plainPathError(err)}}
	}
	return config.ParseNode(path, content)
}

// readZones reads the zone files at paths, for a node with or without a geo database. A file that is named twice, itself or
// by its directory, is read once.
func readZones(paths []string, geo config.GeoDatabase) ([]*config.Zone, config.Problems) {
	var zones []*config.Zone
	var problems config.Problems
	seen := map[string]string{}
	for _, path := range paths {
		found, ps := readPath(path, geo)
		problems = append(problems, ps...)
		for _, z := range found {
			first, ok := seen[z.Name]
			switch {
			case !ok:
				seen[z.Name] = z.File
				zones = append(zones, z)
			case !sameFile(first, z.File):
				problems = append(problems, config.Problem{File: z.File, Path: "zone",
					Message: "the zone " + terminal.Display(z.Name) + " is in " + first + " too", Help: "a zone has one file"})
			}
		}
	}
	return zones, append(problems, config.Nested(zones)...)
}

// readPath reads one zone file, or the zone files of a directory as a node would that has no state.
func readPath(path string, geo config.GeoDatabase) ([]*config.Zone, config.Problems) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, config.Problems{{File: path, Message: "cannot be read: " + plainPathError(err)}}
	}
	if !info.IsDir() {
		z, problems := zonedir.ParseFile(path, geo)
		if z == nil {
			return nil, problems
		}
		return []*config.Zone{z}, problems
	}
	d := zonedir.Open(path, zonedir.Options{Geo: geo})
	zones, problems, err := d.Load()
	if err != nil {
		return nil, config.Problems{{File: path, Message: plainPathError(err)}}
	}
	if len(d.Files()) == 0 {
		problems = append(problems, config.Problem{File: path, Message: "no zone file in this directory",
			Help: "zone files are named *.yaml; those that begin with a dot are ignored"})
	}
	return zones, problems
}

// plainPathError leaves out the operation and the path, which the message has already.
func plainPathError(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

func sameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}
