package ui

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// payloadOf is the certificate in an envelope of this node's own.
func payloadOf(e *ledger.Envelope) *ledger.Certificate {
	c := new(ledger.Certificate)
	if json.Unmarshal(e.Payload, c) != nil {
		return nil
	}
	return c
}

// download hands on a reply of the API as a file.
func download(path func(id string) string, name string) func(*visit) {
	return func(v *visit) {
		id := v.r.PathValue("id")
		status, media, reply := v.ui.opts.Backend.Call(v.r, v.Login, http.MethodGet, path(id), nil)
		v.w.Header().Set("Content-Type", media)
		if status == http.StatusOK {
			v.w.Header().Set("Content-Disposition", `attachment; filename="`+strings.Map(fileLetter, id)+name+`"`)
		}
		v.w.WriteHeader(status)
		// Who went away has no use for it.
		_, _ = v.w.Write(reply)
	}
}

func fileLetter(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' {
		return r
	}
	return '_'
}

// An incidentPage is the report of an incident, drawn.
type incidentPage struct {
	Incident *ledger.Incident
	Caches   incidentCaches
	Steps    []step
	Parts    []part
	Events   []api.Event
}

// A step is an instant of an incident.
type step struct {
	At   time.Time
	Word string
	Mark string
	// After is the time since the step before, in seconds.
	After float64
}

// A part is one phase of an incident in the bar that draws them: from and width in percents.
type part struct {
	Word        string
	Seconds     float64
	From, Width float64
	Tone        int
}

func loadIncident(v *visit) (any, error) {
	i := new(ledger.Incident)
	if err := v.get(api.IncidentPath(v.r.PathValue("id")), i); err != nil {
		return nil, err
	}
	p := &incidentPage{Incident: i, Caches: cachesOf(v, i), Steps: stepsOf(i), Parts: partsOf(&i.Phases)}
	for _, e := range v.ui.opts.Backend.Events(api.MaxEvents) {
		if !e.At.Before(i.OpenedAt.Add(-lead)) && !e.At.After(endOf(i, v.Now)) {
			p.Events = append(p.Events, e)
		}
	}
	return p, nil
}

// lead is how long before an incident, and after it, what happened is shown with it.
const lead = 10 * time.Second

// stepsOf are the instants of an incident that have come, in their order.
func stepsOf(i *ledger.Incident) []step {
	var out []step
	add := func(at time.Time, shape, word string) {
		if !at.IsZero() {
			out = append(out, step{At: at, Mark: shape, Word: word})
		}
	}
	add(i.LastGoodProbe, "up", "last good probe")
	add(i.FirstFailedProbe, "suspect", "first failed probe")
	add(i.SuspectAt, "suspect", "suspicion shortens TTLs")
	add(i.VerdictAt, "down", "judged to be down")
	if i.Kind != ledger.ByHealth {
		add(i.OpenedAt, "drained", "ordered")
	}
	if i.FirstLeftAt.Before(i.LeftAt) {
		add(i.FirstLeftAt, "note", "the first of it in no new answer of this node")
	}
	add(i.LeftAt, "note", "in no new answer of this node")
	for _, c := range i.Confirmed {
		add(c.Quiet, "note", c.Node+" answers it no more, for certain")
	}
	switch {
	case i.PartlyBack():
		add(i.ForgottenAt, "up", "no honest cache held what had not come back: each node has said so since")
	case i.Forgotten():
		add(i.ForgottenAt, "up", "no honest cache held it: each node has said so since")
	case !i.CameBack():
		add(i.SafeAt, "unknown", "the last honest cache forgets by then, as far as is known now")
	}
	for _, w := range i.Void {
		add(w.At, "down", w.Node+" answered "+w.Endpoint+" again")
	}
	add(i.ReturnedAt, "up", "all of it is answered again")
	add(i.ClosedAt, "note", "closed")
	slices.SortStableFunc(out, func(a, b step) int { return a.At.Compare(b.At) })
	for k := 1; k < len(out); k++ {
		out[k].After = out[k].At.Sub(out[k-1].At).Seconds()
	}
	return out
}

// partsOf are the phases of an incident that follow each other.
func partsOf(p *ledger.Phases) []part {
	var out []part
	total := 0.0
	for k, one := range []struct {
		word    string
		seconds *float64
	}{{"detection", p.Detection}, {"decision", p.Decision}, {"propagation", p.Propagation}, {"cache residue", p.CacheResidue}} {
		if one.seconds != nil {
			out = append(out, part{Word: one.word, Seconds: *one.seconds, Tone: 2 * k})
			total += *one.seconds
		}
	}
	from := 0.0
	for k := range out {
		if total > 0 {
			out[k].From, out[k].Width = from, out[k].Seconds/total*100
			from += out[k].Width
		}
	}
	return out
}
