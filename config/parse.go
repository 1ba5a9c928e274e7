package config

import (
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// ParseOptions are the outside world of Parse.
type ParseOptions struct {
	// ReadFile reads a file that the zone file names: relative to the zone file's directory, with forward slashes, already
	// cleaned, never leading out of it. Nil means that there are no such files. It must keep to MaxFileBytes.
	ReadFile func(name string) ([]byte, error)
	// Geo says whether the node that the zone is for has a geo database.
	Geo GeoDatabase
	// Now is when the file is read: measurements that are dated ahead of it do not count yet (Latency). Zero counts all of them.
	Now time.Time
}

// sharedShape is zoneShape for those that only read it: to make it takes as long as to parse a small file.
var sharedShape = sync.OnceValue(zoneShape)

// sharedCheckNames are the keys of a check.
var sharedCheckNames = sync.OnceValue(func() []string { return checkShape().keyNames() })

// Parse reads one zone file. file is its path for messages. It returns all problems at once, sorted by place; with an
// error among them the zone is nil. The zone holds nothing of content or of the parse tree.
//
// Same content, same named files, same Now: same problems, same zone, same Hash.
func Parse(file string, content []byte, opts ParseOptions) (*Zone, Problems) {
	r := newReport(file, content)
	root := r.parseTree(content)
	if root == nil {
		return nil, r.finish()
	}
	r.walk(root, sharedShape(), nil)
	b := &builder{
		report: r, root: root, files: newFiles(content, opts.ReadFile), geo: opts.Geo, now: opts.Now,
		latencies: make(map[latencyKey]*Latency), cellMaps: make(map[cellMapKey]map[string]int),
	}
	zone := b.build(file)
	problems := r.finish()
	if problems.HasErrors() {
		return nil, problems
	}
	return zone, problems
}

// A builder turns a tree into a Zone. It says what the shape cannot: references, sums, contradictions.
type builder struct {
	*report
	root  *yamlNode
	files *files
	zone  *Zone
	geo   GeoDatabase
	now   time.Time
	// geoWarned is set once it has been said that a database is needed.
	geoWarned bool

	// Where the named things stand in the zone, by name.
	regions, azs, checks, pools map[string]int
	// checkNodes are the values of checks, serviceNodes the keys of services, by index. fenceKeys are the keys `fence` of
	// pools; nil where there is none.
	checkNodes, serviceNodes, fenceKeys []*yamlNode
	// needing is what services need, to be looked up once all are known.
	needing []needing
	owners  owners
	// recordAt says where the RRsets stand in the zone.
	recordAt map[recordKey]int
	// imported is what an imported zone file says of the apex.
	imported importedApex
	// includes are the files of the imported zone file; nil without one.
	includes *includes
	// serverNodes say where the name servers of the apex stand.
	serverNodes []serverNode
	// addressIn says in which pool an address stood first.
	addressIn map[netip.Addr]string
	// checkNames are the known keys of checks.
	checkNames []string
	// targetNodes are the targets of endpoints that lie in the zone.
	targetNodes []targetNode
	// latencies and cellMaps are what files say that services share.
	latencies map[latencyKey]*Latency
	cellMaps  map[cellMapKey]map[string]int
}

func (b *builder) build(file string) *Zone {
	b.zone = &Zone{File: file, AllowShrink: boolOf(field(b.root, "allow_shrink"))}
	// With a name that is no name, everything else is checked below a stand-in.
	b.zone.Name = "invalid."
	if n := stringOf(field(b.root, "zone")); zoneName(n) == nil {
		b.zone.Name, _ = parseName(n, ".")
	}
	b.buildRegions()
	b.buildChecks()
	b.buildPools()
	b.buildServices()
	b.owners = make(owners)
	b.claimServices()
	b.buildNameServers()
	b.buildRecords()
	b.completeNameServers()
	b.checkOwners()
	b.checkBarriers()
	b.checkStatic()
	b.checkLoops()
	b.checkTargets()
	b.buildDNSSEC()
	b.buildAbuse()
	b.buildTransfer()
	b.noteAmplified()
	b.zone.FileHash = b.files.Hash()
	b.zone.Hash = b.zone.FileHash
	b.buildSOA()
	b.warnKeys()
	b.finishImport()
	return b.zone
}

// done lets go of what stands below n, once its value is built: in a big file the tree is larger than the zone.
func (b *builder) done(n *yamlNode) {
	if !b.aliased {
		n.Content = nil
	}
}

// errorf is an error at n.
func (b *builder) errorf(n *yamlNode, at *yamlPath, help, format string, args ...any) {
	b.node(n, Error, at.String(), fmt.Sprintf(format, args...), help)
}

// names lists the keys of a section in the order of the file, for suggestions.
func names(section *yamlNode) []string {
	var out []string
	for k := range entries(section) {
		out = append(out, k.Value)
	}
	return out
}

// refer looks up n's value among known; kind is what it should be. It reports what is unknown, once, and returns -1.
func (b *builder) refer(n *yamlNode, at *yamlPath, kind string, known map[string]int) int {
	name := stringOf(n)
	if name == "" {
		return -1
	}
	if i, ok := known[name]; ok {
		return i
	}
	if len(b.problems) > maxProblems {
		// Nobody sees it, and the list of names is long.
		b.errorf(n, at, "", "unknown %s %q", kind, shorten(name))
		return -1
	}
	section := map[string]string{"pool": "pools", "check": "checks", "region": "regions"}[kind]
	list := names(field(b.root, section))
	if kind == "AZ" {
		for _, az := range b.zone.AZs {
			list = append(list, az.Name)
		}
	}
	b.errorf(n, at, didYouMean(name, list, ""), "unknown %s %q", kind, shorten(name))
	return -1
}
