package intent

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health"
)

const (
	fileVersion = 1
	// maxFile bounds what is read: those of maxEncoded with all their texts are smaller.
	maxFile = 64 << 20
)

// errTorn is a file that holds less than what was written, or something else.
var errTorn = errors.New("torn or changed: its checksum does not match")

// A file is what is on disk: the checksum covers the octets of Content.
type file struct {
	Version int             `json:"version"`
	SHA256  string          `json:"sha256"`
	Content json.RawMessage `json:"content"`
}

type content struct {
	SavedAt     time.Time                    `json:"saved_at"`
	Incarnation uint64                       `json:"incarnation"`
	Intents     []savedIntent                `json:"intents"`
	Ends        map[health.IntentID]savedEnd `json:"ends"`
}

// A savedIntent is an intent in durations from SavedAt.
type savedIntent struct {
	ID       health.IntentID   `json:"id"`
	Kind     health.IntentKind `json:"kind"`
	Scope    health.Scope      `json:"scope"`
	Service  string            `json:"service,omitempty"`
	Weight   int               `json:"weight,omitempty"`
	State    health.State      `json:"state,omitempty"`
	Actor    string            `json:"actor,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	Override []string          `json:"override,omitempty"`
	// StartMS is how many milliseconds there are until the start, negative after it; EndMS until the end, nil without one.
	StartMS   int64  `json:"start_ms"`
	EndMS     *int64 `json:"end_ms"`
	Confirmed bool   `json:"confirmed,omitempty"`
	Lifeboat  bool   `json:"lifeboat,omitempty"`
}

type savedEnd struct {
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`
	AgeMS  int64  `json:"age_ms"`
	Seen   bool   `json:"seen,omitempty"`
}

// write replaces the file at path by s as it is at now.
func write(path string, s Set, incarnation uint64, now time.Time) error {
	c := content{SavedAt: now, Incarnation: incarnation, Intents: []savedIntent{}, Ends: make(map[health.IntentID]savedEnd, len(s.ends))}
	for _, id := range slices.SortedFunc(maps.Keys(s.intents), health.IntentID.Compare) {
		i := s.intents[id]
		saved := savedIntent{
			ID: id, Kind: i.Kind, Scope: i.Scope, Service: i.Service, Weight: i.Weight, State: i.State, Actor: i.Actor, Reason: i.Reason,
			Override: i.Override, StartMS: i.Start.Sub(now).Milliseconds(), Confirmed: i.Confirmed, Lifeboat: i.Lifeboat,
		}
		if !i.Forever {
			end := i.End.Sub(now).Milliseconds()
			saved.EndMS = &end
		}
		c.Intents = append(c.Intents, saved)
	}
	for id, e := range s.ends {
		c.Ends[id] = savedEnd{Actor: e.Actor, Reason: e.Reason, AgeMS: now.Sub(e.At).Milliseconds(), Seen: e.Seen}
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	if b, err = json.Marshal(file{Version: fileVersion, SHA256: hex.EncodeToString(sum[:]), Content: b}); err != nil {
		return err
	}
	return durable.WriteFile(path, b)
}

// read is what write wrote, with the time since then taken off. A clock that went backwards takes nothing off: back tells.
// No file is an empty set, and what is not understood is errDamaged.
func read(path string, now time.Time) (s Set, incarnation uint64, back bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Set{}, 0, false, nil
	}
	if err != nil {
		return Set{}, 0, false, err
	}
	if info.Size() > maxFile {
		return Set{}, 0, false, fmt.Errorf("%s: %w: %d octets, at most %d are read", path, errDamaged, info.Size(), maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Set{}, 0, false, err
	}
	c, err := parse(b)
	if err != nil {
		return Set{}, 0, false, fmt.Errorf("%s: %w: %w", path, errDamaged, err)
	}
	// Saved times are read back without a monotonic clock, so this is the wall clock's difference.
	away := now.Sub(c.SavedAt)
	if back = away < 0; back {
		away = 0
	}
	return c.set(now.Add(-away)), c.Incarnation, back, nil
}

func parse(b []byte) (*content, error) {
	var f file
	if err := strict(b, &f); err != nil {
		return nil, err
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("version %d, want %d", f.Version, fileVersion)
	}
	if sum := sha256.Sum256(f.Content); hex.EncodeToString(sum[:]) != f.SHA256 {
		return nil, errTorn
	}
	c := new(content)
	if err := strict(f.Content, c); err != nil {
		return nil, err
	}
	return c, nil
}

// strict decodes one JSON value without unknown keys.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one JSON value")
	}
	return nil
}

// set is the content, as of the instant from which its durations count.
func (c *content) set(from time.Time) Set {
	after := func(ms int64) time.Time { return from.Add(time.Duration(ms) * time.Millisecond) }
	var s Set
	for _, saved := range c.Intents {
		i := health.Intent{
			ID: saved.ID, Kind: saved.Kind, Scope: saved.Scope, Service: saved.Service, Weight: saved.Weight, State: saved.State, Actor: saved.Actor,
			Reason: saved.Reason, Override: saved.Override, Start: after(saved.StartMS), Forever: saved.EndMS == nil, Confirmed: saved.Confirmed, Lifeboat: saved.Lifeboat,
		}
		if saved.EndMS != nil {
			i.End = after(*saved.EndMS)
		}
		s = s.Add(i)
	}
	for id, e := range c.Ends {
		s = s.End(End{Actor: e.Actor, Reason: e.Reason, At: after(-e.AgeMS), Seen: e.Seen}, id)
	}
	return s
}

const (
	// boundsName is a file of its own, so that a program which knows nothing of bindings reads the intents.
	boundsName    = "bindings.json"
	boundsVersion = 1
)

// savedBounds are what intents bind, on disk.
type savedBounds struct {
	Version int                          `json:"version"`
	Bounds  map[health.IntentID][]string `json:"bounds"`
}

func boundsFile(dir string) *durable.File[savedBounds] {
	return durable.NewFile[savedBounds](filepath.Join(dir, boundsName), boundsVersion, 0)
}

func writeBounds(dir string, s Set) error {
	saved := savedBounds{Version: boundsVersion, Bounds: make(map[health.IntentID][]string, len(s.bounds))}
	for id, b := range s.bounds {
		saved.Bounds[id] = b.Texts()
	}
	return boundsFile(dir).Write(saved)
}

// readBounds is what writeBounds wrote. On an error all that is lost is under which other names orders hold.
func readBounds(dir string) (map[health.IntentID]health.Binding, error) {
	path := boundsFile(dir).Path()
	saved, err := boundsFile(dir).Load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	bounds := make(map[health.IntentID]health.Binding, len(saved.Bounds))
	for id, texts := range saved.Bounds {
		b, ok := health.ParseBinding(texts)
		if !ok {
			return nil, fmt.Errorf("%s: %s: neither addresses nor names", path, id)
		}
		bounds[id] = b
	}
	return bounds, nil
}
