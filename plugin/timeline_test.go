package fairlead

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns/coredns/plugin/pkg/fall"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

var update = flag.Bool("update", false, "write what is answered into testdata/timeline")

// TestTimeline plays every scenario of testdata/timeline on the production code from the zone file to the wire; only the
// prober is not the real one.
func TestTimeline(t *testing.T) {
	paths := scenarios(t)
	require.GreaterOrEqual(t, len(paths), 35)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			s := readScenario(t, path)
			state := t.TempDir()
			synctest.Test(t, func(t *testing.T) { newTimelineBed(t, s, state).play() })
			if *update {
				s.write(t)
			}
		})
	}
}

// timelineReference is the one reference target of a vantage that has some.
var timelineReference = health.Target{ID: health.TargetID{1}, Host: "192.0.2.250", Port: 53, Check: &config.Check{Interval: 2 * time.Second, Timeout: time.Second, Fall: 1, Rise: 1}}

type timelineBed struct {
	t        *testing.T
	scenario *scenario
	// text is the zone file as it is now.
	text       string
	state      string
	conditions map[health.TargetID]condition
	began      time.Time

	// prober, engine, handler and stop are of the present run.
	prober  *drivenProber
	engine  *engine.Engine
	handler *Handler
	stop    func()
}

func newTimelineBed(t *testing.T, s *scenario, state string) *timelineBed {
	b := &timelineBed{t: t, scenario: s, text: s.zone, state: state, conditions: make(map[health.TargetID]condition), began: time.Now()}
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

func (b *timelineBed) model() *config.Model {
	z, problems := config.Parse("zone.yaml", []byte(b.text), config.ParseOptions{})
	require.NoError(b.t, problems.Err())
	return config.NewModel([]*config.Zone{z})
}

// start begins a run: everything but the state directory, the file and the world is new.
func (b *timelineBed) start() {
	current := new(answer.Current)
	b.prober = newDrivenProber(b.conditions)
	compiler := answer.NewCompiler("n1", time.Now())
	opts := engine.Options{
		Publisher: &answer.Publisher{Compiler: compiler, Current: current}, Ledger: compiler.Ledger(), MaxTTL: new(time.Duration),
		Prober: b.prober, Model: b.model(), State: b.state,
	}
	if b.scenario.reference {
		opts.References = []health.Target{timelineReference}
	}
	var err error
	b.engine, err = engine.New(opts)
	require.NoError(b.t, err)
	b.handler = &Handler{directive: &directive{origins: []string{"."}, fall: fall.F{}}}
	b.handler.serve(&testBackend{current: current})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.engine.Run(ctx) }()
	b.stop = func() {
		cancel()
		require.NoError(b.t, <-done)
		b.stop = func() {}
	}
}

func (b *timelineBed) play() {
	for i := range b.scenario.rows {
		r := &b.scenario.rows[i]
		if r.verb == "" {
			continue
		}
		b.advance(b.began.Add(r.at))
		got := ""
		switch r.verb {
		case "ask":
			got = b.ask(r.args[0], r.args[1])
		case "state":
			got = b.states(r.args[0])
		case "share", "drained", "weights", "intents":
			got = b.intended(r)
		default:
			if !orders[r.verb] {
				b.event(r)
				continue
			}
			if got = b.order(r); !r.asked {
				r.want = "done"
			}
		}
		if *update && r.asked {
			r.want = got
		} else if got != r.want {
			b.t.Errorf("%s:%d: %s\n got %s", b.scenario.path, r.line, r.text, got)
		}
	}
}

// advance lets the prober work until the given instant.
func (b *timelineBed) advance(to time.Time) {
	for {
		d := b.prober.due()
		if d == nil || d.next.After(to) {
			break
		}
		time.Sleep(time.Until(d.next)) // in a bubble
		synctest.Wait()
		if o, ok := b.prober.probe(d, time.Now()); ok {
			b.engine.Observe(o)
			synctest.Wait()
		}
	}
	time.Sleep(time.Until(to)) // in a bubble
	synctest.Wait()
}

func (b *timelineBed) event(r *scenarioRow) {
	switch r.verb {
	case "ok", "fail", "silent":
		for _, who := range r.args {
			ids := b.who(who)
			require.NotEmpty(b.t, ids, "%s:%d: nobody is %s", b.scenario.path, r.line, who)
			for _, id := range ids {
				b.conditions[id] = map[string]condition{"ok": healthy, "fail": failing, "silent": silent}[r.verb]
			}
		}
	case "freeze", "unfreeze":
		require.NoError(b.t, b.engine.Freeze(r.verb == "freeze", "ada", "timeline"))
	case "stop":
		b.stop()
		b.prober.targets = nil
	case "start":
		b.start()
	case "config":
		require.Equal(b.t, 1, strings.Count(b.text, r.args[0]), "%s:%d: %s stands in the file", b.scenario.path, r.line, r.args[0])
		b.text = strings.Replace(b.text, r.args[0], strings.ReplaceAll(r.args[1], `\n`, "\n"), 1)
		b.engine.SetModel(b.model())
	}
	synctest.Wait()
}

