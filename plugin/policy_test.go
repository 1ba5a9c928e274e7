package fairlead

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/explain"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// TestPolicies asks every question of testdata/policy of production snapshots, each made for the state of the world in its row.
func TestPolicies(t *testing.T) {
	paths := policies(t)
	require.GreaterOrEqual(t, len(paths), 20)
	questions := 0
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			f := readPolicy(t, path)
			for i := range f.rows {
				r := &f.rows[i]
				if r.name == "" {
					continue
				}
				questions++
				got := newPolicyBed(t, f, r).ask()
				if *update {
					r.want = got
				} else if got != r.want {
					t.Errorf("%s:%d: %s\n got %s", path, r.line, r.text, got)
				}
			}
			if *update {
				f.write(t)
			}
		})
	}
	t.Logf("%d questions", questions)
}

// A policyBed is one row's world.
type policyBed struct {
	t    *testing.T
	row  *policyRow
	file *policyFile
	zone *config.Zone
	view *health.View
	snap *answer.Snapshot
}

// policyNow is the instant of all rows.
var policyNow = time.Now()

func newPolicyBed(t *testing.T, f *policyFile, r *policyRow) *policyBed {
	t.Helper()
	z, problems := config.Parse("zone.yaml", []byte(f.zone), config.ParseOptions{Geo: config.GeoPresent})
	require.NoError(t, problems.Err())
	b := &policyBed{t: t, row: r, file: f, zone: z, view: allUp(z)}
	b.view.At = policyNow
	for _, p := range b.view.Zones[0].Pools {
		p.At = policyNow
	}
	for _, s := range r.states {
		b.apply(s)
	}
	b.snap = answer.NewCompiler("n1", policyNow).Compile(nil, b.view)
	return b
}

// apply makes the world differ by one state.
func (b *policyBed) apply(state string) {
	b.t.Helper()
	what, service, _ := strings.Cut(state, " for ")
	words := strings.Fields(what)
	require.GreaterOrEqual(b.t, len(words), 2, "%s:%d: state %q", b.file.path, b.row.line, state)
	verb, who, args := words[0], words[1], words[2:]
	number := func() int {
		require.NotEmpty(b.t, args, "%s:%d: state %q", b.file.path, b.row.line, state)
		n, err := strconv.Atoi(args[0])
		require.NoError(b.t, err)
		return n
	}
	var scoped *health.ServiceView
	if service != "" {
		scoped = b.scoped(service)
	}
	zv, found := b.view.Zones[0], false
	for p, cfg := range b.zone.Pools {
		pv := zv.Pools[p]
		if who == cfg.Name || who == "*" {
			found = true
			switch verb {
			case "gate":
				pv.GateClosed = true
				continue
			case "back":
				pv.Return = b.comesBack(number(), args[1:])
				continue
			case "weight":
				if n := number(); scoped != nil {
					scoped.PoolWeights[p] = n
				} else {
					pv.Weight = &n
				}
				continue
			}
		}
		for i, e := range cfg.Endpoints {
			if who != "*" && who != cfg.Name && who != cfg.Name+"/"+e.Name && who != "az="+b.zone.AZs[e.AZ].Name {
				continue
			}
			found = true
			b.change(verb, health.EndpointRef{Pool: p, Endpoint: i}, scoped, args, number)
		}
	}
	require.True(b.t, found, "%s:%d: nobody is %s", b.file.path, b.row.line, who)
}

// change is what one state makes of one endpoint.
func (b *policyBed) change(verb string, ref health.EndpointRef, scoped *health.ServiceView, args []string, number func() int) {
	b.t.Helper()
	cfg, pv := b.zone.Pools[ref.Pool], b.view.Zones[0].Pools[ref.Pool]
	e := &pv.Endpoints[ref.Endpoint]
	switch verb {
	case "down", "gone":
		ago := map[string]time.Duration{"down": 10 * time.Second, "gone": time.Hour}[verb]
		e.Verdict = health.Verdict{State: health.Down, Since: policyNow.Add(-ago), Left: policyNow.Add(-ago)}
	case "suspect":
		e.State, pv.Calm = health.Suspect, false
	case "pending":
		e.Verdict, pv.Calm = health.Verdict{}, false
	case "drained":
		if scoped != nil {
			scoped.Drained[ref] = true
		} else {
			e.Drained = true
		}
	case "reduced":
		e.Reduction = number()
	case "weight":
		if scoped != nil {
			scoped.EndpointWeights[ref] = number()
			return
		}
		if pv.EndpointWeights == nil {
			pv.EndpointWeights = map[int]int{}
		}
		pv.EndpointWeights[ref.Endpoint] = number()
	case "back":
		// An AZ, by any of its endpoints.
		if pv.ReturnAZ == nil {
			pv.ReturnAZ = make([]health.Return, len(cfg.AZWeights))
		}
		for k, w := range cfg.AZWeights {
			if w.AZ == cfg.Endpoints[ref.Endpoint].AZ {
				pv.ReturnAZ[k] = b.comesBack(number(), args[1:])
			}
		}
	default:
		b.t.Fatalf("%s:%d: what is %q?", b.file.path, b.row.line, verb)
	}
}

