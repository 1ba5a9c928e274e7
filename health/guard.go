package health

// Guards are rules that a simulator switches off, one at a time, to see that it would notice. Nothing else sets them.
type Guards uint32

// The guards.
const (
	// GuardQuorum: without it one vantage decides.
	GuardQuorum Guards = 1 << iota
	// GuardFresh: without it what a vantage said counts for ever.
	GuardFresh
	// GuardMinVantages: without it one fresh vantage is enough.
	GuardMinVantages
	// GuardIsolation: without it health moves on a node that is cut off.
	GuardIsolation
	// GuardBlind: without it a blind vantage has a vote.
	GuardBlind
	// GuardFreeze: without it a freeze holds nothing.
	GuardFreeze
	// GuardBarrier: without it a node without state answers at once.
	GuardBarrier
	// GuardDurable: without it intents are not on disk.
	GuardDurable
	// GuardSecondCopy: without it an order is acknowledged before another node has it.
	GuardSecondCopy
	// GuardAddWins: without it an end ends whatever drains the same.
	GuardAddWins
	// GuardEnds: without it ends are forgotten at once.
	GuardEnds
	// GuardOutlive: without it a node that lost its disk speaks with an old incarnation.
	GuardOutlive
	// GuardTransit: without it the bound allows nothing for the way of an answer.
	GuardTransit
	// GuardQuiesce: without it a node confirms while answers are under way.
	GuardQuiesce
	// GuardStart: without it a node forgets at a restart what it answered before.
	GuardStart
	// GuardStamp: without it the bound knows nothing of TTLs.
	GuardStamp
	// GuardSilent: without it silent nodes do not count in the bound.
	GuardSilent
	// GuardLease: without it a node keeps its lease by hearing a majority, whether that hears it or not.
	GuardLease
	// GuardDurations: without it instants travel by the clock of who tells them, and not what remains until then.
	GuardDurations
	// GuardWindow: without it the bound knows the TTL in force when an endpoint leaves, and none before.
	GuardWindow
	// GuardCounted: without it answers under way are given a quarter of a second.
	GuardCounted
	// GuardJoined: without it a node that starts again counts as one that joined.
	GuardJoined
	// GuardNonce: without it whatever is heard of a node counts as its answer at the join barrier.
	GuardNonce
	// GuardIdentity: without it what is known belongs to the parameters of a check, and an edit begins anew.
	GuardIdentity
	// GuardFirst: without it fall failures are counted where nothing was known. It is the prober's.
	GuardFirst
)

// Without tells whether a guard is switched off.
func (g Guards) Without(guard Guards) bool { return g&guard != 0 }
