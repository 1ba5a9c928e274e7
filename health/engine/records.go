package engine

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

const (
	recordsName    = "records.json"
	recordsVersion = 1
	// maxGone bounds the records that are remembered.
	maxGone = 10_000
	// keepWithin is for how long a configuration waits until its static records are on disk: nothing can withhold their answers.
	keepWithin = 2 * time.Second
)

// A GoneRecord is a static record that a file had and has no more, or has with a shorter TTL, with an address or a name that endpoints have.
type GoneRecord struct {
	config.Carrier
	Zone string
	// Node is the node that answered it, where that is another one; then nothing but RData and Until is known of it.
	Node string
	// Until is when the last honest cache has forgotten it: nobody stamps such answers, so the TTL counts from the swap on.
	Until time.Time
}

// String is the record in words.
func (g GoneRecord) String() string {
	if g.Node != "" {
		return "of node " + g.Node
	}
	return g.Carrier.String()
}

// shownGone are the records that are gone, as of some instant: this node's, and what the others said of theirs.
type shownGone struct {
	own    []GoneRecord
	others map[string]map[round.MemoryKey]time.Time
}

// savedRecords is the content of records.json. Records are those that may be answered: of the configuration in force, and of one that is
// about to take its place.
type savedRecords struct {
	Version int           `json:"version"`
	Records []savedRecord `json:"records"`
	Gone    []savedGone   `json:"gone"`
}

type savedRecord struct {
	Zone  string `json:"zone"`
	Name  string `json:"name"`
	Type  uint16 `json:"type"`
	RData string `json:"rdata"`
	TTL   uint32 `json:"ttl"`
}

func (r savedRecord) carrier() config.Carrier {
	return config.Carrier{Name: r.Name, Type: r.Type, RData: r.RData, TTL: r.TTL}
}

// savedGone is a record with what was left of the time for which caches may hold it.
type savedGone struct {
	savedRecord
	LeftSeconds float64 `json:"left_seconds"`
}

// records are the static records that carry what endpoints have, for as long as caches may hold them. Owned by Run's goroutine.
type records struct {
	// writer is nil without a state directory.
	writer *durable.File[savedRecords]
	// gone are those of earlier configurations, whatever their TTL.
	gone map[config.Carrier]GoneRecord
}

// sharedRecords are the static records of zones that carry what an endpoint of the zones in of has.
func sharedRecords(zones, of []*config.Zone) (list []savedRecord) {
	for _, c := range config.SharedCarriers(zones, of) {
		list = append(list, savedRecord{c.Zone, c.Name, c.Type, c.RData, c.TTL})
	}
	return list
}

// openRecords reads what earlier processes may have answered, and has what this one answers on disk before it answers.
func (e *Engine) openRecords(now time.Time) {
	e.cur.standing = sharedRecords(e.cur.Model.Zones, e.cur.Model.Zones)
	r := &e.records
	if e.opts.State == "" {
		return
	}
	r.writer = durable.NewFile[savedRecords](filepath.Join(e.opts.State, recordsName), recordsVersion, 0)
	saved, err := r.writer.Load()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.state.Damage(recordsName, "which static records were removed lately is forgotten: caches may hold them for their TTL", err)
	}
	for _, g := range saved.Gone {
		// For how long the node was away is not known for certain.
		r.add(GoneRecord{g.carrier(), g.Zone, "", now.Add(time.Duration(g.LeftSeconds * float64(time.Second)))})
	}
	e.dropRecords(saved.Records, now)
	e.showGone(now)
	if err := r.writer.Write(r.content(e.cur.standing, now)); err != nil {
		e.tellUnkept(err)
	}
}

func (e *Engine) tellUnkept(err error) {
	e.opts.Logger.Error("static records not kept: a restart forgets which were removed", "file", recordsName, "err", err)
}

// keepRecords has the records that are answered, and those of the configuration that comes, on disk before that is in force.
func (e *Engine) keepRecords(now time.Time) func(coming []savedRecord) {
	if e.records.writer == nil {
		return func([]savedRecord) {}
	}
	content := e.records.content(e.cur.standing, now)
	return func(coming []savedRecord) {
		kept := make(chan error, 1)
		content.Records = append(content.Records, coming...)
		e.records.writer.Save(content, func(err error) { kept <- err })
		late := time.NewTimer(keepWithin)
		defer late.Stop()
		select {
		case err := <-kept:
			if err != nil {
				e.tellUnkept(err)
			}
		case <-late.C:
			e.tellUnkept(errors.New("the disk is late"))
		case <-e.running.Done():
		}
	}
}

// takeRecords brings the records in line with the configuration that was taken up; gone are those that no file has any more.
func (e *Engine) takeRecords(old *config.Model, now time.Time) (gone []GoneRecord) {
	is := e.cur.Model.Zones
	dropped := e.dropRecords(sharedRecords(config.Replaced(old.Zones, is), slices.Concat(old.Zones, is)), now)
	e.showGone(now)
	e.saveRecords(now)
	return e.unheld(dropped)
}

