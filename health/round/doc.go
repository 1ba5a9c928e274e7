// Package round is what a node says of itself and of its observations in its rounds of gossip, and what is remembered of what
// another node said.
//
// A round has parts, and a part longer than a block is cut into blocks that arrive alone, possibly long after each other or not
// at all. So each block stands for itself. Observations travel in four bits a target, in the order of the sorted list of
// targets, of which a block bears the hash: whoever has another configuration fetches the list once.
//
// It holds values and codecs only: nothing here keeps time, locks or starts a goroutine. Decoders take whatever comes, bound
// what they allocate and never panic.
package round

import (
	"errors"
	"fmt"
)

// The parts of a round.
const (
	PartMarks  = "marks"
	PartDetail = "detail"
	PartStatus = "status"
	PartRoster = "roster"
)

const (
	// BlockSize is gossip's shard.
	BlockSize = 1024
	// version is the first octet of each block: another one is refused. It stands for all parts but intents, which are not here.
	version = 1
)

var (
	// ErrVersion says that a block is of a version that this program does not know.
	ErrVersion = errors.New("block of another version")
	// ErrMalformed says that a block is not one.
	ErrMalformed = errors.New("malformed block")
	// ErrUnknownTargets says that a block is about a list of targets that is not known here; see UnknownTargetsError.
	ErrUnknownTargets = errors.New("unknown list of targets")
	// ErrUnknownPart says that a part is none of those that a Vantage takes.
	ErrUnknownPart = errors.New("unknown part of a round")
)

// An UnknownTargetsError is ErrUnknownTargets with the list that is to be fetched from the node.
type UnknownTargetsError struct{ Hash ListHash }

func (e *UnknownTargetsError) Error() string { return fmt.Sprintf("%v %x", ErrUnknownTargets, e.Hash) }

// Unwrap is ErrUnknownTargets.
func (e *UnknownTargetsError) Unwrap() error { return ErrUnknownTargets }
