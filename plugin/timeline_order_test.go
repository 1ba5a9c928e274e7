package fairlead

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// order gives the engine an operator's order: done, or why not.
func (b *timelineBed) order(r *scenarioRow) string {
	defer synctest.Wait()
	var err error
	switch r.verb {
	case "undrain", "unready":
		err = b.end(r)
	default:
		_, err = b.engine.Intend(b.intentOf(r))
	}
	refused, ok := errors.AsType[*health.RuleError](err)
	switch {
	case err == nil:
		return "done"
	case ok:
		return "refused by " + refused.Rule + " for " + b.short(refused.Service)
	}
	return err.Error()
}

func (b *timelineBed) zone() *health.ZoneView { return b.engine.View().Zones[0] }

func (b *timelineBed) short(fqdn string) string {
	return strings.TrimSuffix(fqdn, "."+b.zone().Zone.Name)
}

// scope is the scope of a kind; pools and endpoints are named without the zone.
func (b *timelineBed) scope(kind, name string) health.Scope {
	var k health.ScopeKind
	require.NoError(b.t, k.UnmarshalText([]byte(kind)))
	if kind == "pool" || kind == "endpoint" {
		name = b.zone().Zone.Name + "/" + name
	}
	s, err := health.ParseScope(k, name)
	require.NoError(b.t, err)
	return s
}

func (b *timelineBed) intentOf(r *scenarioRow) health.Intent {
	i := health.Intent{Actor: "ada", Reason: "timeline"}
	rest := r.args[1:]
	switch r.verb {
	case "ready":
		i.Kind, i.Scope, i.Forever = health.IntentReady, b.scope("pool", r.args[0]), true
	case "failback":
		i.Kind, i.Scope = health.IntentFailback, b.scope("pool", r.args[0])
	case "drain":
		i.Kind, i.Scope, rest = health.IntentDrain, b.scope(r.args[0], r.args[1]), r.args[2:]
	case "force":
		// auto is `undrain force NAME`.
		i.Kind, i.Scope, rest = health.IntentForce, b.scope("endpoint", r.args[0]), r.args[2:]
		require.NoError(b.t, i.State.UnmarshalText([]byte(r.args[1])))
	case "weight":
		kind := "pool"
		if strings.Contains(r.args[0], "/") {
			kind = "endpoint"
		}
		n, err := strconv.Atoi(r.args[1])
		require.NoError(b.t, err)
		i.Kind, i.Scope, i.Weight, rest = health.IntentWeight, b.scope(kind, r.args[0]), n, r.args[2:]
	}
	for len(rest) > 0 {
		word := rest[0]
		if rest = rest[1:]; word == "forever" {
			i.Forever = true
			continue
		}
		require.NotEmpty(b.t, rest, r.text)
		switch word {
		case "for":
			seconds, err := strconv.Atoi(rest[0])
			require.NoError(b.t, err)
			i.End = time.Now().Add(time.Duration(seconds) * time.Second)
		case "service":
			i.Service = rest[0] + "." + b.zone().Zone.Name
		case "override":
			i.Override = append(i.Override, rest[0])
		default:
			require.Fail(b.t, "what is "+word, r.text)
		}
		rest = rest[1:]
	}
	return i
}

// end ends what the row names.
func (b *timelineBed) end(r *scenarioRow) error {
	kind := health.IntentDrain
	var scope health.Scope
	switch {
	case r.verb == "unready":
		kind, scope = health.IntentReady, b.scope("pool", r.args[0])
	case r.args[0] == "weight":
		kind, scope = health.IntentWeight, b.scope("pool", r.args[1])
	case r.args[0] == "force":
		kind, scope = health.IntentForce, b.scope("endpoint", r.args[1])
	default:
		scope = b.scope(r.args[0], r.args[1])
	}
	var ids []health.IntentID
	for _, i := range b.engine.Intents() {
		if i.Kind == kind && i.Scope == scope {
			ids = append(ids, i.ID)
		}
	}
	return b.engine.EndIntent(ids, "ada", "timeline")
}

// intended answers the questions about intents and returns.
func (b *timelineBed) intended(r *scenarioRow) string {
	words := []string{}
	zv := b.zone()
	switch r.verb {
	case "intents":
		for _, i := range b.engine.Intents() {
			state := "in force"
			switch {
			case i.Planned:
				state = "planned"
			case i.Suspended != nil:
				state = "suspended by " + i.Suspended.Rule
			case i.Nothing:
				state = "names nothing"
			}
			words = append(words, fmt.Sprintf("%s %s %s", i.Kind, i.Scope, state))
		}
	case "share":
		words = b.shares(r.args[0])
	case "drained":
		service := b.service(r.args[0])
		for _, pi := range zv.Zone.Services[service].Pools {
			for i, e := range zv.Zone.Pools[pi].Endpoints {
				if zv.Drained(service, health.EndpointRef{Pool: pi, Endpoint: i}) {
					words = append(words, zv.Zone.Pools[pi].Name+"/"+e.Name)
				}
			}
		}
	case "weights":
		service := b.service(r.args[0])
		for _, tier := range zv.Zone.Services[service].Tiers {
			for _, s := range tier {
				p := zv.Zone.Pools[s.Pool]
				words = append(words, fmt.Sprintf("%s %d", p.Name, zv.PoolWeight(service, s.Pool, s.Weight)))
				for i, e := range p.Endpoints {
					if w := zv.EndpointWeight(service, health.EndpointRef{Pool: s.Pool, Endpoint: i}); w != e.Weight {
						words = append(words, fmt.Sprintf("%s/%s %d", p.Name, e.Name, w))
					}
				}
			}
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

func (b *timelineBed) service(name string) int {
	z := b.zone().Zone
	i := slices.IndexFunc(z.Services, func(s *config.Service) bool { return b.short(s.Name) == name })
	require.GreaterOrEqual(b.t, i, 0, "service %s", name)
	return i
}

// shares are what services give a pool, and its AZs, less than the whole.
func (b *timelineBed) shares(pool string) []string {
	zv := b.zone()
	pi := slices.IndexFunc(zv.Zone.Pools, func(p *config.Pool) bool { return p.Name == pool })
	require.GreaterOrEqual(b.t, pi, 0, "pool %s", pool)
	p, view := zv.Zone.Pools[pi], zv.Pools[pi]
	var words []string
	for _, si := range p.Services {
		s := zv.Zone.Services[si]
		if percent, _ := view.Return.Share(s.FailbackOf(p), view.At); percent < health.Whole {
			words = append(words, fmt.Sprintf("%s %d", b.short(s.Name), percent))
		}
		for a, r := range view.ReturnAZ {
			if percent, _ := r.Share(s.FailbackOf(p), view.At); percent < health.Whole {
				words = append(words, fmt.Sprintf("%s %d in %s", b.short(s.Name), percent, zv.Zone.AZs[p.AZWeights[a].AZ].Name))
			}
		}
	}
	return words
}
