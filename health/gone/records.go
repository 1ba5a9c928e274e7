// Package gone remembers the static records that a zone file had, that carry what endpoints have, and that no file has any more: caches may hold
// them, and nobody stamps such answers. What it remembers is on disk before a configuration is in force.
//
// Records are owned by one goroutine; Of may be called by anybody. The package judges nothing: who asks whether an address is forgotten puts
// this together with what else is known.
package gone

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

const (
	// FileName is the file in the state directory.
	FileName       = "records.json"
	recordsVersion = 1
	// maxGone bounds the records that are remembered.
	maxGone = 10_000
	// keepWithin is for how long a configuration waits until its static records are on disk: nothing can withhold their answers.
	keepWithin = 2 * time.Second
)

// A Record is a static record that a file had and has no more, or has with a shorter TTL, with an address or a name that endpoints have.
type Record struct {
	config.Carrier
	Zone string
	// Node is the node that answered it, where that is another one; then nothing but RData and Until is known of it.
	Node string
	// Until is when the last honest cache has forgotten it: nobody stamps such answers, so the TTL counts from the swap on.
	Until time.Time
}

// String is the record in words.
func (g Record) String() string {
	if g.Node != "" {
		return "of node " + g.Node
	}
	return g.Carrier.String()
}

// Others are until when caches may hold what other nodes answered and no file has any more, by node.
type Others map[string]map[round.MemoryKey]time.Time

// shown are the records that are gone, as of some instant: this node's, and what the others said of theirs.
type shown struct {
	own    []Record
	others Others
}

// savedRecords is the content of records.json. Records are those that may be answered: of the configuration in force, and of one that is
// about to take its place.
type savedRecords struct {
	Version int         `json:"version"`
	Records Standing    `json:"records"`
	Gone    []savedGone `json:"gone"`
}

// Standing are the static records of a configuration that carry what its endpoints have.
type Standing []savedRecord

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

// Options are what Records need.
type Options struct {
	// State is the state directory; empty for none.
	State string
	// Transit is how late a resolver may still accept an answer.
	Transit time.Duration
	Logger  *slog.Logger
	// Damaged is told of a file that is not readable.
	Damaged func(file, lost string, err error)
}

// Records are the static records that carry what endpoints have, for as long as caches may hold them.
type Records struct {
	opts Options
	// model is the configuration in force, standing are its records.
	model    *config.Model
	standing Standing
	// file is nil without a state directory.
	file *durable.File[savedRecords]
	// gone are those of earlier configurations, whatever their TTL.
	gone  map[config.Carrier]Record
	shown atomic.Pointer[shown] // swapped, never mutated
}

// StandingOf are the static records of a model that carry what its endpoints have.
func StandingOf(m *config.Model) Standing { return standing(m.Zones, m.Zones) }

// standing are the static records of zones that carry what an endpoint of the zones in of has.
func standing(zones, of []*config.Zone) (list Standing) {
	for _, c := range config.SharedCarriers(zones, of) {
		list = append(list, savedRecord{c.Zone, c.Name, c.Type, c.RData, c.TTL})
	}
	return list
}

// Open reads what earlier processes may have answered, and has what the model makes this one answer on disk before it does.
func Open(opts Options, m *config.Model, now time.Time) *Records {
	r := &Records{opts: opts, model: m, standing: StandingOf(m)}
	r.shown.Store(new(shown))
	if opts.State == "" {
		return r
	}
	r.file = durable.NewFile[savedRecords](filepath.Join(opts.State, FileName), recordsVersion, 0)
	saved, err := r.file.Load()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		opts.Damaged(FileName, "which static records were removed lately is forgotten: caches may hold them for their TTL", err)
	}
	for _, g := range saved.Gone {
		// For how long the node was away is not known for certain.
		r.add(Record{g.carrier(), g.Zone, "", now.Add(time.Duration(g.LeftSeconds * float64(time.Second)))})
	}
	r.drop(saved.Records, now)
	r.Show(nil, now)
	if err := r.file.Write(r.content(now)); err != nil {
		r.unkept(err)
	}
	return r
}

// Run writes what is to be kept until ctx ends.
func (r *Records) Run(ctx context.Context) error {
	if r.file == nil {
		return nil
	}
	return r.file.Run(ctx)
}

// unkept tells that the file was not written.
func (r *Records) unkept(err error) {
	if err != nil {
		r.opts.Logger.Error("static records not kept: a restart forgets which were removed", "file", FileName, "err", err)
	}
}

// Keep returns what has the records that are answered now, and those of a configuration that comes, on disk before that is in force. It may be
// called beside the owner, and waits for the disk, but not for long.
func (r *Records) Keep(now time.Time) func(ctx context.Context, coming Standing) {
	if r.file == nil {
		return func(context.Context, Standing) {}
	}
	content := r.content(now)
	return func(ctx context.Context, coming Standing) {
		kept := make(chan error, 1)
		content.Records = append(content.Records, coming...)
		r.file.Save(content, func(err error) { kept <- err })
		late := time.NewTimer(keepWithin)
		defer late.Stop()
		select {
		case err := <-kept:
			r.unkept(err)
		case <-late.C:
			r.unkept(errors.New("the disk is late"))
		case <-ctx.Done():
		}
	}
}