// mindRecords forgets what every cache has forgotten, on disk too.
func (e *Engine) mindRecords(now time.Time) {
	if n := len(e.records.gone); n > 0 {
		if e.showGone(now); len(e.records.gone) < n {
			e.saveRecords(now)
		}
	}
}

func (e *Engine) saveRecords(now time.Time) {
	if w := e.records.writer; w != nil {
		w.Save(e.records.content(e.cur.standing, now), func(err error) {
			if err != nil {
				e.tellUnkept(err)
			}
		})
	}
}

// dropRecords notes those of the records, which may have been answered until now, that are not in force, or with a shorter TTL.
func (e *Engine) dropRecords(was []savedRecord, now time.Time) (dropped []GoneRecord) {
	if len(was) == 0 {
		return nil
	}
	ttl := make(map[config.Carrier]uint32)
	for _, z := range e.cur.Model.Zones {
		z.Carriers(func(c config.Carrier) { ttl[c.Whatever()] = max(ttl[c.Whatever()], c.TTL) })
	}
	for _, r := range was {
		c := r.carrier()
		if is, stands := ttl[c.Whatever()]; stands && is >= c.TTL {
			continue
		}
		g := GoneRecord{c, r.Zone, "", now.Add(ledger.Slow(time.Duration(c.TTL)*time.Second) + e.opts.Transit)}
		e.records.add(g)
		dropped = append(dropped, g)
	}
	return dropped
}

// unheld are those of the records that no file has, whatever their TTL.
func (e *Engine) unheld(list []GoneRecord) []GoneRecord {
	if len(list) == 0 {
		return []GoneRecord{}
	}
	stands := make(map[config.Carrier]bool, len(e.cur.standing))
	for _, r := range e.cur.standing {
		stands[r.carrier().Whatever()] = true
	}
	return slices.DeleteFunc(list, func(g GoneRecord) bool { return stands[g.Whatever()] })
}

// showGone forgets what every cache forgot a while ago, and shows what no file has.
func (e *Engine) showGone(now time.Time) {
	maps.DeleteFunc(e.records.gone, func(_ config.Carrier, g GoneRecord) bool { return now.Sub(g.Until) > ledger.Remembered })
	shown := shownGone{own: e.unheld(slices.Collect(maps.Values(e.records.gone))), others: make(map[string]map[round.MemoryKey]time.Time)}
	slices.SortFunc(shown.own, func(a, b GoneRecord) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.RData, b.RData), cmp.Compare(a.Type, b.Type))
	})
	if e.cluster != nil {
		for name, p := range e.cluster.peers {
			for gone := range p.memory.Gone() {
				if len(gone) > 0 {
					shown.others[name] = merge(shown.others[name], gone)
				}
			}
		}
	}
	e.shownGone.Store(&shown)
}

// merge adds what b has to a, which may be nil.
func merge(a, b map[round.MemoryKey]time.Time) map[round.MemoryKey]time.Time {
	if a == nil {
		return maps.Clone(b)
	}
	maps.Copy(a, b)
	return a
}

// GoneRecords are static records with one of the given RDATA that caches may hold though no file has them, or held until a minute ago.
func (e *Engine) GoneRecords(rdata ...string) (gone []GoneRecord) {
	shown := e.shownGone.Load()
	for _, g := range shown.own {
		if slices.Contains(rdata, g.RData) {
			gone = append(gone, g)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(shown.others)) {
		for _, r := range rdata {
			if until, ok := shown.others[name][goneKey(r)]; ok {
				gone = append(gone, GoneRecord{config.Carrier{RData: r}, "", name, until})
			}
		}
	}
	return gone
}

// goneKey names what a static record carries.
func goneKey(rdata string) (key round.MemoryKey) {
	sum := sha256.Sum256([]byte("record\x00" + rdata))
	copy(key[:], sum[:])
	return key
}

// keys are until when caches may hold records that are gone, for the other nodes.
func (r *records) keys() map[round.MemoryKey]time.Time {
	keys := make(map[round.MemoryKey]time.Time, len(r.gone))
	for _, g := range r.gone {
		keys[goneKey(g.RData)] = ledger.Later(keys[goneKey(g.RData)], g.Until)
	}
	return keys
}

// add notes one; of two of one record the later end counts.
func (r *records) add(g GoneRecord) {
	if r.gone == nil {
		r.gone = make(map[config.Carrier]GoneRecord)
	}
	if old, known := r.gone[g.Whatever()]; known && old.Until.After(g.Until) || !known && len(r.gone) == maxGone {
		return
	}
	r.gone[g.Whatever()] = g
}

func (r *records) content(standing []savedRecord, now time.Time) savedRecords {
	s := savedRecords{Version: recordsVersion, Records: slices.Clone(standing), Gone: []savedGone{}}
	for _, g := range r.gone {
		s.Gone = append(s.Gone, savedGone{savedRecord{g.Zone, g.Name, g.Type, g.RData, g.TTL}, g.Until.Sub(now).Seconds()})
	}
	return s
}
