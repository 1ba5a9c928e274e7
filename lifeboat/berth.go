package lifeboat

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// saidAgain is by how much an end has to move for the line about it to be said again.
const saidAgain = 2 * time.Second

// A berth is one address of this machine, and how it stands with it. It is owned by the goroutine of Run.
type berth struct {
	address netip.Addr
	word    word
	gates   []*gate
	targets *targets
	// reachable is how many of the targets are not this machine.
	reachable int
	// carried is set once it was; over for good.
	carried, over bool
	// returned is set where somebody answered it again; drained tells whether an order kept it out while it was carried.
	returned, drained bool
	// resting is set once it was over, where the boat stays: until it is answered again nothing begins.
	resting bool
	// restsFrom is the end that was over then.
	restsFrom time.Time
	// said is the phase of the last line about it, saidUntil the end in it.
	said      string
	saidUntil time.Time
}

// take takes a node's word.
func (b *berth) take(a api.LifeboatAddress, own func(netip.Addr) bool, now time.Time) {
	b.word = wordOf(a, now)
	b.reachable = b.targets.set(a.Targets, own)
	if a.State == api.BoatDeparted {
		b.drained = a.Drained
	}
}

// course is what to do now.
func (b *berth) course(p policy, now time.Time) course {
	// An end that is later than the one that was over is another departure, whose return before was too short to be seen.
	again := b.word.State == api.BoatAnswered || b.word.State == api.BoatDeparted && b.word.until.After(b.restsFrom.Add(saidAgain))
	if b.resting = b.resting && !again; b.resting {
		return course{why: "over; it waits until it is answered again"}
	}
	c := p.courseOf(&b.word, b.carried, now)
	if c.carry && b.reachable == 0 {
		c.carry, c.why = false, "nobody is in service but this machine"
	}
	return c
}

// rest waits for the next departure.
func (b *berth) rest() {
	b.carried, b.over, b.returned, b.resting, b.restsFrom = false, false, false, true, b.word.until
}

// line is what to say of a course, once for each phase; empty for nothing new.
func (b *berth) line(c course, counts Counts, how string) string {
	phase := fmt.Sprint(c.carry, c.over, c.alone, c.why)
	moved := c.carry && (c.until.Sub(b.saidUntil).Abs() > saidAgain)
	if phase == b.said && !moved {
		return ""
	}
	b.said, b.saidUntil = phase, c.until
	name := b.word.Endpoint + " " + b.address.String()
	switch {
	case c.over && b.carried:
		last := ""
		if counts.LastAt != nil {
			last = ", the last at " + clock(*counts.LastAt)
		}
		return fmt.Sprintf("closed: %s: %s; %d arrived, %d forwarded%s", name, c.why, counts.Arrivals, counts.Forwarded, last)
	case c.over:
		return fmt.Sprintf("nothing to do: %s: %s", name, c.why)
	case c.carry:
		until := "; until when is not known yet"
		if !c.until.IsZero() {
			until = " until " + clock(c.until)
		}
		note := ""
		if c.alone || b.word.State == api.BoatForgot {
			note = "; " + c.why
		}
		return fmt.Sprintf("forwarding: %s (%s) to %s%s, by %s%s", name, b.ports(), endpoints(b.reachable), until, how, note)
	case b.resting:
	case b.word.State == api.BoatRefused || b.word.State == api.BoatDeparted:
		return fmt.Sprintf("refused: %s: %s", name, c.why)
	case c.alone:
		return fmt.Sprintf("waiting: %s: the node is out of reach; nothing begins without its word", name)
	}
	return fmt.Sprintf("waiting: %s: %s", name, c.why)
}

func (b *berth) ports() string {
	var words []string
	for _, g := range b.gates {
		words = append(words, g.port.String())
	}
	return strings.Join(words, ", ")
}

func endpoints(n int) string {
	if n == 1 {
		return "1 endpoint"
	}
	return fmt.Sprintf("%d endpoints", n)
}

// clock is an instant as lines have it.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.0") + " UTC" }