// TakeUp brings the records in line with a configuration that was taken up, whose records are standing; gone are those that no file has any
// more. others are as for Show.
func (r *Records) TakeUp(m *config.Model, standingNow Standing, others Others, now time.Time) (gone []Record) {
	old := r.model
	r.model, r.standing = m, standingNow
	dropped := r.drop(standing(config.Replaced(old.Zones, m.Zones), slices.Concat(old.Zones, m.Zones)), now)
	r.Show(others, now)
	r.save(now)
	return r.unheld(dropped)
}

// Mind forgets what every cache has forgotten, on disk too. others are as for Show.
func (r *Records) Mind(others Others, now time.Time) {
	if n := len(r.gone); n > 0 {
		if r.Show(others, now); len(r.gone) < n {
			r.save(now)
		}
	}
}

func (r *Records) save(now time.Time) {
	if r.file != nil {
		r.file.Save(r.content(now), r.unkept)
	}
}

// drop notes those of the records, which may have been answered until now, that are not in force, or with a shorter TTL.
func (r *Records) drop(was Standing, now time.Time) (dropped []Record) {
	if len(was) == 0 {
		return nil
	}
	ttl := make(map[config.Carrier]uint32)
	for _, z := range r.model.Zones {
		z.Carriers(func(c config.Carrier) { ttl[c.Whatever()] = max(ttl[c.Whatever()], c.TTL) })
	}
	for _, w := range was {
		c := w.carrier()
		if is, stands := ttl[c.Whatever()]; stands && is >= c.TTL {
			continue
		}
		g := Record{c, w.Zone, "", now.Add(ledger.Slow(time.Duration(c.TTL)*time.Second) + r.opts.Transit)}
		r.add(g)
		dropped = append(dropped, g)
	}
	return dropped
}

// unheld are those of the records that no file has, whatever their TTL.
func (r *Records) unheld(list []Record) []Record {
	if len(list) == 0 {
		return []Record{}
	}
	stands := make(map[config.Carrier]bool, len(r.standing))
	for _, s := range r.standing {
		stands[s.carrier().Whatever()] = true
	}
	return slices.DeleteFunc(list, func(g Record) bool { return stands[g.Whatever()] })
}

// Show forgets what every cache forgot a while ago, and has Of tell what no file has, others being what the other nodes say of theirs.
func (r *Records) Show(others Others, now time.Time) {
	maps.DeleteFunc(r.gone, func(_ config.Carrier, g Record) bool { return now.Sub(g.Until) > ledger.Remembered })
	next := shown{own: r.unheld(slices.Collect(maps.Values(r.gone))), others: others}
	slices.SortFunc(next.own, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.RData, b.RData), cmp.Compare(a.Type, b.Type))
	})
	r.shown.Store(&next)
}

// Add notes what another node says.
func (o Others) Add(node string, gone map[round.MemoryKey]time.Time) {
	if len(gone) == 0 {
		return
	}
	if o[node] == nil {
		o[node] = make(map[round.MemoryKey]time.Time, len(gone))
	}
	maps.Copy(o[node], gone)
}

// Of are static records with one of the given RDATA that caches may hold though no file has them, or held until a minute ago.
func (r *Records) Of(rdata ...string) (gone []Record) {
	shown := r.shown.Load()
	for _, g := range shown.own {
		if slices.Contains(rdata, g.RData) {
			gone = append(gone, g)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(shown.others)) {
		for _, data := range rdata {
			if until, ok := shown.others[name][goneKey(data)]; ok {
				gone = append(gone, Record{config.Carrier{RData: data}, "", name, until})
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

// Keys are until when caches may hold records that are gone, for the other nodes.
func (r *Records) Keys() map[round.MemoryKey]time.Time {
	keys := make(map[round.MemoryKey]time.Time, len(r.gone))
	for _, g := range r.gone {
		keys[goneKey(g.RData)] = ledger.Later(keys[goneKey(g.RData)], g.Until)
	}
	return keys
}

// add notes one; of two of one record the later end counts.
func (r *Records) add(g Record) {
	if r.gone == nil {
		r.gone = make(map[config.Carrier]Record)
	}
	if old, known := r.gone[g.Whatever()]; known && old.Until.After(g.Until) || !known && len(r.gone) == maxGone {
		return
	}
	r.gone[g.Whatever()] = g
}

func (r *Records) content(now time.Time) savedRecords {
	s := savedRecords{Version: recordsVersion, Records: slices.Clone(r.standing), Gone: []savedGone{}}
	for _, g := range r.gone {
		s.Gone = append(s.Gone, savedGone{savedRecord{g.Zone, g.Name, g.Type, g.RData, g.TTL}, g.Until.Sub(now).Seconds()})
	}
	return s
}