func (b *policyBed) comesBack(seconds int, words []string) health.Return {
	r := health.Return{Since: policyNow.Add(-time.Duration(seconds) * time.Second)}
	if slices.Contains(words, "admitted") {
		r.Admitted = r.Since
	}
	if slices.Contains(words, "reloaded") {
		r.Reloaded = r.Since
	}
	return r
}

func (b *policyBed) scoped(service string) *health.ServiceView {
	i := b.service(b.fqdn(service))
	require.GreaterOrEqual(b.t, i, 0, "service %s", service)
	zv := b.view.Zones[0]
	if zv.Scoped == nil {
		zv.Scoped = map[int]*health.ServiceView{}
	}
	if zv.Scoped[i] == nil {
		zv.Scoped[i] = &health.ServiceView{Drained: map[health.EndpointRef]bool{}, PoolWeights: map[int]int{}, EndpointWeights: map[health.EndpointRef]int{}}
	}
	return zv.Scoped[i]
}

func (b *policyBed) fqdn(name string) string {
	if name == "@" {
		return b.zone.Name
	}
	return name + "." + b.zone.Name
}

// service is the index of the service of that very name; -1 for none.
func (b *policyBed) service(fqdn string) int {
	return slices.IndexFunc(b.zone.Services, func(s *config.Service) bool { return s.Name == fqdn })
}

// plan is the plan behind a name for the row's client; nil for what is no service.
func (b *policyBed) plan(fqdn string) (*steer.Plan, *config.Service) {
	fqdn = strings.ToLower(fqdn)
	for i, svc := range b.zone.Services {
		d := b.snap.Decision(b.zone, i)
		for k, place := range svc.Places {
			if place.Name == fqdn {
				return d.Places[k], svc
			}
		}
		label, parent, _ := strings.Cut(fqdn, ".")
		switch {
		case svc.Cells != nil && parent == svc.Name:
			return d.Plans[d.Cell(svc.Cells.Shard([]byte(label)))], svc
		case svc.Name == fqdn, strings.HasPrefix(svc.Name, "*.") && strings.HasSuffix(fqdn, svc.Name[1:]):
			class := d.Default
			if c := steer.NewChooser(b.zone, svc); c != nil {
				class, _ = c.Choose(d, b.asks(svc), b.file.locator, time.Time{})
			}
			return d.Plans[class.Plan], svc
		}
	}
	return nil, nil
}

// asks is the client as the service sees it.
func (b *policyBed) asks(svc *config.Service) netip.Addr {
	if svc.ECS && b.row.ecs.Bits() > 0 {
		return b.row.ecs.Addr()
	}
	return b.row.client
}

// period is how many replies of a type a plan gives until it begins again.
func period(p *steer.Plan, qtype uint16) int {
	f := map[uint16]steer.Family{dns.TypeA: steer.V4, dns.TypeAAAA: steer.V6, dns.TypeSRV: steer.Any, dns.TypeHTTPS: steer.Any}[qtype]
	set := p.Sets[f]
	if len(p.Sets[steer.Target]) > 0 {
		set = p.Sets[steer.Target]
	}
	n := uint64(0)
	for _, m := range set {
		n += m.Weight
	}
	return int(max(1, min(n, steer.MaxPeriod)))
}

