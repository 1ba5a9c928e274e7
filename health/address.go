package health

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// Each are the verdicts on the addresses of an endpoint that has one of each family, by config.Family. It is never written after it was
// published.
type Each [2]Verdict

// standing is how good a claim to be answered a verdict gives.
type standing uint8

// The standings, from none on.
const (
	standsOut standing = iota
	standsDoubted
	standsUntried
	standsUp
)

func (v *Verdict) standing() standing {
	switch {
	case v.InService():
		return standsUp
	case v.Pending() && !v.Doubted:
		return standsUntried
	case v.Pending():
		return standsDoubted
	}
	return standsOut
}

// Withheld tells whether the endpoint's address of family f is not to be answered although the endpoint is: its sister is known to be better.
// An operator's force is about both. Of two that are down the one is withheld that had gone long before the other: what stood in the last
// good answer was the other one.
func (e *EndpointView) Withheld(f config.Family) bool {
	if e.Each == nil || e.Forced != Unknown {
		return false
	}
	is, other := &e.Each[f], &e.Each[1-f]
	mine, its := is.standing(), other.standing()
	if mine == standsOut && its == standsOut {
		return !other.Left.IsZero() && is.Left.Before(other.Left.Add(-RemovalWindow))
	}
	return mine < min(its, standsUntried)
}

// Withholds tells whether one of the endpoint's addresses is withheld.
func (e *EndpointView) Withholds() bool { return e.Withheld(config.IPv4) || e.Withheld(config.IPv6) }

// Best is the verdict on an endpoint from those on its addresses: it is in service while one of them is, out when both are. prev is the
// verdict before. Suspicion of one address is suspicion of the endpoint: its record may leave.
func Best(e *config.Endpoint, each *Each, prev Verdict, now time.Time) Verdict {
	v4, v6 := &each[config.IPv4], &each[config.IPv6]
	v := Verdict{
		Stale: v4.Stale && v6.Stale, Lost: v4.Lost && v6.Lost, Doubted: v4.standing() < standsUntried && v6.standing() < standsUntried,
		Since: prev.Since,
	}
	switch {
	case v4.State == Suspect || v6.State == Suspect:
		v.State = Suspect
		v.Disputed = !v4.forces() && !v6.forces()
	case v4.InService() || v6.InService():
		v.State = Up
	case v4.State == Down && v6.State == Down:
		v.State = Down
	}
	v.Doubted = v.Doubted && v.Pending()
	v.Failing = v4.Failing || v6.Failing
	for _, f := range config.Families() {
		of := &each[f]
		if !of.SuspectSince.IsZero() && (v.SuspectSince.IsZero() || of.SuspectSince.Before(v.SuspectSince)) {
			v.SuspectSince = of.SuspectSince
		}
		if of.Reason == "" || of.State == Up {
			continue
		}
		if v.Reason != "" {
			v.Reason += "; "
		}
		v.Reason += e.Addr(f).String() + ": " + of.Reason
	}
	if v.InService() != prev.InService() || prev.Pending() && !v.Pending() {
		v.Since = now
	}
	if !v.InService() {
		if v.Left = prev.Left; prev.InService() {
			v.Left = now
		}
	}
	return v
}

// forces tells whether the verdict is one of suspicion that forces the TTL.
func (v *Verdict) forces() bool { return v.State == Suspect && !v.Disputed }

// uneasy tells whether an address that may be answered could leave any moment. One of which no vantage can tell anything cannot.
func (v *Verdict) uneasy() bool {
	return v.forces() || v.Stale && v.InService() || v.Pending() && !v.Mute
}

func (e *EndpointView) answersUneasily(f config.Family) bool {
	return !e.Withheld(f) && e.Each[f].uneasy()
}

// sameAddresses tells whether e and f answer the same addresses, for as long.
func (e *EndpointView) sameAddresses(f *EndpointView) bool {
	if e.Each == f.Each {
		return true
	}
	for _, family := range config.Families() {
		if e.Withheld(family) != f.Withheld(family) {
			return false
		}
	}
	return true
}
