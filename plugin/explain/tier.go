package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// tiers explains the plan tier by tier.
func (e *explanation) tiers(svc *config.Service) {
	trace := steer.Explain(e.look.Zone, svc, e.look.Service, e.look.Plan.Key, e.family())
	if trace == nil {
		return
	}
	for _, t := range trace.Tiers {
		out := api.ExplainTier{Tier: t.Ref.Index + 1, Rule: t.Ref.Rule + 1, Answers: t.Answers}
		switch {
		case t.Answers:
		case !t.Reached:
			out.Why = "an earlier tier answers"
		default:
			out.Why = t.Why.String()
		}
		for _, p := range t.Pools {
			pool := e.pool(svc, p)
			out.Share += pool.Share
			out.Pools = append(out.Pools, pool)
		}
		e.out.Tiers = append(e.out.Tiers, out)
	}
}

// family is that of the members whose shares are shown.
func (e *explanation) family() steer.Family {
	switch e.look.Type {
	case dns.TypeAAAA:
		return steer.V6
	case dns.TypeCNAME:
		return steer.Target
	case dns.TypeSRV, dns.TypeHTTPS:
		return steer.Any
	}
	return steer.V4
}

func (e *explanation) pool(svc *config.Service, p steer.PoolTrace) api.ExplainPool {
	cfg, view := e.zone.Pools[p.Pool], e.look.Zone.Pools[p.Pool]
	out := api.ExplainPool{
		Pool: cfg.Name, Region: e.zone.Regions[cfg.Region].Name, WeightConfigured: p.Configured, Weight: p.Weight, Share: p.Share,
	}
	var why []string
	switch {
	case p.Weight == 0:
		why = append(why, "weight 0")
	case !p.Available && (p.Why != steer.SkipHeld || !view.Return.On()):
		why = append(why, p.Why.String())
	}
	if p.Weight != p.Configured {
		why = append(why, "weight overridden")
	}
	if p.Capped {
		text := "at its max_share of %d %%"
		if p.Share*100 > float64(cfg.MaxShare)+0.01 {
			text = "over its max_share of %d %%: nobody can take the rest"
		}
		why = append(why, fmt.Sprintf(text, cfg.MaxShare))
	}
	out.Why = strings.Join(append(why, returning(view.Return, svc.FailbackOf(cfg), view.At)...), ", ")
	for _, a := range p.AZs {
		out.AZs = append(out.AZs, e.az(svc, p.Pool, a))
	}
	return out
}

// returning says in words how a pool or an AZ on its way back stands.
func returning(r health.Return, f config.Failback, at time.Time) []string {
	percent, next := r.Share(f, at)
	switch {
	case percent == health.Whole:
		return nil
	case percent > 0:
		return []string{fmt.Sprintf("ramp: %d %% of its share until %s", percent, clock(next))}
	case next.IsZero() && f.Mode == config.FailbackNever:
		return []string{"returns only with a new configuration"}
	case next.IsZero():
		return []string{"waits for `fairlead failback`"}
	}
	return []string{"held until " + clock(next)}
}

// clock is a time of day in UTC.
func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }

func (e *explanation) az(svc *config.Service, pool int, a steer.AZTrace) api.ExplainAZ {
	cfg, view := e.zone.Pools[pool], e.look.Zone.Pools[pool]
	out := api.ExplainAZ{AZ: e.zone.AZs[a.AZ].Name, Share: a.Share}
	if a.Configured >= 0 {
		out.WeightConfigured = &a.Configured
	}
	for i := range view.ReturnAZ {
		if cfg.AZWeights[i].AZ == a.AZ && !view.Return.On() {
			out.Why = strings.Join(returning(view.ReturnAZ[i], svc.FailbackOf(cfg), view.At), ", ")
		}
	}
	if a.Configured == 0 {
		out.Why = "weight 0: never"
	}
	for _, ep := range a.Endpoints {
		out.Endpoints = append(out.Endpoints, e.endpoint(cfg.Endpoints[ep.Endpoint], view.Endpoints[ep.Endpoint], ep))
	}
	return out
}

func (e *explanation) endpoint(cfg *config.Endpoint, view health.EndpointView, t steer.EndpointTrace) api.ExplainEndpoint {
	const hundredths = 100
	state := view.Shown()
	if t.Drained {
		state = health.Drained
	}
	out := api.ExplainEndpoint{
		Endpoint: cfg.Name, State: state.String(), WeightConfigured: t.Configured, Weight: float64(t.Weight) / hundredths, Share: t.Share,
	}
	var why []string
	say := func(is bool, words string) {
		if is && words != "" {
			why = append(why, words)
		}
	}
	say(t.Kept, "kept by the speed limit")
	say(view.Forced != health.Unknown, "forced "+view.Forced.String()+"; by health "+view.State.String())
	say(view.State == health.Down || view.State == health.Suspect, view.Reason)
	say(view.Pending(), "never judged")
	say(view.Stale, "judged long ago")
	say(view.Reduction > 0, fmt.Sprintf("asks for %d %% less", view.Reduction))
	say(t.Weight == 0 && view.Reduction < hundredths, "weight 0")
	say(t.Weight != uint64(t.Configured*(hundredths-view.Reduction)), "weight overridden")
	for _, f := range config.Families() {
		if view.Withheld(f) {
			say(true, fmt.Sprintf("%s down: %s", f, withheldText(cfg, &view, f)))
		}
	}
	say(!e.answers(cfg), "no "+dns.TypeToString[e.typ]+" record")
	out.Why = strings.Join(why, ", ")
	return out
}

// withheldText is which address is withheld, and why.
func withheldText(cfg *config.Endpoint, view *health.EndpointView, f config.Family) string {
	text := cfg.Addr(f).String()
	if reason := view.Each[f].Reason; reason != "" {
		text += " (" + reason + ")"
	}
	return text
}

// answers tells whether the endpoint has what was asked for.
func (e *explanation) answers(cfg *config.Endpoint) bool {
	switch e.typ {
	case dns.TypeA:
		return cfg.V4.IsValid() || cfg.Target != ""
	case dns.TypeAAAA:
		return cfg.V6.IsValid() || cfg.Target != ""
	}
	return true
}
