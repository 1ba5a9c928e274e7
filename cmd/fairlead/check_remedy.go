package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// intervals are those that a remedy may propose: what people write.
var intervals = []time.Duration{
	30 * time.Second, 20 * time.Second, 10 * time.Second, 5 * time.Second, 4 * time.Second, 3 * time.Second, 2 * time.Second,
	time.Second, 500 * time.Millisecond, 250 * time.Millisecond, 100 * time.Millisecond,
}

// A trial is a service with settings that can be turned, and the bound that they would give. It shares nothing that it
// writes with the zone.
type trial struct {
	svc    config.Service
	checks []config.Check
	// lost is the strictest on_vantages_lost of the pools of the service: a remedy is for all of them.
	lost config.SilencePolicy
	a    steer.Allowances
}

func newTrial(z *config.Zone, svc *config.Service, a steer.Allowances) *trial {
	t := &trial{svc: *svc, a: a}
	for _, p := range svc.Pools {
		t.lost = max(t.lost, z.Pools[p].OnVantagesLost)
	}
	for _, c := range leafChecks(z, svc) {
		t.checks = append(t.checks, *c)
	}
	return t
}

// leafChecks are the checks that move svc and are probed: those that steer.BoundOf takes the worst of.
func leafChecks(z *config.Zone, svc *config.Service) []*config.Check {
	var watched []int
	for _, p := range svc.Pools {
		watched = append(watched, z.Pools[p].Watched()...)
	}
	var out []*config.Check
	for _, i := range z.Leaves(watched...) {
		out = append(out, z.Checks[i])
	}
	return out
}

// turned is a copy of t with some settings changed.
func (t *trial) turned(turn func(*trial)) *trial {
	u := &trial{svc: t.svc, checks: append([]config.Check(nil), t.checks...), lost: t.lost, a: t.a}
	turn(u)
	return u
}

// bound is S by the one definition that everything uses.
func (t *trial) bound() time.Duration {
	z := &config.Zone{}
	svc := t.svc
	svc.Pools = nil
	for i := range t.checks {
		z.Checks = append(z.Checks, &t.checks[i])
		z.Pools = append(z.Pools, &config.Pool{Check: i, OnVantagesLost: t.lost})
		svc.Pools = append(svc.Pools, i)
	}
	return steer.BoundOf(z, &svc, t.a).S
}

func (t *trial) fits() bool { return t.bound() <= t.svc.Staleness.Target }

func (t *trial) setFall(n int) {
	for i := range t.checks {
		t.checks[i].Fall = min(t.checks[i].Fall, n)
	}
}

func (t *trial) setInterval(d time.Duration) {
	for i := range t.checks {
		t.checks[i].Interval = min(t.checks[i].Interval, d)
	}
}

// remedy says what brings S under the target: each knob by itself, or else two together.
func remedy(z *config.Zone, svc *config.Service, a steer.Allowances) string {
	t := newTrial(z, svc, a)
	var one []string
	for _, knob := range []func(*trial) string{(*trial).byMax, (*trial).byMode, (*trial).byFall, (*trial).byInterval, (*trial).byMin} {
		if text := knob(t); text != "" {
			one = append(one, text)
		}
	}
	if len(one) > 0 {
		return strings.Join(one, ", or ")
	}
	if text := t.byTwo(); text != "" {
		return text
	}
	least := t.turned(func(u *trial) {
		u.svc.TTL.Min, u.svc.TTL.Max = 1, 1
		u.setFall(1)
	})
	return fmt.Sprintf("with these intervals and timeouts no fall and no ttl gives less than %s: lower the interval or raise the target", least.bound())
}

func (t *trial) byMax() string {
	for ttl := t.svc.TTL.Max; ttl > t.svc.TTL.Min && ttl > 1; {
		ttl = config.Ladder(ttl - 1)
		if t.turned(func(u *trial) { u.svc.TTL.Max = ttl }).fits() {
			return fmt.Sprintf("lower ttl.max to %ds", ttl)
		}
	}
	return ""
}

func (t *trial) byMin() string {
	for ttl := t.svc.TTL.Min; ttl > 1; {
		ttl = config.Ladder(ttl - 1)
		if t.turned(func(u *trial) { u.svc.TTL.Min = ttl }).fits() {
			return fmt.Sprintf("lower ttl.min to %ds", ttl)
		}
	}
	return ""
}

func (t *trial) byMode() string {
	if t.svc.TTL.Mode == config.Ceiling && t.turned(func(u *trial) { u.svc.TTL.Mode = config.Horizon }).fits() {
		return "set ttl.mode to horizon"
	}
	return ""
}

func (t *trial) byFall() string {
	for n := t.maxFall() - 1; n >= 1; n-- {
		if t.turned(func(u *trial) { u.setFall(n) }).fits() {
			return fmt.Sprintf("lower fall to %d in %s", n, t.names(func(c config.Check) bool { return c.Fall > n }))
		}
	}
	return ""
}

func (t *trial) byInterval() string {
	for _, d := range intervals {
		longer := t.names(func(c config.Check) bool { return c.Interval > d })
		if longer == "" || t.names(func(c config.Check) bool { return c.Interval > d && c.Timeout >= d }) != "" {
			continue
		}
		if t.turned(func(u *trial) { u.setInterval(d) }).fits() {
			return fmt.Sprintf("lower interval to %s in %s", d, longer)
		}
	}
	return ""
}

// byTwo gives up as little of ttl.max as it can, then as little of fall.
func (t *trial) byTwo() string {
	for ttl := t.svc.TTL.Max; ; ttl = config.Ladder(ttl - 1) {
		for n := t.maxFall(); n >= 1; n-- {
			u := t.turned(func(u *trial) {
				u.svc.TTL.Max, u.svc.TTL.Min = ttl, min(u.svc.TTL.Min, ttl)
				u.setFall(n)
			})
			if !u.fits() {
				continue
			}
			text := fmt.Sprintf("lower ttl.max to %ds and fall to %d in %s", ttl, n, t.names(func(c config.Check) bool { return c.Fall > n }))
			if u.svc.TTL.Min < t.svc.TTL.Min {
				text = fmt.Sprintf("lower ttl.min to %ds, ", ttl) + text
			}
			return text
		}
		if ttl <= 1 {
			return ""
		}
	}
}

func (t *trial) maxFall() int {
	n := 1
	for _, c := range t.checks {
		n = max(n, c.Fall)
	}
	return n
}

// names are the checks for which is holds, for a message.
func (t *trial) names(is func(config.Check) bool) string {
	var out []string
	for _, c := range t.checks {
		if is(c) {
			out = append(out, c.Name)
		}
	}
	switch len(out) {
	case 0:
		return ""
	case 1:
		return "check " + out[0]
	default:
		return "checks " + strings.Join(out, ", ")
	}
}
