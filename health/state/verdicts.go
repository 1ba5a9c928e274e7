package state

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

const (
	// FileName is that of the verdicts in a state directory, ReturnsName that of the pools that are out or on their way back.
	FileName     = "verdicts.json"
	ReturnsName  = "returns.json"
	stateVersion = 2
	// saveEvery bounds how often the file is written; saveShare, how much of the time writing may take: 1/saveShare. The
	// state of 40,000 endpoints costs 0.15 s of a core.
	saveEvery = time.Second
	saveShare = 20
	// maxStateSize bounds what is read back: 128 octets for each of a million targets.
	maxStateSize = 128 << 20
)

// A File keeps the last verdicts on disk, so that a restart does not begin with everything unknown. Ages are stored,
// not instants. It is lost without harm: then endpoints start pending.
type File struct {
	path   string // empty: nothing is kept
	logger *slog.Logger
	// damaged are files that could not be understood, with what that costs.
	damaged []Damage
	// loaded, by zone/pool/endpoint, and targets, the verdicts on targets that stand alone behind an endpoint, belong to
	// one goroutine. They are dropped when they are too old to begin with.
	loaded  map[string]savedVerdict
	targets map[health.TargetID]health.Verdict
	// parts are those on endpoints in service that rest on several targets, by each of these.
	parts map[health.TargetID]health.Verdict
	// byRData has those of loaded by what the endpoint has; nil where two have the same.
	byRData map[string]*savedVerdict

	// savedAt is when loaded was written, on this process's clock; maxAge is how long it counts.
	savedAt time.Time
	maxAge  time.Duration

	// returns are what an earlier run left of pools.
	returns map[string]savedReturn

	// dropped are endpoints that were down when their files dropped them; they belong to the goroutine that loaded belongs to.
	dropped dropped

	mu   sync.Mutex
	view *health.View // guarded by mu: the latest one that is not on disk
	last *health.View // guarded by mu: the latest one; its ages grow while nothing changes
	wake chan struct{}
}

type savedVerdicts struct {
	Version int       `json:"version"`
	SavedAt time.Time `json:"saved_at"`
	// Endpoints are by zone/pool/endpoint.
	Endpoints map[string]savedVerdict `json:"endpoints"`
}

type savedVerdict struct {
	// Targets are what was dialled: a verdict holds only for the same.
	Targets    []health.TargetID `json:"targets"`
	State      health.State      `json:"state"`
	AgeSeconds float64           `json:"age_seconds"`
	// LeftSeconds is how long ago health took the endpoint out; nil if it did not.
	LeftSeconds *float64 `json:"left_seconds,omitempty"`
	Reason      string   `json:"reason,omitempty"`
	// Each are those of an IPv4 and of an IPv6 address, each of which is dialled for itself; Targets are then those of both.
	Each []savedVerdict `json:"each,omitempty"`
	// RData is what the endpoint has: it may have another name, or another check, in the next run.
	RData []string `json:"rdata,omitempty"`
}

// Open reads what an earlier run left in dir, unless it is older than maxAge. A file that cannot be understood is
// reported and ignored; a directory that cannot be written is an error.
func Open(dir string, maxAge time.Duration, now time.Time, logger *slog.Logger) (*File, error) {
	s := &File{logger: logger, maxAge: maxAge, wake: make(chan struct{}, 1)}
	if dir == "" {
		return s, nil
	}
	s.path = filepath.Join(dir, FileName)
	returns, err := returnsFile(dir).Load()
	if s.returns = returns.Returns; err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Damage(ReturnsName, "which pools were out, or on their way back, is forgotten: what is up now may be answered", err)
	}
	saved, err := readState(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		s.Damage(FileName, "the last verdicts are forgotten: the first probes decide", err)
		return s, nil
	}
	// The wall clock is the only one that outlives a process; a file from the future is as good as no file.
	away := now.Sub(saved.SavedAt)
	if away < 0 || away > maxAge {
		logger.Info("last verdicts too old: starting without them", "file", s.path, "age_seconds", away.Seconds())
		return s, nil
	}
	s.loaded, s.targets = saved.Endpoints, make(map[health.TargetID]health.Verdict, len(saved.Endpoints))
	s.parts = make(map[health.TargetID]health.Verdict)
	s.byRData = make(map[string]*savedVerdict, len(saved.Endpoints))
	for name, v := range saved.Endpoints {
		if len(v.RData) > 0 {
			zone, _, _ := strings.Cut(name, "/")
			key, known := rdataKey(zone, v.RData), &v
			if _, twice := s.byRData[key]; twice {
				// Of two endpoints with the same addresses neither is the one.
				known = nil
			}
			s.byRData[key] = known
		}
		for _, of := range append([]savedVerdict{v}, v.Each...) {
			if len(of.Targets) == 1 {
				s.targets[of.Targets[0]] = of.verdict(now.Add(-away))
				continue
			}
			if whole := of.verdict(now.Add(-away)); whole.InService() {
				for _, id := range of.Targets {
					s.parts[id] = whole
				}
			}
		}
	}
	s.savedAt = now.Add(-away)
	return s, nil
}

