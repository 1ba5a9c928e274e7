package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// maxWhy is how many reasons are listed; the others are counted.
	maxWhy = 20
	// maxTexts is how many stand in the text.
	maxTexts = 3
	// askedFor is how long a request waits for the nodes' first word about something that nobody had asked about, and askedEvery how often it
	// looks: a word takes two rounds.
	askedFor   = 4 * time.Second
	askedEvery = 200 * time.Millisecond
)

func (s *Server) safeRoutes() []route {
	return []route{{
		method: http.MethodGet, path: api.SafePath, role: viewer, reply: api.Safe{}, handle: s.safe,
		doc:   "Whether something can be switched off: yes, not before an instant, unknown, or no, with the reasons.",
		query: []parameter{{"kind", "az, region, pool, endpoint, cluster (of Kubernetes), shards or node; required"}, {"name", "NAME, ZONE/POOL, ZONE/POOL/ENDPOINT or SERVICE/SHARDS; required"}},
	}}
}

func (s *Server) safe(r *http.Request) (int, any) {
	values, err := query(r, "kind", "name")
	if err != nil {
		return invalid(err)
	}
	n := s.opts.Node
	if values.Get("kind") == health.ScopeShards.String() {
		return safeShards(n, values.Get("name"))
	}
	scope, err := scopeOf(values.Get("kind"), values.Get("name"))
	if err != nil {
		return invalid(err)
	}
	if scope.Kind == health.ScopeNode {
		out := NewSafeNode(n, scope, time.Now())
		if out == nil {
			return http.StatusNotFound, failure(http.StatusNotFound, fmt.Errorf("no node %s in the cluster", scope.Name))
		}
		return http.StatusOK, out
	}
	known, err := n.Safety(scope)
	if err == nil && known.Asked {
		known, err = awaitWords(r, n, scope)
	}
	if err != nil {
		return http.StatusServiceUnavailable, failure(http.StatusServiceUnavailable, err)
	}
	if len(known.Items) == 0 {
		return http.StatusNotFound, failure(http.StatusNotFound, fmt.Errorf("%w: %s", health.ErrNothingNamed, scope))
	}
	return http.StatusOK, NewSafe(n, scope, &known)
}

func safeShards(n Node, name string) (int, any) {
	service, shards, err := shardsNamed(name)
	if err != nil {
		return invalid(err)
	}
	if out := NewSafeShards(n, service, shards, time.Now()); out != nil {
		return http.StatusOK, out
	}
	return http.StatusNotFound, failure(http.StatusNotFound, fmt.Errorf("%w: shards %s", health.ErrNothingNamed, name))
}

// rememberedSlack is how much less than ledger.Remembered ago a bound may be of which no node remembers the instant: a transit allowance, and
// the age of a word.
const rememberedSlack = 15 * time.Second

// scopeOf is what a kind and a name are about.
func scopeOf(kind, name string) (scope health.Scope, err error) {
	var k health.ScopeKind
	if err := k.UnmarshalText([]byte(kind)); err != nil {
		return scope, err
	}
	if scope, err = health.ParseScope(k, name); err == nil && scope.Kind == health.ScopeCluster {
		err = fmt.Errorf("kind %q: want the name of a cluster of Kubernetes", kind)
	}
	return scope, err
}

// awaitWords asks again until every node that is heard has said its first word.
func awaitWords(r *http.Request, n Node, scope health.Scope) (known departure.Safety, err error) {
	end := time.NewTimer(askedFor)
	defer end.Stop()
	tick := time.NewTicker(askedEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return known, r.Context().Err()
		case <-end.C:
			return n.Safety(scope)
		case <-tick.C:
		}
		known, err = n.Safety(scope)
		if err != nil || !slices.ContainsFunc(known.Items, func(i departure.SafetyItem) bool {
			return !i.Bound.Final && (!i.Bound.Known || !known.At.Before(i.Bound.SafeAt))
		}) {
			return known, err
		}
	}
}

// NewSafe is the answer that follows from what is known of a scope. It says yes only where every configured node's word about every address
// is fresh and final, and nothing but the end of an order could lead anybody there again.
func NewSafe(n Node, scope health.Scope, known *departure.Safety) *api.Safe {
	a := safeAnswer{node: n, known: known, out: &api.Safe{
		Node: n.Name(), At: known.At, Scope: api.Scope{Kind: scope.Kind.String(), Name: scope.Path()}, Answer: api.SafeYes,
	}}
	a.count()
	a.drains(scope)
	a.roads()
	for i := range known.Items {
		a.words(&known.Items[i])
	}
	a.cluster()
	a.out.NodesThere = nodesIn(n.Cluster(), scope)
	a.sum()
	return a.out
}

// nodesIn are the nodes that stand in an AZ or a region, by their node files, and have not been declared stopped.
func nodesIn(c cluster.View, scope health.Scope) (names []string) {
	for i := range c.Nodes {
		v := &c.Nodes[i]
		there := scope.Kind == health.ScopeAZ && v.AZ == scope.Name || scope.Kind == health.ScopeRegion && v.Region == scope.Name
		if there && v.InRoster && !v.Stopped {
			names = append(names, v.Name)
		}
	}
	return names
}

