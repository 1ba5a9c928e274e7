package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// keyringTimeout is how long one verb may take on all nodes.
const keyringTimeout = 8 * time.Second

func (s *Server) nodes(*http.Request) (int, any) {
	return http.StatusOK, nodesOf(s.opts.Node)
}

// shareGrace is for how long the nodes are awaited that do not have an order yet, once enough have it: less than a person notices.
const shareGrace = 300 * time.Millisecond

// nodesOf is what n knows of the cluster.
func nodesOf(n Node) *api.Nodes {
	c := n.Cluster()
	out := &api.Nodes{
		Node: n.Name(), Cluster: c.Name, At: c.At, Heard: c.Heard, Roster: c.Roster, Isolated: c.Isolated, Shut: c.Shut, WaitsFor: c.Missing,
		Keys: c.Keys, KeysChangedAt: instant(c.KeysChanged), AllowanceSeconds: c.Allowance.Seconds(), CutUntil: instant(c.CutUntil), Nodes: []api.Node{},
	}
	regions := islandRegions(n.Snapshot())
	for i := range c.Nodes {
		shown := nodeShown(&c.Nodes[i])
		shown.MayBeIsland = shown.State == api.NodeStale && regions[shown.Region] && shown.FencedAt == nil
		out.Nodes = append(out.Nodes, shown)
	}
	return out
}

// islandRegions are the regions whose nodes answer as islands when they are cut off, by the files of this node.
func islandRegions(s *answer.Snapshot) map[string]bool {
	regions := make(map[string]bool)
	if s == nil {
		return regions
	}
	for _, z := range s.View.Model.Zones {
		if !slices.ContainsFunc(z.Services, func(svc *config.Service) bool { return svc.Island }) {
			continue
		}
		for _, r := range z.Regions {
			regions[r.Name] = true
		}
	}
	return regions
}

func nodeShown(n *cluster.NodeView) api.Node {
	out := api.Node{
		Name: n.Name, Region: n.Region, AZ: n.AZ, Address: n.Address, Version: n.Version, ConfigHash: n.Config,
		HeardAt: instant(n.Direct), RelayedAt: instant(n.Heard), Drift: instant(n.Drift), Divergent: instant(n.Divergent),
		Joined: n.Joined, Answering: n.Answering, Blind: n.Blind, Late: n.Late, Isolated: n.Isolated, Island: n.Island, Frozen: n.Frozen, Drained: n.Drained,
		LeaseSeconds: n.Lease.Seconds(), FencedAt: instant(n.Fenced), DelaySeconds: n.Delay.Seconds(),
	}
	for _, name := range slices.Sorted(maps.Keys(n.Hears)) {
		out.Hears = append(out.Hears, api.NodeHearing{Name: name, At: n.Hears[name]})
	}
	if n.Config != "" {
		out.PlanHash = fmt.Sprintf("%016x", n.Plans)
	}
	switch {
	case n.Self:
		out.State = api.NodeSelf
	case n.Fresh:
		out.State = api.NodeHeard
	case n.Stopped:
		out.State = api.NodeStopped
	case !n.InRoster:
		out.State = api.NodeNotListed
	case n.Direct.IsZero():
		out.State = api.NodeNever
	default:
		out.State = api.NodeStale
	}
	return out
}

// instant is t for JSON; nil for the zero instant.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// nodeRequest reads the body of an order about a node.
func nodeRequest(r *http.Request) (api.NodeRequest, error) {
	req, rec, err := asked[api.NodeRequest](r)
	if err != nil {
		return req, err
	}
	rec.Object, rec.dryRun = "node "+r.PathValue("node"), req.DryRun
	if req.Reason == "" {
		return req, errReason
	}
	return req, health.ValidateWords(req.Actor, req.Reason)
}

func (s *Server) stopped(r *http.Request) (int, any) { return s.declare(r, health.IntentStopped) }
func (s *Server) removed(r *http.Request) (int, any) { return s.declare(r, health.IntentRemoved) }

// declare takes an operator's word about a node, which holds until it is taken back.
func (s *Server) declare(r *http.Request, kind health.IntentKind) (int, any) {
	req, err := nodeRequest(r)
	if err != nil {
		return invalid(err)
	}
	scope := health.Scope{Kind: health.ScopeNode, Name: r.PathValue("node")}
	i := health.Intent{Kind: kind, Scope: scope, Actor: req.Actor, Reason: req.Reason, Forever: true}
	if recordOf(r).dryRun {
		return s.preview(i)
	}
	return s.intend(recordOf(r), i, false)
}

func (s *Server) notStopped(r *http.Request) (int, any) { return s.takeBack(r, health.IntentStopped) }
func (s *Server) notRemoved(r *http.Request) (int, any) { return s.takeBack(r, health.IntentRemoved) }

func (s *Server) takeBack(r *http.Request, kind health.IntentKind) (int, any) {
	scope := health.Scope{Kind: health.ScopeNode, Name: r.PathValue("node")}
	return s.end(r, func(i *health.IntentState) bool { return i.Kind == kind && i.Scope == scope }, kind.String()+" for "+scope.String())
}

// maxTTL is the greatest TTL that a request names; nil for none.
func maxTTL(req *api.NodeRequest) (*time.Duration, error) {
	if req.MaxTTLSeconds == nil {
		return nil, nil
	}
	ttl := durationOf(*req.MaxTTLSeconds)
	if ttl < 0 || ttl > config.MaxTTL {
		return nil, fmt.Errorf("max_ttl_seconds: %g, want 0 to %g", *req.MaxTTLSeconds, config.MaxTTL.Seconds())
	}
	return &ttl, nil
}

