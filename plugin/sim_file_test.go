package fairlead

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// A simFile is a version of the zone file as bounds are tried with: every way in which an operator takes something out of it.
type simFile struct {
	// endpoints are those of both pools: name, address and weight; an empty name is one that is removed.
	endpoints [4]simEntry
	// hold is that of api, and ttl is ttl.max, in seconds; lastResort is on_all_down.
	hold, ttl  int
	lastResort string
	// back has the standby answer before the first tier, mail and safe are there at all.
	back, mail, safe bool
}

type simEntry struct {
	name, address string
	weight        int
}

func newSimFile() simFile {
	return simFile{
		endpoints: [4]simEntry{{"a", "192.0.2.1", 1}, {"b", "192.0.2.2", 1}, {"a", "192.0.2.11", 1}, {"b", "192.0.2.12", 1}},
		hold:      10, ttl: 30, lastResort: "last_good", mail: true, safe: true,
	}
}

// simQuestions are all owner names of a simFile with all types that carry something.
var simQuestions = []simQuestion{
	{"www.example.org.", dns.TypeA}, {"www.example.org.", dns.TypeHTTPS}, {"api.example.org.", dns.TypeA}, {"safe.example.org.", dns.TypeA},
	{"www.eu.example.org.", dns.TypeA}, {"www.us.example.org.", dns.TypeA}, {"_mail._tcp.example.org.", dns.TypeSRV}, {"_mail._tcp.example.org.", dns.TypeA},
	{"a.eu.example.org.", dns.TypeA}, {"b.eu.example.org.", dns.TypeA}, {"a.us.example.org.", dns.TypeA}, {"b.us.example.org.", dns.TypeA},
	{"x.cells.example.org.", dns.TypeA}, {"mixed.example.org.", dns.TypeA}, {"any.wild.example.org.", dns.TypeA},
}