// A Damage is a file of the state directory that could not be understood.
type Damage struct{ File, Text string }

// Damage notes that a file of the state directory is damaged, and what that costs: never the service. The file is set aside.
func (s *File) Damage(name, costs string, err error) {
	attrs := []any{"file", name, "err", err}
	if to, err := durable.SetAside(filepath.Join(filepath.Dir(s.path), name)); err == nil {
		attrs = append(attrs, "kept", to)
	}
	s.logger.Error("a file of the state directory is damaged: "+costs, attrs...)
	s.damaged = append(s.damaged, Damage{name, costs + ": " + err.Error()})
}

// Damaged are the files that could not be understood.
func (s *File) Damaged() []Damage { return s.damaged }

func readState(path string) (*savedVerdicts, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxStateSize {
		return nil, fmt.Errorf("%d octets, at most %d are read", info.Size(), maxStateSize)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var saved savedVerdicts
	if err := json.Unmarshal(b, &saved); err != nil {
		return nil, err
	}
	if saved.Version != stateVersion {
		return nil, fmt.Errorf("version %d, want %d", saved.Version, stateVersion)
	}
	return &saved, nil
}

func (v savedVerdict) verdict(savedAt time.Time) health.Verdict {
	if v.State == health.Unknown {
		return health.Verdict{}
	}
	age := time.Duration(v.AgeSeconds * float64(time.Second))
	verdict := health.Verdict{State: v.State, Stale: true, Since: savedAt.Add(-age), Reason: v.Reason}
	if v.LeftSeconds != nil {
		verdict.Left = savedAt.Add(-time.Duration(*v.LeftSeconds * float64(time.Second)))
	}
	return verdict
}

// Expire drops what an earlier run believed once it is older than maxAge: an endpoint that comes back into the file then
// has nothing to build on.
func (s *File) Expire(now time.Time) {
	s.dropped.expire(s.maxAge, now)
	if s.loaded != nil && now.Sub(s.savedAt) > s.maxAge {
		s.loaded, s.targets, s.parts, s.byRData = nil, nil, nil, nil
	}
}

// Verdict is what was believed of a target when its endpoint was dropped, or else what an earlier run believed.
func (s *File) Verdict(id health.TargetID) (health.Verdict, bool) {
	if t, ok := s.dropped.targets[id]; ok {
		return t.verdict, true
	}
	v, ok := s.targets[id]
	return v, ok
}

// Part is what an earlier run believed of an endpoint in service that rests on a target among others.
func (s *File) Part(id health.TargetID) (health.Verdict, bool) {
	v, ok := s.parts[id]
	return v, ok
}

// rdataKey is an endpoint by what it has.
func rdataKey(zone string, rdata []string) string { return zone + " " + strings.Join(rdata, " ") }

func endpointKey(z *config.Zone, p *config.Pool, i int) string {
	return z.Name + "/" + p.Name + "/" + p.Endpoints[i].Name
}

// Endpoint is what was believed of endpoint i when its file dropped it, or else what an earlier run believed, if the same was dialled then.
func (s *File) Endpoint(z *config.Zone, p *config.Pool, i int, dialled []health.TargetID) (view health.EndpointView, ok bool) {
	if d, ok := s.dropped.endpoints[rdataKey(z.Name, p.Endpoints[i].RData())]; ok {
		return d.view, true
	}
	if s.loaded == nil || len(dialled) == 0 {
		return view, false
	}
	v, ok := s.loaded[endpointKey(z, p, i)]
	if !ok || !slices.Equal(v.Targets, dialled) {
		// Until what is dialled now has been, what was known of the addresses stands.
		same := s.byRData[rdataKey(z.Name, p.Endpoints[i].RData())]
		if same == nil {
			return view, false
		}
		v = *same
	}
	view.Verdict = v.verdict(s.savedAt)
	if dual := p.Endpoints[i].Dual(); dual && len(v.Each) == len(health.Each{}) {
		view.Each = &health.Each{v.Each[config.IPv4].verdict(s.savedAt), v.Each[config.IPv6].verdict(s.savedAt)}
	} else if dual {
		return health.EndpointView{}, false
	}
	return view, true
}

// Save asks for v to be written soon.
func (s *File) Save(v *health.View) {
	if s.path == "" {
		return
	}
	s.mu.Lock()
	s.view, s.last = v, v
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run writes until ctx ends, at most once in saveEvery, and a last time then.
func (s *File) Run(ctx context.Context) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			s.end()
			return nil
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			s.end()
			return nil
		case <-s.wake:
			begin := time.Now()
			s.flush()
			pause.Reset(max(saveEvery, saveShare*time.Since(begin)))
		}
	}
}

