package rollover

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// A Node is one configured node and what it said of a zone.
type Node struct {
	Name string
	// Word is nil where the node has not said, and Why says why not. At is when the word arrived.
	Word *Word
	Why  string
	At   time.Time
}

// A when is from when on something holds on every node, as far as is known.
type when struct {
	at time.Time
	// unknown says which node has not said, notYet which one speaks against it; empty for none.
	unknown, notYet string
}

// and is when both hold.
func (w when) and(o when) when {
	if w.unknown == "" {
		w.unknown = o.unknown
	}
	if w.notYet == "" {
		w.notYet = o.notYet
	}
	w.at = ledger.Later(w.at, o.at)
	return w
}

// passed tells whether it is known to hold at now.
func (w when) passed(now time.Time) bool {
	return w.unknown == "" && w.notYet == "" && !now.Before(w.at)
}

// A judge puts together what all nodes said of one zone.
type judge struct {
	nodes   []Node
	transit time.Duration
	now     time.Time
}

// each is when every node's part holds: which part says why it does not so far, or how long it takes.
func (j *judge) each(part func(w *Word) (against string, seconds float64)) (all when) {
	for i := range j.nodes {
		n := &j.nodes[i]
		switch {
		case n.Word == nil:
			all = all.and(when{unknown: n.Name + " " + n.Why})
		case n.Word.Unknown != "":
			all = all.and(when{unknown: n.Name + ": " + n.Word.Unknown})
		default:
			against, seconds := part(n.Word)
			if against != "" {
				all = all.and(when{notYet: n.Name + " " + against})
				continue
			}
			all = all.and(when{at: n.At.Add(ledger.Slow(left(seconds)) + j.transit)})
		}
	}
	return all
}

// everywhere is when no cache holds an answer of any node that lacks a mark.
func (j *judge) everywhere(mark, lacking string) when {
	return j.each(func(w *Word) (string, float64) {
		m := w.of(mark)
		if m.Lacks {
			return lacking, 0
		}
		return "", m.Without
	})
}

// nowhere is when no cache holds an answer of any node that has a mark.
func (j *judge) nowhere(mark, having string) when {
	return j.each(func(w *Word) (string, float64) {
		m := w.of(mark)
		if m.Has {
			return having, 0
		}
		return "", m.With
	})
}

// known is when the key is in every DNSKEY RRset that a cache holds, trusted when a DS of it alone leads to all that caches hold.
func (j *judge) known(id string) when {
	return j.everywhere(inSet(id), "answers the DNSKEY RRset without it")
}

func (j *judge) trusted(k *config.Key) when {
	return j.known(idOf(k)).and(j.everywhere(entry(idOf(k)), "answers the DNSKEY RRset without its signature")).
		and(j.everywhere(whole(k.Algorithm), "answers without signatures of "+k.AlgorithmName()))
}

// forgotten is when no cache holds what the key has signed of the zone's data.
func (j *judge) forgotten(id string) when { return j.nowhere(signed(id), "answers what it signs") }

// Judge says what is to be done about the keys of a zone, and when that is safe. signed tells whether the asked node answers it with signatures;
// transit is how late a resolver may still accept an answer.
func Judge(z *config.Zone, signed bool, nodes []Node, transit time.Duration, now time.Time) *api.ZoneKeys {
	j := &judge{nodes: nodes, transit: transit, now: now}
	out := &api.ZoneKeys{At: now, Zone: z.Name, Signed: signed, Keys: []api.ZoneKey{}, Steps: []api.KeyStep{}, Nodes: []api.KeyNode{}}
	for i := range nodes {
		n := &nodes[i]
		shown := api.KeyNode{Node: n.Name, Said: n.Word != nil && n.Word.Unknown == "", Why: n.Why, Served: n.Word != nil && n.Word.Served}
		if n.Word != nil {
			shown.Why = n.Word.Unknown
			if at := n.At.Add(ledger.Slow(left(n.Word.First)) + transit); at.After(now) && (out.BeforeUntil == nil || at.After(*out.BeforeUntil)) {
				at = at.UTC()
				out.BeforeUntil = &at
			}
			if !n.Word.Served {
				out.Trouble = append(out.Trouble, "node "+n.Name+" does not answer the zone")
			}
		}
		out.Nodes = append(out.Nodes, shown)
	}
	if z.DNSSEC != nil {
		out.ValiditySeconds = z.DNSSEC.Validity.Seconds()
		for _, k := range z.DNSSEC.Keys {
			one := api.ZoneKey{Tag: k.Tag, Role: k.Role(), Algorithm: k.AlgorithmName(), State: k.State(now)}
			if at := k.NextChange(now); !at.IsZero() {
				at = at.UTC()
				one.NextChangeAt = &at
			}
			out.Keys = append(out.Keys, one)
			out.Steps = append(out.Steps, j.steps(z, k)...)
			for _, what := range z.KeyTrouble(k) {
				out.Trouble = append(out.Trouble, fmt.Sprintf("%s %d: %s", k.Role(), k.Tag, what))
			}
		}
		for _, k := range z.OtherKeys() {
			one := api.ZoneKey{Tag: k.Tag, Role: "ZSK", Algorithm: k.AlgorithmName(), State: "published", Other: true}
			if k.KSK() {
				one.Role = "KSK"
			} else {
				out.Steps = append(out.Steps, j.step(k.Tag, one.Role, api.KeyStepSign, "", j.known(idIn(k.Algorithm, k.Tag, k.Data))))
			}
			out.Keys = append(out.Keys, one)
		}
	}
	if !signed {
		out.Steps = append(out.Steps, api.KeyStep{Step: api.KeyStepNoDS, Safe: api.KeySafeNow})
	}
	out.Trouble = append(out.Trouble, j.broken()...)
	return out
}

