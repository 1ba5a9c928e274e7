package zonedir

import (
	"crypto/sha256"
	"os"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A file whose stat does not change is not read again, provided that it was settled when it was read: a write in the
// same tick of the file system's clock leaves mtime as it was. restSettle is far above every tick in use (FAT: 2 s).
// restPolls bounds the trust in stat: a tool that keeps size, mtime and inode (rsync --inplace -t) is seen after that many
// polls, half a minute.
const (
	restSettle = 2 * time.Second
	restPolls  = 15
)

// A reading is one look at a zone file and at what it names, judged by Parse.
type reading struct {
	bundle
	// digest covers the content of all files, and the errors of those that cannot be read.
	digest config.Hash
	// stamps has an entry for each file that was asked for; a zero one stands for an error.
	stamps map[string]fileStamp
	at     time.Time

	zone     *config.Zone
	problems config.Problems
}

// A glance reads files at most once; it is one poll of one zone file.
type glance struct {
	root *os.Root
	name string
	geo  config.GeoDatabase
	got  map[string]glanced
}

type glanced struct {
	content []byte
	stamp   fileStamp
	err     error
}

func newGlance(root *os.Root, name string, geo config.GeoDatabase) *glance {
	return &glance{root: root, name: name, geo: geo, got: make(map[string]glanced)}
}

func (g *glance) read(name string) glanced {
	if r, ok := g.got[name]; ok {
		return r
	}
	var r glanced
	r.content, r.stamp, r.err = readRegular(g.root, name)
	g.got[name] = r
	return r
}

// digest is over the zone file and the files called names.
func (g *glance) digest(names []string) config.Hash {
	f := emptySum()
	for _, name := range append([]string{g.name}, names...) {
		r := g.read(name)
		if r.err != nil {
			f.Add("error "+name, []byte(r.err.Error()))
			continue
		}
		f.Add("file "+name, r.content)
	}
	return f.Hash()
}

// parse makes a reading. path is the zone file's, for messages.
func (g *glance) parse(path string, now time.Time) *reading {
	r := &reading{at: now, stamps: make(map[string]fileStamp)}
	r.Name, r.Path, r.Files = g.name, path, make(map[string][]byte)
	main := g.read(g.name)
	r.Content, r.stamps[g.name] = main.content, main.stamp
	if main.err != nil {
		r.problems = config.Problems{{File: path, Message: "cannot be read: " + main.err.Error()}}
	} else {
		r.zone, r.problems = config.Parse(path, main.content, config.ParseOptions{Geo: g.geo, Now: now, ReadFile: func(name string) ([]byte, error) {
			f := g.read(name)
			r.stamps[name] = f.stamp
			if f.err == nil {
				r.Files[name] = f.content
			}
			return f.content, f.err
		}})
	}
	r.digest = g.digest(r.names())
	return r
}

// names are the files that the zone file names, sorted.
func (r *reading) names() []string {
	var names []string
	for name := range r.stamps {
		if name != r.Name {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// rests tells whether stat says that nothing changed since r.
func (r *reading) rests(root *os.Root) bool {
	for name, was := range r.stamps {
		is, err := statRegular(root, name)
		if err != nil || !is.equal(was) || r.at.Sub(was.mtime) < restSettle {
			return false
		}
	}
	return true
}

// refresh takes the stamps of files whose content is still that of r.
func (r *reading) refresh(g *glance, now time.Time) {
	for name := range r.stamps {
		r.stamps[name] = g.read(name).stamp
	}
	r.at = now
}

// release drops what is only needed until the reading was judged: the content is on disk, and kept as last good.
func (r *reading) release() { r.Content, r.Files, r.zone = nil, nil, nil }

// atZone is an error about the zone's name, at the key `zone` where that stands in a line of its own.
func (r *reading) atZone(msg, help string) config.Problem {
	return config.AtZone(r.Path, r.Content, msg, help)
}

// same tells whether two bundles hold the same octets.
func (b *bundle) same(c *bundle) bool {
	if b == nil || c == nil || len(b.Files) != len(c.Files) || sha256.Sum256(b.Content) != sha256.Sum256(c.Content) {
		return false
	}
	for name, content := range b.Files {
		other, ok := c.Files[name]
		if !ok || string(other) != string(content) {
			return false
		}
	}
	return true
}