// text is the file.
func (f *simFile) text() string {
	pool := func(of []simEntry, az string) string {
		var list []string
		for i, e := range of {
			if e.name != "" {
				list = append(list, fmt.Sprintf("{name: %s, addresses: [%s], az: %s-%c, weight: %d}", e.name, e.address, az, 'a'+i, e.weight))
			}
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	api := "[{eu: 1}, {us: 1}]"
	if f.back {
		api = "[{us: 1}, {eu: 1}]"
	}
	ttl := fmt.Sprintf("ttl: {max: %ds, min: 2s}, on_all_down: %s", f.ttl, f.lastResort)
	out := fmt.Sprintf(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a, us-b]}}
checks: {ready: {type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 2}}
pools:
  eu: {region: eu, check: ready, endpoints: %s}
  us: {region: us, check: ready, endpoints: %s}
  sorry: {region: us, endpoints: [{name: page, target: sorry.example.net, az: us-a}]}
services:
  www: {tiers: [{eu: 1, us: 1}], also: [region], https: {alpn: [h2]}, failback: {hold: 5s}, %[3]s}
  api: {tiers: %[4]s, failback: {hold: %[6]ds}, ttl: {mode: horizon}, on_all_down: %[5]s}
  cells: {tiers: [{eu: 1, us: 1}], cells: {shards: 4, home: {eu: 0-1, us: 2-3}, failover: {eu: [us], us: [eu]}}, %[3]s}
  mixed: {tiers: [{eu: 1}, {sorry: 1}], failback: {hold: 5s}, %[3]s}
  "*.wild": {tiers: [{us: 1}], answers: all, health: {panic_below: 60%%}, %[3]s}
`, pool(f.endpoints[:2], "eu"), pool(f.endpoints[2:], "us"), ttl, api, f.lastResort, f.hold)
	if f.safe {
		out += "  safe: {tiers: [{eu: 1, us: 1}], failback: {hold: 5s}, safety: {keep_regions: 1}}\n"
	}
	if f.mail {
		out += "  _mail._tcp: {srv: {port: 25}, tiers: [{eu: 1, us: 1}], failback: {hold: 5s}, " + ttl + "}\n"
	}
	return out
}

// model is the file as a node takes it up.
func (f *simFile) model(s *sim) *config.Model {
	z, problems := config.Parse("zone.yaml", []byte(f.text()), config.ParseOptions{})
	require.NoError(s.t, problems.Err(), f.text())
	return config.NewModel([]*config.Zone{z})
}

// edited is f with one thing changed.
func (f *simFile) edited(r *rand.Rand) simFile {
	next := *f
	e := &next.endpoints[r.IntN(4)]
	switch r.IntN(11) {
	case 0: // removed, unless the pool would be empty
		if i := r.IntN(2); next.endpoints[2*i].name != "" && next.endpoints[2*i+1].name != "" {
			next.endpoints[2*i+r.IntN(2)].name = ""
		}
	case 1: // renamed
		if e.name != "" {
			e.name = "r" + e.name
		}
	case 2: // readdressed
		e.address = fmt.Sprintf("192.0.2.%d", 20+r.IntN(8))
	case 3: // reserve, or not
		e.weight = 1 - e.weight
	case 4, 5: // longer or shorter TTLs
		next.ttl = []int{5, 10, 20, 30, 60}[r.IntN(5)]
	case 6: // tiers
		next.back = !next.back
	case 7:
		next.mail = !next.mail
	case 8:
		next.safe = !next.safe
	case 9:
		next.lastResort = []string{"last_good", "all", "nodata", "[192.0.2.99]"}[r.IntN(4)]
	default: // rolled back
		next = newSimFile()
	}
	for i := range next.endpoints {
		for k := range i {
			if next.endpoints[i].address == next.endpoints[k].address {
				return *f
			}
		}
	}
	return next
}

// A filer edits the file of a cluster, node by node.
type filer struct {
	*wreck
	file simFile
	// backups are copies of disks, by node; damaged is a node that came back with less than it had, until all have been heard again.
	backups map[*simNode]string
}

func newFiler(w *wreck) *filer {
	return &filer{wreck: w, file: newSimFile(), backups: make(map[*simNode]string)}
}

// spread lays the present file on the nodes, most of them soon.
func (f *filer) spread() {
	m := f.file.model(f.sim)
	for _, n := range f.nodes {
		if f.r.IntN(10) > 0 {
			n.file = m
			if n.runs {
				n.engine.SetModel(m)
			}
		}
		if f.r.IntN(3) == 0 {
			f.wait(time.Duration(f.r.IntN(6)) * time.Second)
		}
	}
}

// step does one thing to a file or a disk, or leaves it to the wreck.
func (f *filer) step() {
	switch f.r.IntN(8) {
	case 0, 1, 2:
		f.file = f.file.edited(f.r)
		f.spread()
	case 3:
		f.restore()
	case 4: // a backup is taken
		if n := f.any(func(n *simNode) bool { return n.runs && n != f.full }); n != nil {
			f.backup(n)
		}
	default:
		f.wreck.step()
	}
}

func (f *filer) backup(n *simNode) {
	to := n.dir + ".backup"
	require.NoError(f.t, os.RemoveAll(to))
	require.NoError(f.t, os.CopyFS(to, os.DirFS(n.dir)))
	require.NoError(f.t, os.Chmod(to+"/gossip.keys", 0o600))
	f.backups[n] = to
}

// restore kills a node and starts it with an older copy of its disk, while the others have what was on it.
func (f *filer) restore() {
	n := f.any(func(n *simNode) bool { return f.backups[n] != "" && n.answers() && n != f.full })
	if n == nil || !f.joinedAll() || f.calmFor() < knownWithin {
		return
	}
	f.down(n, n.kill)
	require.NoError(f.t, os.RemoveAll(n.dir))
	require.NoError(f.t, os.Rename(f.backups[n], n.dir))
	delete(f.backups, n)
	f.wait(time.Duration(f.r.IntN(3)) * time.Second)
	f.up(n)
}