// who are the targets behind POOL[/ENDPOINT][@CHECK], reference or *.
func (b *timelineBed) who(text string) []health.TargetID {
	if text == "reference" {
		return []health.TargetID{timelineReference.ID}
	}
	place, check, _ := strings.Cut(text, "@")
	z := b.engine.View().Model.Zones[0]
	var ids []health.TargetID
	for _, p := range z.Pools {
		for _, e := range p.Endpoints {
			if place != "*" && place != p.Name && place != p.Name+"/"+e.Name {
				continue
			}
			for _, leaf := range judge.Leaves(z, p) {
				if c := z.Checks[leaf]; check == "" || check == c.Name {
					for _, target := range health.TargetsOf(z.Name, c, e) {
						ids = append(ids, target.ID)
					}
				}
			}
		}
	}
	return ids
}

// states are those of the pool's endpoints, as a reader sees them.
func (b *timelineBed) states(pool string) string {
	zv := b.engine.View().Zones[0]
	i := slices.IndexFunc(zv.Zone.Pools, func(p *config.Pool) bool { return p.Name == pool })
	require.GreaterOrEqual(b.t, i, 0, "pool %s", pool)
	var words []string
	for j, e := range zv.Pools[i].Endpoints {
		word := zv.Zone.Pools[i].Endpoints[j].Name + " " + e.Shown().String()
		if e.Stale {
			word += " stale"
		}
		words = append(words, word)
	}
	if zv.Pools[i].GateClosed {
		words = append(words, "gate closed")
	}
	return strings.Join(words, ", ")
}

// asks is how many replies are looked at. Answers come in a quota sequence: over a multiple of the sum of the weights each
// member's count is exact, wherever it begins.
const asks = 60

// ask is what the name's replies hold at this instant, all together.
func (b *timelineBed) ask(name, qtype string) string {
	z := b.engine.View().Zones[0].Zone
	fqdn := name + "." + z.Name
	counts, per, ttl := map[string]int{}, 0, uint32(0)
	for i := range asks {
		m := b.exchange(fqdn, dns.StringToType[qtype])
		for _, rr := range m.Answer {
			if i == 0 {
				ttl = rr.Header().Ttl
			}
			require.Equal(b.t, ttl, rr.Header().Ttl, "one TTL per owner name and instant")
			counts[strings.TrimPrefix(rr.String(), rr.Header().String())]++
		}
		if i == 0 {
			per = len(m.Answer)
		}
		require.Len(b.t, m.Answer, per)
		if per == 0 {
			require.Equal(b.t, dns.RcodeSuccess, m.Rcode)
			require.Len(b.t, m.Ns, 1)
			require.Equal(b.t, dns.TypeSOA, m.Ns[0].Header().Rrtype)
		}
	}
	return strings.TrimSpace(setText(counts, per, ttl) + " " + b.ground(fqdn))
}

func setText(counts map[string]int, per int, ttl uint32) string {
	if per == 0 {
		return "NODATA"
	}
	common := 0
	for _, n := range counts {
		for a, m := common, n; ; {
			if m == 0 {
				common = a
				break
			}
			a, m = m, a%m
		}
	}
	var words []string
	for _, record := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[record] / common; n > 1 {
			record += fmt.Sprintf(" x%d", n)
		}
		words = append(words, record)
	}
	if per > 1 {
		words = append(words, fmt.Sprintf("by %d", per))
	}
	return strings.Join(words, " ") + fmt.Sprintf(" ttl %d", ttl)
}

// exchange asks the handler.
func (b *timelineBed) exchange(fqdn string, qtype uint16) *dns.Msg {
	w := newWireRecorder(false)
	rcode, err := b.handler.ServeDNS(b.t.Context(), w, new(dns.Msg).SetQuestion(fqdn, qtype))
	require.NoError(b.t, err)
	require.Equal(b.t, dns.RcodeSuccess, rcode)
	m := w.reply(b.t)
	require.True(b.t, m.Authoritative)
	return m
}

// ground is on what the name's answers rest.
func (b *timelineBed) ground(fqdn string) string {
	snap := b.handler.backend().(*testBackend).current.Load()
	z := snap.View.Zones[0].Zone
	i := slices.IndexFunc(z.Services, func(s *config.Service) bool { return s.Name == fqdn })
	if i < 0 {
		return ""
	}
	p := snap.Plan(z, i)
	text := "from " + p.Source.String()
	if p.Tier.Index >= 0 {
		text += fmt.Sprintf(" %d", p.Tier.Index+1)
	}
	if p.Kept > 0 {
		text += fmt.Sprintf(", %d kept", p.Kept)
	}
	return text
}
