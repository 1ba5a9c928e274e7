package state

import (
	"path/filepath"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health"
)

const returnsVersion = 1

// savedReturns are the pools and AZs that are out, or on their way back. They have no age limit: a site that was out must not
// slip in because the node was stopped for a day.
type savedReturns struct {
	Version int `json:"version"`
	// Returns are by zone/pool and zone/pool@az.
	Returns map[string]savedReturn `json:"returns"`
}

// A savedReturn is a health.Return in ages; nil is for never. They do not grow while no node runs: holds and ramps are for
// somebody to watch.
type savedReturn struct {
	// Zone is the hash of the zone file, Out is set while nothing was eligible, Unclaimed while nobody had taken its turn by then.
	Zone            config.Hash `json:"zone"`
	Out             bool        `json:"out,omitempty"`
	Unclaimed       bool        `json:"unclaimed,omitempty"`
	SinceSeconds    *float64    `json:"since_seconds,omitempty"`
	RetriesSeconds  []float64   `json:"retries_seconds,omitempty"`
	Doubled         int         `json:"doubled,omitempty"`
	AdmittedSeconds *float64    `json:"admitted_seconds,omitempty"`
	ReloadedSeconds *float64    `json:"reloaded_seconds,omitempty"`
	// RPO tells of each service, by name, whether it had moved to the pool, where the pool's lag is held against the rpo of that.
	RPO map[string]bool `json:"rpo,omitempty"`
}

// returnsFile is what an earlier run left in dir, and what this one is going to.
func returnsFile(dir string) *durable.File[savedReturns] {
	return durable.NewFile[savedReturns](filepath.Join(dir, ReturnsName), returnsVersion, 0)
}

// returnsOf are those of v. A file is kept also when there are none: the next run must not find older ones.
func returnsOf(v *health.View, now time.Time) savedReturns {
	saved := savedReturns{Version: returnsVersion, Returns: make(map[string]savedReturn)}
	for _, zv := range v.Zones {
		for pi, p := range zv.Zone.Pools {
			saved.add(zv.Zone, p, zv.Pools[pi], now)
		}
	}
	return saved
}

func (s *savedReturns) add(z *config.Zone, p *config.Pool, view *health.PoolView, now time.Time) {
	put := func(key string, r health.Return, az int) {
		out := isOut(p, view, az)
		if !out && r.IsZero() && (az >= 0 || len(view.RPO) == 0) {
			return
		}
		saved := savedReturn{Zone: z.FileHash, Out: out, Unclaimed: out && r.Unclaimed, Doubled: r.Doubled}
		saved.SinceSeconds, saved.AdmittedSeconds, saved.ReloadedSeconds = ageOf(r.Since, now), ageOf(r.Admitted, now), ageOf(r.Reloaded, now)
		for si, v := range view.RPO {
			if az >= 0 {
				break
			}
			if saved.RPO == nil {
				saved.RPO = make(map[string]bool)
			}
			saved.RPO[z.Services[si].Name] = v.Entered
		}
		for _, retry := range r.Retries {
			saved.RetriesSeconds = append(saved.RetriesSeconds, now.Sub(retry).Seconds())
		}
		s.Returns[key] = saved
	}
	put(returnKey(z, p, ""), view.Return, -1)
	for i, w := range p.AZWeights {
		var r health.Return
		if view.ReturnAZ != nil {
			r = view.ReturnAZ[i]
		}
		put(returnKey(z, p, z.AZs[w.AZ].Name), r, w.AZ)
	}
}

// waits tells whether a pool waits for a person when it comes back to some service.
func waits(p *config.Pool) bool {
	for _, f := range p.Failbacks {
		if f.Mode != config.FailbackAuto {
			return true
		}
	}
	return false
}

// isOut tells whether the pool, or one AZ of it unless az is -1, has been judged and has nothing eligible.
func isOut(p *config.Pool, view *health.PoolView, az int) bool {
	judged := false
	for i, e := range view.Endpoints {
		if az >= 0 && p.Endpoints[i].AZ != az {
			continue
		}
		if e.Eligible() {
			return false
		}
		judged = judged || e.Drained || !e.Pending()
	}
	return judged
}

func returnKey(z *config.Zone, p *config.Pool, az string) string {
	key := z.Name + "/" + p.Name
	if az != "" {
		key += "@" + az
	}
	return key
}

func ageOf(t, now time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	age := now.Sub(t).Seconds()
	return &age
}

// restored is the return as it goes on from now. A new version of the zone file lets in who waits for one.
func (s savedReturn) restored(z *config.Zone, now time.Time) health.Return {
	at := func(age *float64) time.Time {
		if age == nil {
			return time.Time{}
		}
		return now.Add(-seconds(*age))
	}
	r := health.Return{Since: at(s.SinceSeconds), Doubled: s.Doubled, Unclaimed: s.Unclaimed, Admitted: at(s.AdmittedSeconds), Reloaded: at(s.ReloadedSeconds)}
	for _, age := range s.RetriesSeconds {
		r.Retries = append(r.Retries, now.Add(-seconds(age)))
	}
	if s.Zone != z.FileHash {
		r = r.Let(time.Time{}, now)
	}
	return r
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Returns adds the returns of an earlier run to the view with which a pool starts; both may be nil. What was out starts as
// out, so that its return is one: by a drain that may be over, or, where a person has to let it in and the verdict is too
// old to be believed, as down.
func (s *File) Returns(z *config.Zone, p *config.Pool, view *health.PoolView, now time.Time) *health.PoolView {
	if len(s.returns) == 0 {
		return view
	}
	made := func() *health.PoolView {
		if view == nil {
			view = &health.PoolView{Endpoints: make([]health.EndpointView, len(p.Endpoints)), At: now}
			for i := range view.Endpoints {
				if len(p.Watched()) == 0 {
					view.Endpoints[i].Verdict = health.Verdict{State: health.Up, Unmonitored: true, Since: now}
				}
			}
		}
		return view
	}
	out := func(az int) {
		for i := range made().Endpoints {
			e := &view.Endpoints[i]
			switch {
			case az >= 0 && p.Endpoints[i].AZ != az:
			case e.InService():
				e.Drained = true
			case e.Pending() && waits(p):
				e.Verdict = health.Verdict{State: health.Down, Stale: true, Since: now, Reason: "was down when the node stopped"}
			}
		}
	}
	if saved, ok := s.returns[returnKey(z, p, "")]; ok {
		made().Return = saved.restored(z, now)
		for si, svc := range z.Services {
			entered, known := saved.RPO[svc.Name]
			if !known || !svc.RPO.On() {
				continue
			}
			if view.RPO == nil {
				view.RPO = make(map[int]health.RPOView)
			}
			view.RPO[si] = health.RPOView{Entered: entered}
		}
		if saved.Out {
			out(-1)
		}
	}
	for i, w := range p.AZWeights {
		saved, ok := s.returns[returnKey(z, p, z.AZs[w.AZ].Name)]
		if !ok {
			continue
		}
		if made().ReturnAZ == nil {
			view.ReturnAZ = make([]health.Return, len(p.AZWeights))
		}
		view.ReturnAZ[i] = saved.restored(z, now)
		if saved.Out {
			out(w.AZ)
		}
	}
	return view
}
