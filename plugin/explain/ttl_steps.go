package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// maxTTLSteps bounds what one Look of TTLSteps gives: an outage of a thousand pools is told by its incident.
const maxTTLSteps = 20

// TTLSteps tells of services whose TTLs fall below what they are in peace, fall further, or are back. One that rises on its way back is told
// when it has arrived, so that what trembles is told once. It is not safe for concurrent use.
type TTLSteps struct {
	// low are the services below their TTL in peace, by name, with the least TTL that was told since.
	low map[string]uint32
}

// A TTLStep is a step that services took together: between the same TTLs, for the same cause.
type TTLStep struct {
	// Subject is the service if there is one alone, else what causes the step (ZONE/POOL), else the zone; without final dots.
	Subject string
	// Services is how many took it, at least 1.
	Services int
	// Before and TTL are in seconds; Back is set where TTL is what it is in peace.
	Before, TTL uint32
	Back        bool
	// Cause is why, in words; empty where Back is set.
	Cause string
}

// Text is the step in words.
func (s TTLStep) Text() string {
	what := "the TTL"
	if s.Services > 1 {
		what = fmt.Sprintf("the TTLs of %d services", s.Services)
	}
	if s.Back {
		return fmt.Sprintf("%s rose from %d s to %d s, as in peace", what, s.Before, s.TTL)
	}
	return fmt.Sprintf("%s fell from %d s to %d s: %s", what, s.Before, s.TTL, s.Cause)
}

// stepKey is what services that take a step together have in common.
type stepKey struct {
	zone        *health.ZoneView
	before, ttl uint32
	reason      answer.TTLReason
	pool        int
}

// Look gives the steps since the last Look, those of most services first, and how many more there are. The first Look takes what is below
// peace as a step.
func (t *TTLSteps) Look(s *answer.Snapshot, now time.Time) (list []TTLStep, more int) {
	low, steps := make(map[string]uint32), make(map[stepKey]*TTLStep)
	for is := range s.TTLs(now) {
		svc := is.Zone.Zone.Services[is.Service]
		before, wasLow := t.low[svc.Name]
		if !wasLow {
			before = is.Max
		}
		back := is.TTL >= is.Max
		if !back {
			low[svc.Name] = min(before, is.TTL)
		}
		if is.TTL == before || back != wasLow && is.TTL > before {
			continue
		}
		key := stepKey{is.Zone, before, is.TTL, is.Reason, is.Pool}
		if steps[key] == nil {
			steps[key] = &TTLStep{Subject: strings.TrimSuffix(svc.Name, "."), Before: before, TTL: is.TTL, Back: back, Cause: cause(is, svc)}
		}
		if steps[key].Services++; steps[key].Services == 2 {
			steps[key].Subject = together(is)
		}
	}
	t.low = low
	for _, s := range steps {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b TTLStep) int {
		return cmp.Or(cmp.Compare(b.Services, a.Services), strings.Compare(a.Subject, b.Subject), cmp.Compare(a.TTL, b.TTL), cmp.Compare(a.Before, b.Before))
	})
	return list[:min(len(list), maxTTLSteps)], max(0, len(list)-maxTTLSteps)
}

// together is the subject of a step that more than one service takes.
func together(t answer.ServiceTTL) string {
	zone := strings.TrimSuffix(t.Zone.Zone.Name, ".")
	switch t.Reason {
	case answer.TTLHorizon, answer.TTLTrouble, answer.TTLPlanned, answer.TTLResolved:
		return zone + "/" + t.Zone.Zone.Pools[t.Pool].Name
	default:
		return zone
	}
}

// cause is why the TTL is not what it is in peace.
func cause(t answer.ServiceTTL, svc *config.Service) string {
	if t.TTL >= t.Max {
		return ""
	}
	why, forcedBy := ttlReason(t.Zone, svc, t.Reason, t.Pool, t.Endpoint)
	if len(forcedBy) > 0 {
		why += " (" + strings.Join(forcedBy, ", ") + ")"
	}
	return why
}
