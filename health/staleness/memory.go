package staleness

import (
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// A Memory is where others ask what is known of answers that caches may hold. It may be used from any goroutine.
type Memory struct{ of *Staleness }

// Memory is where others ask.
func (s *Staleness) Memory() *Memory { return &Memory{s} }

// Departures are what this node does not answer any more, as of the last second, by RDATA and owner.
func (m *Memory) Departures() []departure.Departure { return m.of.opts.Departures.Shown() }

// Clear is from when on nothing that the nodes answered before their last starts can be in caches; why says why that is not known.
func (m *Memory) Clear() (at time.Time, why string) { return m.of.opts.Words.Clear() }

// Earlier is until when caches may hold answers of services that earlier processes of this node gave; why says why that is not known.
func (m *Memory) Earlier() (until time.Time, why string) { return m.of.opts.Words.Earlier() }

// OlderTTL is the greatest TTL of answers of before, where the files of now allow less and caches may hold one; 0 for none.
func (m *Memory) OlderTTL() time.Duration { return m.of.opts.Lives.Greatest().Older() }

// NameMaxTTL takes an operator's word for the greatest TTL that an earlier process of this node gave; 0 says that there was none.
func (m *Memory) NameMaxTTL(ttl time.Duration) error {
	return m.of.opts.Loop.Do(func(now time.Time) error {
		if m.of.opts.Lives.Greatest().Unnamed() == "" {
			return fmt.Errorf("%w: what this node answered before is known", health.ErrIntentConflict)
		}
		m.of.opts.Lives.Book().Lower(m.of.opts.Started.Add(ledger.Slow(ttl)))
		m.of.opts.Lives.NameTTL()
		m.of.Follow(now)
		return nil
	})
}

// Safety finds out whether anybody can still be sent to what a scope names.
func (m *Memory) Safety(scope health.Scope) (out departure.Safety, err error) {
	err = m.of.opts.Loop.Do(func(now time.Time) error {
		v, words := m.of.view, m.of.said(now)
		out = m.of.opts.Departures.Safety(scope, v, words, now)
		out.Others = words.OtherFiles()
		if out.Clear, out.Unclear = words.Nameable(); out.Asked {
			m.of.opts.Rounds.Urge()
		}
		return nil
	})
	return out, err
}

// Incidents are those that are kept, the newest last, as of the last second. They are not to be changed.
func (m *Memory) Incidents() []*ledger.Incident { return m.of.opts.Incidents.Incidents() }

// Amend changes what others know of an incident: what was seen to arrive late. amend must replace what it changes.
func (m *Memory) Amend(id string, amend func(*ledger.Incident)) (made *ledger.Incident, err error) {
	err = m.of.opts.Loop.Do(func(now time.Time) error {
		made, err = m.of.opts.Incidents.Amend(id, now, amend)
		return err
	})
	return made, err
}
