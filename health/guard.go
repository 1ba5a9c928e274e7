package health

// Guards are rules that a simulator switches off, one at a time, to see that it would notice. Nothing else sets them.
type Guards uint64

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
	// GuardCounted: without it answers under way are given a quarter of a second.
	GuardCounted
	// GuardNonce: without it whatever is heard of a node counts as its answer at the join barrier.
	GuardNonce
	// GuardIdentity: without it what is known belongs to the parameters of a check, and an edit begins anew.
	GuardIdentity
	// GuardFirst: without it fall failures are counted where nothing was known. It is the prober's.
	GuardFirst
	// GuardAfter: without it a bound is final at its instant, whenever the words for it were given.
	GuardAfter
	// GuardEcho: without it a word is as fresh as its arrival.
	GuardEcho
	// GuardNamed: without it who says nothing of a holding has left it.
	GuardNamed
	// GuardGreatestDisk: without it a greater TTL is given before it is on disk.
	GuardGreatestDisk
	// GuardGreatestTold: without it a greater TTL is given before another node remembers it.
	GuardGreatestTold
	// GuardGreatestLower: without it the greatest TTL falls with the file.
	GuardGreatestLower
	// GuardRestored: without it nobody notices that a node came back with an older disk.
	GuardRestored
	// GuardSlots: without it what the ledger knows of a holding goes with the model.
	GuardSlots
	// GuardSigned: without it remaining times are never negative.
	GuardSigned
	// GuardRoster: without it silent nodes leave the roster by time.
	GuardRoster
	// GuardStopped: without it a node that is declared stopped counts as out at once.
	GuardStopped
	// GuardNames: without it RDATA that other names answer on other nodes counts as out.
	GuardNames
	// GuardHosts: without it answers for the host names of SRV targets are not stamped.
	GuardHosts
	// GuardCompared: without it words of a new life count before every node has compared it with what it remembers.
	GuardCompared
	// GuardBound: without it orders hold for names, and not for the addresses behind them.
	GuardBound
	// GuardMemory: without it each node goes by its own memory of how pools came back.
	GuardMemory
	// GuardEach: without it the IPv6 address of an endpoint is what its IPv4 address is.
	GuardEach
	// GuardRamp: without it a ramp goes on whatever probes say.
	GuardRamp
	// GuardLost: without it a pool that no vantage of its own is heard for keeps its verdicts.
	GuardLost
	// GuardIsland: without it an island answers every pool of its region, whoever has its turn.
	GuardIsland
)

// Without tells whether a guard is switched off.
func (g Guards) Without(guard Guards) bool { return g&guard != 0 }
