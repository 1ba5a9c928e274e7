// Package run is what a run of a plan is: what was asked for, and the entries of what has happened since, which merge, so that every node
// of a cluster has the same ones and any of them can go on.
//
// A Run is a value that only grows. Its entries have keys; a merge is the union by key, and of two entries with one key the lesser stays
// everywhere: idempotent, commutative and associative. Next is a pure function from the plan, the run and what the world looks like to what is
// to be done now: it starts nothing, and knows no clock but that of its World.
//
// Exactly once. An order bears an id that is made of run, step and attempt, so whoever places it again places the same one, and an end of it
// is final. A hook cannot be taken back: that it is about to be called is an entry, which a majority of the nodes must hold on disk before the
// call, and what came of it another one. Who finds the first without the second does not know whether it got through: it calls again, with the
// same key, where the plan says that this is harmless, and else asks a person.
//
// A Store is a node's runs and their file, which implements cluster.Shared. It is safe for concurrent use. The package places no orders,
// calls nobody, and decides nothing about who carries a run on but by Own, whose majority it is told.
package run