// nameMaxTTL takes an operator's word for what this node answered before its state was lost.
func (s *Server) nameMaxTTL(r *http.Request) (int, any) {
	req, err := nodeRequest(r)
	if err != nil {
		return invalid(err)
	}
	ttl, err := maxTTL(&req)
	switch {
	case err != nil:
		return invalid(err)
	case ttl == nil:
		return invalid(errors.New("max_ttl_seconds: required, the longest TTL that this node may have given before; 0 for none"))
	}
	rec := recordOf(r)
	rec.Object = "max-ttl " + ttl.String()
	if rec.dryRun {
		return s.previewMaxTTL()
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	if err := s.opts.Node.NameMaxTTL(*ttl); err != nil {
		return intentRefused(err)
	}
	return http.StatusOK, nodesOf(s.opts.Node)
}

func (s *Server) waive(r *http.Request) (int, any)     { return s.joinWithout(r, r.PathValue("node")) }
func (s *Server) bootstrap(r *http.Request) (int, any) { return s.joinWithout(r) }

// joinWithout lets the node join without the answers of the nodes named, or of all.
func (s *Server) joinWithout(r *http.Request, names ...string) (int, any) {
	req, err := nodeRequest(r)
	if err != nil {
		return invalid(err)
	}
	before, err := maxTTL(&req)
	if err != nil {
		return invalid(err)
	}
	rec := recordOf(r)
	if len(names) == 0 {
		// The first start of a cluster: nobody has answered anything.
		rec.Object, before = "all nodes", new(time.Duration)
	}
	if rec.dryRun {
		return s.previewJoin(names)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	if err := s.opts.Node.Waive(before, names...); err != nil {
		return intentRefused(err)
	}
	return http.StatusOK, nodesOf(s.opts.Node)
}

func (s *Server) keyring(r *http.Request) (int, any) {
	req, rec, err := asked[api.KeyringRequest](r)
	if err != nil {
		return invalid(err)
	}
	rec.Object = "keyring: " + req.Verb
	key, err := config.ParseKey(req.Key)
	switch {
	case err != nil:
		return invalid(fmt.Errorf("key: %w", err))
	case !slices.Contains([]string{cluster.KeyAdd, cluster.KeyUse, cluster.KeyRemove}, req.Verb):
		return invalid(fmt.Errorf("verb %q: want add, use or remove", req.Verb))
	case req.Reason == "":
		return invalid(errReason)
	}
	if rec.dryRun = req.DryRun; rec.dryRun {
		return http.StatusOK, s.keyringResult(nil)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), keyringTimeout)
	defer cancel()
	failed, err := s.opts.Node.ChangeKeyring(ctx, cluster.KeyringOrder{Verb: req.Verb, Key: key})
	if err != nil {
		return intentRefused(err)
	}
	result := s.keyringResult(failed)
	// What it was is no business of the record, nor is the key.
	rec.After = json.RawMessage(fmt.Sprintf(`{"done":%d,"failed":%d}`, len(result.Done), len(result.Failed)))
	return http.StatusOK, result
}

// keyringResult are the nodes of the roster, by whether it failed there.
func (s *Server) keyringResult(failed map[string]error) api.KeyringResult {
	result := api.KeyringResult{Done: []string{}, Failed: map[string]string{}}
	for _, n := range s.opts.Node.Cluster().Nodes {
		if err := failed[n.Name]; err != nil {
			result.Failed[n.Name] = err.Error()
		} else if n.InRoster {
			result.Done = append(result.Done, n.Name)
		}
	}
	return result
}

// shareTimeout is how long an order waits for another node to keep it; waitTimeout is that for all nodes, when it was asked for.
const (
	shareTimeout = 2 * time.Second
	waitTimeout  = 8 * time.Second
)

// held waits until the intents would survive the loss of this node, or, with all, until every node has them that is not
// declared stopped. done tells whether that came in time.
func (s *Server) held(ctx context.Context, all bool, ids ...health.IntentID) (h cluster.Holding, done bool) {
	enough, timeout := func(h *cluster.Holding) bool { return h.Enough() }, shareTimeout
	if all {
		enough, timeout = func(h *cluster.Holding) bool { return h.Complete() }, waitTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	h = s.opts.Node.AwaitHolding(ctx, ids, func(h *cluster.Holding) bool { return enough(h) || !all && h.Alone })
	if done = enough(&h); done && !all && !h.Complete() {
		// Nobody has to be told of a node that has it a moment later.
		grace, cancel := context.WithTimeout(ctx, shareGrace)
		defer cancel()
		h = s.opts.Node.AwaitHolding(grace, ids, func(h *cluster.Holding) bool { return h.Complete() })
		done = enough(&h)
	}
	return h, done
}

// cut cuts this node off from the others, or ends that.
func (s *Server) cut(r *http.Request) (int, any) {
	req, rec, err := asked[api.CutRequest](r)
	if err != nil {
		return invalid(err)
	}
	rec.Object = "this node"
	switch {
	case r.Method == http.MethodDelete && req.ForSeconds != 0:
		return invalid(errors.New("for_seconds: an end has none"))
	case r.Method == http.MethodPost && (req.ForSeconds < 1 || req.ForSeconds > cluster.MaxCut.Seconds()):
		return invalid(fmt.Errorf("for_seconds: want 1 to %.0f", cluster.MaxCut.Seconds()))
	case r.Method == http.MethodPost && req.Reason == "":
		return invalid(errReason)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	if err := s.opts.Node.CutOff(durationOf(req.ForSeconds), req.Actor, req.Reason); err != nil {
		return intentRefused(err)
	}
	return http.StatusOK, nodesOf(s.opts.Node)
}
