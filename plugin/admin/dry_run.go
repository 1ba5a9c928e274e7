package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// previewEnd is what the end of orders would do; nothing ends.
func (s *Server) previewEnd(rec *record, req *api.EndRequest, ids []health.IntentID, ended api.Intents) (int, any) {
	rec.dryRun = true
	for _, text := range req.Also {
		id, err := health.ParseIntentID(text)
		if err != nil {
			return invalid(err)
		}
		at := slices.IndexFunc(s.opts.Node.Intents(), func(i health.IntentState) bool { return i.ID == id })
		if at < 0 {
			return intentRefused(fmt.Errorf("%w: %s", health.ErrNoIntent, id))
		}
		if slices.Contains(ids, id) {
			continue
		}
		ids, ended.Intents = append(ids, id), append(ended.Intents, intentShown(&s.opts.Node.Intents()[at]))
	}
	p, err := s.opts.Node.Explainer.PreviewEnd(ids, req.Admit)
	if err != nil {
		return intentRefused(err)
	}
	ended.Preview = p
	return http.StatusOK, ended
}

// Pools is a zone with some of its pools alone, as the view zv of n, in which the intents are in force, has them.
func Pools(n Node, zv *health.ZoneView, pools []int, intents []health.IntentState, now time.Time) api.Zone {
	z := zoneStatus{node: n, view: zv, now: now, clustered: n.Cluster().Name != "", intents: append([]health.IntentState{}, intents...)}
	out := api.Zone{Name: zv.Zone.Name, Serial: zv.Zone.SOA.Serial, Pools: make([]api.Pool, 0, len(pools)), Services: []api.Service{}}
	for _, i := range pools {
		out.Pools = append(out.Pools, z.pool(i))
	}
	return out
}

// previewExtend is the order with the end that it would have, or why it would be refused.
func (s *Server) previewExtend(rec *record, id health.IntentID, end time.Time) (int, any) {
	rec.dryRun = true
	shown := rec.before(id)
	if shown == nil {
		return intentRefused(fmt.Errorf("%w: %s", health.ErrNoIntent, id))
	}
	if err := s.opts.Node.Extendable(id, end); err != nil {
		return intentRefused(err)
	}
	shown.EndsAt = instant(end)
	return http.StatusOK, shown
}

// previewResume is what an order would do that takes the place of one that a rule suspends.
func (s *Server) previewResume(rec *record, id health.IntentID, req *api.ResumeRequest) (int, any) {
	rec.dryRun = true
	for _, i := range s.opts.Node.Intents() {
		if i.ID != id {
			continue
		}
		if i.Suspended == nil {
			return intentRefused(fmt.Errorf("%w: no rule suspends %s", health.ErrIntentConflict, id))
		}
		i.Actor, i.Reason = req.Actor, req.Reason
		i.Override = slices.Concat(i.Override, req.Override, []string{i.Suspended.Rule})
		return s.preview(i.Intent)
	}
	return intentRefused(fmt.Errorf("%w: %s", health.ErrNoIntent, id))
}

// previewFreeze is the freeze that there would be, and which endpoints this node's own probes see otherwise than their verdicts say.
func (s *Server) previewFreeze(on bool, req *api.FreezeRequest) api.Freeze {
	f := frozenOf(s.opts.Node)
	if f.Frozen != on {
		f = api.Freeze{Frozen: on, Actor: req.Actor, Reason: req.Reason, Since: time.Now()}
	}
	f.Otherwise = otherwise(s.opts.Node)
	return f
}

// otherwise are the endpoints, as ZONE/POOL/ENDPOINT, that the node's own probes see otherwise than their verdicts say.
func otherwise(n Node) (list []string) {
	snap := n.Snapshot()
	if snap == nil {
		return nil
	}
	for _, zv := range snap.View.Zones {
		for pi, p := range zv.Zone.Pools {
			if p.Check < 0 {
				continue
			}
			for ei, e := range p.Endpoints {
				v := zv.Pools[pi].Endpoints[ei].Verdict
				o, ok := n.Observation(health.TargetOf(zv.Zone.Name, zv.Zone.Checks[p.Check], e).ID)
				if ok && !v.Pending() && o.State != health.Unknown && (o.State == health.Down) == v.InService() {
					list = append(list, strings.TrimSuffix(zv.Zone.Name, ".")+"/"+p.Name+"/"+e.Name)
				}
			}
		}
	}
	return list
}

// previewJoin is the cluster as it is, if this node could join without the answers of the nodes named, or of all.
func (s *Server) previewJoin(names []string) (int, any) {
	c := s.opts.Node.Cluster()
	switch {
	case c.Name == "":
		return intentRefused(fmt.Errorf("%w: the node file has no cluster", health.ErrIntentConflict))
	case len(c.Missing) == 0:
		return intentRefused(fmt.Errorf("%w: this node has joined", health.ErrIntentConflict))
	}
	for _, name := range names {
		if !slices.Contains(c.Missing, name) {
			return intentRefused(fmt.Errorf("%w: this node does not wait for node %s", health.ErrNothingNamed, name))
		}
	}
	return http.StatusOK, nodesOf(s.opts.Node)
}

// previewMaxTTL is the cluster as it is, if this node does not know what it answered before.
func (s *Server) previewMaxTTL() (int, any) {
	if _, why := s.opts.Node.Clear(); why == "" {
		return intentRefused(fmt.Errorf("%w: what this node answered before is known", health.ErrIntentConflict))
	}
	return http.StatusOK, nodesOf(s.opts.Node)
}