// ask is what the replies to the row's question hold.
func (b *policyBed) ask() string {
	b.t.Helper()
	fqdn, qtype := b.fqdn(b.row.name), dns.StringToType[b.row.qtype]
	plan, svc := b.plan(fqdn)
	n := 1
	if plan != nil {
		n = period(plan, qtype)
		if svc.Sticky != nil {
			n = 3
		}
	}
	name := make([]byte, 256)
	end, err := dns.PackDomainName(fqdn, name, 0, nil, false)
	require.NoError(b.t, err)
	q := &answer.Question{Name: name[:end], Type: qtype, Class: dns.ClassINET, Client: b.row.client, Locator: b.file.locator}
	if b.row.ecs.IsValid() {
		q.EDNS, q.Size, q.ECS = true, 1232, answer.ECS{Present: true, Family: 1, Prefix: b.row.ecs}
		if b.row.ecs.Addr().Is6() {
			q.ECS.Family = 2
		}
	}
	var last *dns.Msg
	counts := map[string]int{}
	for range n {
		raw, _, ok := b.snap.AppendAt(nil, q, policyNow)
		require.True(b.t, ok)
		last = new(dns.Msg)
		require.NoError(b.t, last.Unpack(raw))
		require.True(b.t, last.Authoritative)
		for _, rr := range last.Answer {
			counts[policyRecord(rr, qtype)]++
		}
		if len(last.Answer) == 0 {
			require.Len(b.t, last.Ns, 1)
			require.Equal(b.t, dns.TypeSOA, last.Ns[0].Header().Rrtype)
		}
	}
	b.requireExplained(q, n, counts)
	return strings.TrimSpace(b.result(last, counts) + " " + policyGround(plan))
}

// requireExplained compares what explain says with the n replies that were given.
func (b *policyBed) requireExplained(q *answer.Question, n int, counts map[string]int) {
	b.t.Helper()
	x := &explain.Explainer{Snapshot: b.snap, Locator: b.file.locator}
	e, err := x.ExplainQuestion(*q, api.Question{Name: b.fqdn(b.row.name), Type: b.row.qtype}, policyNow)
	require.NoError(b.t, err)
	if e.Answers != 1 || e.Then != nil || q.Type == dns.TypeSRV || q.Type == dns.TypeHTTPS {
		return
	}
	for _, s := range e.Shares {
		data, want := s.Data, s.Fraction*float64(n)
		if e.Sticky {
			if want = 0; data == e.Stays {
				want = float64(n)
			}
		}
		if s.Family != b.row.qtype {
			data = s.Family + " " + data
		}
		require.InDelta(b.t, want, counts[data], 1e-6, "%s:%d: explain says %v", b.file.path, b.row.line, e.Shares)
	}
}

// policyRecord is RDATA, behind the type if that is not the one that was asked for.
func policyRecord(rr dns.RR, qtype uint16) string {
	text := strings.Join(strings.Fields(strings.TrimPrefix(rr.String(), rr.Header().String())), " ")
	if rr.Header().Rrtype != qtype {
		text = dns.TypeToString[rr.Header().Rrtype] + " " + text
	}
	return text
}

func (b *policyBed) result(last *dns.Msg, counts map[string]int) string {
	switch {
	case last.Rcode != dns.RcodeSuccess:
		return dns.RcodeToString[last.Rcode]
	case len(last.Answer) == 0:
		return "NODATA"
	}
	common := 0
	for _, n := range counts {
		common = gcdInt(common, n)
	}
	var words []string
	for _, record := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[record] / common; n > 1 {
			record += fmt.Sprintf(" x%d", n)
		}
		words = append(words, record)
	}
	if len(last.Answer) > 1 {
		words = append(words, fmt.Sprintf("by %d", len(last.Answer)))
	}
	text := strings.Join(words, ", ") + fmt.Sprintf(" ttl %d", last.Answer[len(last.Answer)-1].Header().Ttl)
	if opt := last.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if s, ok := o.(*dns.EDNS0_SUBNET); ok {
				text += fmt.Sprintf(" scope %d", s.SourceScope)
			}
		}
	}
	return text
}

func gcdInt(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// policyGround is on what the answers rest: the source, the tier, and the class of clients.
func policyGround(p *steer.Plan) string {
	if p == nil {
		return ""
	}
	text := "from " + p.Source.String()
	if p.Tier.Index >= 0 {
		text += fmt.Sprintf(" %d", p.Tier.Index+1)
		if p.Tier.Rule >= 0 {
			text += fmt.Sprintf(" of rule %d", p.Tier.Rule+1)
		}
	}
	if p.Key != "" {
		text += " (" + p.Key + ")"
	}
	return text
}