// steps are those of one key.
func (j *judge) steps(z *config.Zone, k *config.Key) []api.KeyStep {
	switch state := k.State(j.now); {
	case k.KSK() && state == "active":
		return []api.KeyStep{j.step(k.Tag, k.Role(), api.KeyStepDS, answer.DSText(z, k), j.trusted(k))}
	case k.KSK() && state == "published":
		return []api.KeyStep{j.step(k.Tag, k.Role(), api.KeyStepDSBeside, answer.DSText(z, k), j.known(idOf(k)))}
	case state == "published":
		return []api.KeyStep{j.step(k.Tag, k.Role(), api.KeyStepSign, "", j.known(idOf(k)))}
	case state == "retired" || state == "removed":
		leave := j.step(k.Tag, k.Role(), api.KeyStepLeave, "", j.forgotten(idOf(k)))
		if k.KSK() {
			return []api.KeyStep{j.step(k.Tag, k.Role(), api.KeyStepNoDS, "", when{}), leave}
		}
		return []api.KeyStep{leave}
	}
	return nil
}

func (j *judge) step(tag uint16, role, what, ds string, w when) api.KeyStep {
	s := api.KeyStep{Step: what, Tag: tag, Role: role, DS: ds}
	switch {
	case w.notYet != "":
		s.Safe, s.Why = api.KeySafeNotYet, w.notYet
	case w.unknown != "":
		s.Safe, s.Why = api.KeySafeUnknown, w.unknown
	case j.now.Before(w.at):
		at := w.at.UTC()
		s.Safe, s.SafeAt = api.KeySafeFrom, &at
	default:
		s.Safe = api.KeySafeNow
	}
	return s
}

// broken is what validators cannot verify now: what a key has signed that caches do not know yet, or do not learn any more, and no other key has
// signed too. A zone that was not signed whole before has no DS to verify by.
func (j *judge) broken() (trouble []string) {
	for _, mark := range j.marks() {
		id, ok := strings.CutPrefix(mark, "data ")
		if !ok {
			continue
		}
		algorithm, rest, _ := strings.Cut(id, "/")
		tag, _, _ := strings.Cut(rest, "/")
		if !j.everywhere("algorithm "+algorithm, "lacks it").passed(j.now) || j.other(id, algorithm) {
			continue
		}
		at := func(w when) string { return w.at.UTC().Format(time.RFC3339) }
		given, lacking := j.nowhere(mark, "has it"), j.known(id)
		switch {
		case given.unknown != "" || lacking.unknown != "":
		case given.notYet != "" && lacking.notYet != "":
			trouble = append(trouble, fmt.Sprintf("key %s signs, and %s: validators refuse what it signed", tag, lacking.notYet))
		case given.notYet != "" && lacking.at.After(j.now):
			trouble = append(trouble, fmt.Sprintf("key %s signs, and until %s caches hold the DNSKEY RRset without it: validators behind them refuse what it signed", tag, at(lacking)))
		case given.notYet == "" && given.at.After(j.now) && lacking.notYet != "":
			trouble = append(trouble, fmt.Sprintf("key %s has left, and until %s caches hold what it signed: validators refuse that", tag, at(given)))
		}
	}
	return trouble
}

// other tells whether another key than that of id, which caches know, has signed all that they hold.
func (j *judge) other(id, algorithm string) bool {
	return slices.ContainsFunc(j.marks(), func(m string) bool {
		o, ok := strings.CutPrefix(m, "data "+algorithm+"/")
		o = algorithm + "/" + o
		return ok && o != id && j.known(o).passed(j.now) && j.everywhere(m, "lacks it").passed(j.now)
	})
}

// marks are those that any node has a word about, sorted.
func (j *judge) marks() (names []string) {
	for i := range j.nodes {
		if w := j.nodes[i].Word; w != nil {
			for _, m := range w.Marks {
				names = append(names, m.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