// A safeAnswer is in the making.
type safeAnswer struct {
	node  Node
	known *departure.Safety
	out   *api.Safe
	// forgotten is when the last honest cache has, as far as is known; asOf an instant after which every node has said so.
	forgotten, asOf time.Time
	// texts are the first reasons that make the answer what it is, more counts the others.
	texts []string
	more  int
	// bounds are put together for the three lines.
	bounds []api.DepartureStaleness
}

// answers orders answers: what weighs more stays.
var answers = []string{api.SafeYes, api.SafeNotBefore, api.SafeUnknown, api.SafeNo}

// because notes a reason that makes the answer at least so bad.
func (a *safeAnswer) because(answer string, why api.SafeReason) {
	if slices.ContainsFunc(a.out.Why, func(w api.SafeReason) bool { return w.Code == why.Code && w.Text == why.Text }) {
		return
	}
	if slices.Index(answers, answer) > slices.Index(answers, a.out.Answer) {
		a.out.Answer, a.texts, a.more = answer, nil, 0
	}
	if answer == a.out.Answer {
		if a.texts = append(a.texts, why.Text); len(a.texts) > maxTexts {
			a.texts, a.more = a.texts[:maxTexts], a.more+1
		}
	}
	if len(a.out.Why) >= maxWhy {
		a.out.MoreWhy++
		return
	}
	a.out.Why = append(a.out.Why, why)
}

// told is the answer with the reasons that make it what it is.
func (a *safeAnswer) told(yes string) string {
	why := strings.Join(a.texts, "; ")
	if a.more > 0 {
		why += fmt.Sprintf("; and %d more", a.more)
	}
	switch a.out.Answer {
	case api.SafeYes:
		return "yes: " + yes
	case api.SafeNotBefore:
		a.out.NotBefore = instant(a.forgotten)
		return "not before " + clock(a.forgotten) + ": " + why
	case api.SafeUnknown:
		return "unknown because " + why
	}
	return "no: " + why
}

// endpointName is ZONE/POOL/ENDPOINT.
func endpointName(l ledger.Label) string { return strings.TrimSuffix(l.Zone, ".") + "/" + l.Name() }

// count counts endpoints and addresses.
func (a *safeAnswer) count() {
	endpoints, addresses := map[ledger.Label]bool{}, map[string]bool{}
	for _, i := range a.known.Items {
		endpoints[i.Label], addresses[i.RData] = true, true
	}
	a.out.Endpoints, a.out.Addresses = len(endpoints), len(addresses)
}

// drains says what nothing keeps out of the answers of the next moment.
func (a *safeAnswer) drains(scope health.Scope) {
	var open []string
	total := map[string]bool{}
	for _, i := range a.known.Items {
		name := endpointName(i.Label)
		if i.Known {
			total[name] = true
		}
		if i.Known && !i.Drained && !slices.Contains(open, name) {
			open = append(open, name)
		}
		if i.Shared != (ledger.Label{}) && i.Shared != i.Label && (i.Drained || !i.Known) {
			a.because(api.SafeNo, api.SafeReason{Code: "shared", Endpoint: endpointName(i.Shared), Address: i.RData,
				Text: endpointName(i.Shared) + ", which is not drained, has " + i.RData + " too", Command: "fairlead drain endpoint " + endpointName(i.Shared)})
		}
	}
	a.fallbacks()
	if len(open) == 0 {
		return
	}
	text := strings.Join(open[:min(len(open), 3)], ", ")
	if n := len(open) - 3; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	if len(open) == 1 {
		text += " is not drained"
	} else {
		text = fmt.Sprintf("%d of %d endpoints are not drained (%s)", len(open), len(total), text)
	}
	a.because(api.SafeNo, api.SafeReason{Code: "not_drained", Endpoint: open[0], Text: text, Command: "fairlead drain " + scope.Kind.String() + " " + scope.Path()})
}

// fallbacks says which services answer an address of it once all else is down.
func (a *safeAnswer) fallbacks() {
	for _, i := range a.known.Items {
		if i.Fallback != "" {
			service := strings.TrimSuffix(i.Fallback, ".")
			a.because(api.SafeNo, api.SafeReason{Code: "fallback", Endpoint: endpointName(i.Label), Address: i.RData, Names: []string{service},
				Text: service + " answers " + i.RData + " once all else is down (on_all_down)"})
		}
	}
}

// roads says which static records lead there.
func (a *safeAnswer) roads() {
	var addresses []string
	for _, i := range a.known.Items {
		addresses = append(addresses, i.RData)
	}
	for _, record := range staticRecords(a.node, addresses) {
		a.because(api.SafeNo, api.SafeReason{Code: "static", Names: []string{record}, Text: "the record " + record + " has an address of it"})
	}
	for _, who := range secondaries(a.node, addresses) {
		a.because(api.SafeUnknown, api.SafeReason{Code: "secondaries", Text: who + " may answer it: which version of the zone they hold is not known (transfer.view: last)"})
	}
}

