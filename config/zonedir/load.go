package zonedir

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
)

// loadAhead is how many files are read and parsed at the same time as others, at the most, before they are judged in their order: enough to
// keep all processors busy, and few enough that their contents are not all in memory.
const loadAhead = 64

// Load reads the directory for the first time. A broken file for which a last good version was kept runs that version:
// its errors are returned as warnings, with one more that says so. Any other error among the problems means that a file
// yields no zone. Load fails when the directory cannot be read.
func (d *Dir) Load() ([]*config.Zone, config.Problems, error) {
	d.keeping = &keeping{files: make(map[string]*dirFile)}
	defer func() { d.keeping = nil }()
	var others []loaded
	if _, err := d.visit(func(files []*dirFile, root *os.Root) {
		others = d.loadAll(files, root)
	}); err != nil {
		return nil, nil, err
	}
	for _, o := range others {
		d.judge(o.file, o.read)
	}
	if d.keeping.commit(d) || len(others) > 0 {
		d.publish()
	}
	var problems config.Problems
	for _, f := range d.files {
		for _, p := range f.problems {
			if (f.lastGood || f.rolledBack != nil) && p.Severity == config.Error {
				p.Severity = config.Warning
			}
			problems = append(problems, p)
		}
	}
	return d.Zones(), problems, nil
}

// loaded is a file that was read and not judged yet.
type loaded struct {
	file *dirFile
	read *reading
}

// loadAll reads and judges the files, but for those of which another file ran the zone before: these are returned, to be judged after it.
func (d *Dir) loadAll(files []*dirFile, root *os.Root) (others []loaded) {
	byPath := d.servedFiles(files)
	for begin := 0; begin < len(files); begin += loadAhead {
		chunk := files[begin:min(begin+loadAhead, len(files))]
		for i, r := range d.readAll(chunk, root) {
			f := chunk[i]
			if r.zone != nil && byPath != nil {
				if other := byPath[d.opts.Served[r.zone.Name]]; other != nil && other != f {
					others = append(others, loaded{f, r})
					continue
				}
			}
			d.judge(f, r)
		}
	}
	return others
}

// servedFiles are the files by their absolute paths, nil where nothing is known of what ran before.
func (d *Dir) servedFiles(files []*dirFile) map[string]*dirFile {
	if len(d.opts.Served) == 0 {
		return nil
	}
	dir := absolute(d.path)
	byPath := make(map[string]*dirFile, len(files))
	for _, f := range files {
		byPath[filepath.Join(dir, f.name)] = f
	}
	return byPath
}

// readAll reads and parses files, and the copies of them that are kept, by as many goroutines as there are processors.
func (d *Dir) readAll(files []*dirFile, root *os.Root) []*reading {
	out := make([]*reading, len(files))
	var work sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		work.Go(func() {
			for i := range next {
				f := files[i]
				out[i] = newGlance(root, f.name, d.opts.Geo).parse(f.path, d.opts.Now())
				f.remembered = &remembered{loadKept(d.opts.State, f.name), loadPin(d.opts.State, f.name)}
			}
		})
	}
	for i := range files {
		next <- i
	}
	close(next)
	work.Wait()
	return out
}

// remembered is what the state directory has of a file, for as long as the file is being judged: the kept copy, and a rollback.
type remembered struct {
	kept *bundle
	pin  *pin
}

// recall is what the state directory has of f.
func (d *Dir) recall(f *dirFile) *remembered {
	if f.remembered == nil {
		f.remembered = &remembered{loadKept(d.opts.State, f.name), loadPin(d.opts.State, f.name)}
	}
	return f.remembered
}

// keeping are last good copies that are written and not in place yet.
type keeping struct {
	batch durable.Batch
	// files are those that the copies are of, by the paths of the copies.
	files map[string]*dirFile
}

// keep keeps b, which is of f, at path: at once, or with the others at the end of Load.
func (d *Dir) keep(f *dirFile, b *bundle, path string) error {
	if d.keeping == nil || d.recall(f).pin != nil {
		// The end of a rollback has an order.
		return b.keep(path, durable.Write)
	}
	d.keeping.files[path] = f
	return b.keep(path, func(path string, content func(io.Writer) error) error { return d.keeping.batch.Write(path, content) })
}

// commit puts the copies in place; news tells whether one of them failed, which is a problem of its file.
func (k *keeping) commit(d *Dir) (news bool) {
	k.batch.Commit(func(path string, err error) {
		d.notKept(k.files[path], err)
		news = true
	})
	return news
}