// end writes a last time, with the ages as they are now.
func (s *File) end() {
	s.mu.Lock()
	s.view = s.last
	s.mu.Unlock()
	s.flush()
}

func (s *File) flush() {
	s.mu.Lock()
	v := s.view
	s.view = nil
	s.mu.Unlock()
	if v == nil {
		return
	}
	if err := s.write(v, time.Now()); err != nil {
		s.logger.Warn("last verdicts not kept", "file", s.path, "err", err)
	}
	if err := returnsFile(filepath.Dir(s.path)).Write(returnsOf(v, time.Now())); err != nil {
		s.logger.Warn("pools on their way back not kept", "file", ReturnsName, "err", err)
	}
}

func (s *File) write(v *health.View, now time.Time) error {
	return durable.Write(s.path, func(w io.Writer) error { return writeVerdicts(w, v, now) })
}

// writeVerdicts writes the JSON of a savedVerdicts, endpoint by endpoint: as a whole it would be a fourth of the engine.
func writeVerdicts(w io.Writer, v *health.View, now time.Time) error {
	head, err := json.Marshal(savedVerdicts{Version: stateVersion, SavedAt: now, Endpoints: map[string]savedVerdict{}})
	if err != nil {
		return err
	}
	const tail = "}}"
	head, found := bytes.CutSuffix(head, []byte(tail))
	if !found {
		return fmt.Errorf("the endpoints are not the last of %s", head)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	out := verdictWriter{w: w, now: now}
	for _, zv := range v.Zones {
		for pi, p := range zv.Zone.Pools {
			if err := out.pool(zv.Zone, p, zv.Pools[pi]); err != nil {
				return err
			}
		}
	}
	_, err = io.WriteString(w, tail)
	return err
}

// A verdictWriter writes the members of savedVerdicts.Endpoints.
type verdictWriter struct {
	w   io.Writer
	now time.Time
	// some is set behind the first member.
	some bool
}

// pool writes what is known of the endpoints of p.
func (w *verdictWriter) pool(z *config.Zone, p *config.Pool, view *health.PoolView) error {
	leaves := judge.Leaves(z, p)
	for i, e := range p.Endpoints {
		verdict := view.Endpoints[i].Verdict
		if verdict.Pending() || len(leaves) == 0 {
			continue
		}
		v := w.saved(verdict)
		v.RData = e.RData()
		for _, f := range health.Dialled(e) {
			var of []health.TargetID
			for _, check := range leaves {
				of = append(of, health.TargetOn(z.Name, z.Checks[check], e, f).ID)
			}
			v.Targets = append(v.Targets, of...)
			if each := view.Endpoints[i].Each; each != nil {
				address := w.saved(each[f])
				address.Targets = of
				v.Each = append(v.Each, address)
			}
		}
		// A map of one: its text without the braces is the member.
		text, err := json.Marshal(map[string]savedVerdict{endpointKey(z, p, i): v})
		if err != nil {
			return err
		}
		text[0], text = ',', text[:len(text)-1]
		if !w.some {
			text = text[1:]
		}
		if _, err := w.w.Write(text); err != nil {
			return err
		}
		w.some = true
	}
	return nil
}

// saved is a verdict as it is kept, without what it is about.
func (w *verdictWriter) saved(verdict health.Verdict) savedVerdict {
	v := savedVerdict{State: verdict.State.Settled(), Reason: verdict.Reason}
	if !verdict.Pending() {
		v.AgeSeconds = w.now.Sub(verdict.Since).Seconds()
	}
	if !verdict.Left.IsZero() {
		left := w.now.Sub(verdict.Left).Seconds()
		v.LeftSeconds = &left
	}
	return v
}