// words says what the nodes have not said of one address.
func (a *safeAnswer) words(i *departure.SafetyItem) {
	for _, g := range a.node.Gone.Of(i.RData) {
		if a.known.At.Before(g.Until) {
			a.until(g.Until, "caches may hold the record "+g.String()+", which the file has no more,")
		}
		a.forgotten = ledger.Later(a.forgotten, g.Until)
	}
	b := &i.Bound
	a.bounds = append(a.bounds, api.DepartureStaleness{Endpoint: endpointName(i.Label), Forgetting: ForgettingOf(b, a.node.Caches(), a.known.At)})
	name := endpointName(i.Label)
	for _, u := range b.Unknown {
		why := api.SafeReason{Endpoint: name, Address: i.RData, Node: u.Node}
		switch {
		case u.Answering && u.Node == a.node.Name():
			why.Code, why.Names = "answered", a.node.Snapshot().Owners(maxOwners, i.RData)
			for k := range why.Names {
				why.Names[k] = strings.TrimSuffix(why.Names[k], ".")
			}
			why.Text = i.RData + " is answered for " + strings.Join(why.Names, ", ")
			a.because(api.SafeNo, why)
			continue
		case u.Answering:
			why.Code, why.Text = "answered", "node "+u.Node+" answers "+i.RData
			a.because(api.SafeNo, why)
			continue
		}
		a.unsaid(why, &u, b)
	}
	a.forgets(b, "honest caches may hold it")
}

// unsaid notes that a node has not said what it takes.
func (a *safeAnswer) unsaid(why api.SafeReason, u *ledger.Silent, b *ledger.Bound) {
	why.Code, why.Node, why.Text, why.Until = "not_said", u.Node, "node "+u.Node+" "+u.Why, instant(b.Lower)
	if strings.HasSuffix(u.Why, "since") && !u.Since.IsZero() {
		why.Text += " " + clock(u.Since)
		why.Command = "fairlead nodes stopped " + u.Node
	}
	a.because(api.SafeUnknown, why)
}

// forgets notes when caches forget by a bound that is known, and since when the nodes have said so; what is for the time until then.
func (a *safeAnswer) forgets(b *ledger.Bound, what string) {
	if !b.Known {
		return
	}
	a.forgotten = ledger.Later(a.forgotten, b.SafeAt)
	for _, c := range b.Confirmed {
		if a.asOf.IsZero() || c.Given.Before(a.asOf) {
			a.asOf = c.Given
		}
	}
	if !b.Final {
		a.until(b.SafeAt, what)
	}
}

// until notes that caches may hold something until an instant; past it the nodes have yet to say so again.
func (a *safeAnswer) until(at time.Time, what string) {
	a.forgotten = ledger.Later(a.forgotten, at)
	if a.known.At.Before(at) {
		a.because(api.SafeNotBefore, api.SafeReason{Code: "not_forgotten", Text: what + " until " + clock(at), Until: instant(at)})
		return
	}
	a.because(api.SafeNotBefore, api.SafeReason{Code: "unconfirmed", Text: "the nodes have yet to say again that they do not answer it, after " + clock(at)})
}

// cluster says which nodes could know other addresses behind the scope.
func (a *safeAnswer) cluster() {
	for _, name := range a.known.Others {
		a.because(api.SafeUnknown, api.SafeReason{Code: "other_files", Node: name, Text: "node " + name + " serves other files", Command: "fairlead nodes"})
	}
	switch {
	case a.known.Unclear != "":
		a.because(api.SafeUnknown, api.SafeReason{Code: "not_said", Text: a.known.Unclear})
	case a.known.At.Before(a.known.Clear):
		a.until(a.known.Clear, "what a node answered before its last start, or let go unnamed, may be in caches")
	}
}

// sum puts the answer into words.
func (a *safeAnswer) sum() {
	out := a.out
	out.DrainEndsAt = a.drainEnds()
	out.Lifeboat = a.lifeboat()
	f := together(a.bounds)
	if f.SafeAt != nil && a.forgotten.After(*f.SafeAt) {
		// A static record that is gone was held for longer; by caches that clamp for no longer than so.
		f.SafeAt, f.ClampedSafeAt = instant(a.forgotten), laterOf(f.ClampedSafeAt, instant(a.forgotten.Add(a.node.Caches().Clamp)))
		remaining := max(0, a.forgotten.Sub(a.known.At)).Seconds()
		f.RemainingSeconds = &remaining
	}
	out.Lines = Lines(&f, true, a.node.Caches(), false)
	since := " has held it since " + clock(a.forgotten)
	if a.asOf.Sub(a.forgotten) > ledger.Remembered-rememberedSlack {
		// Nobody remembers when: that instant would move on with each look.
		since = " holds it"
	}
	out.Text = a.told("no honest cache" + since + ", and no node answers it, as each has said after " + clock(a.asOf))
	if out.Answer == api.SafeYes {
		out.ForgottenAt, out.AsOf = instant(a.forgotten), instant(a.asOf)
	}
}
