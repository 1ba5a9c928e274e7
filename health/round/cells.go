package round

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

// PartCells is from which pools a node answers the shards of services with cells: one block. A node without such services does not say it.
const PartCells = "cells"

const (
	// A block begins with the version, and the run and its clock in milliseconds.
	cellsHead = 1 + len(Boot{}) + 8
	cellsRow  = len(ledger.OwnerKey{}) + 8
)

// A CellsOf is, of each service by its name, what is the same for nodes that answer all shards from the same pools.
type CellsOf map[ledger.OwnerKey]uint64

// A Cells is the part as it came: from the run Boot, which made it at Clock of its own.
type Cells struct {
	Boot  Boot
	Clock time.Duration
	Of    CellsOf
}

// EncodeCells is the part of a run at an instant of its clock. Of services that do not fit nothing is said.
func EncodeCells(boot Boot, clock time.Duration, services []ledger.ServiceShards) []byte {
	b := binary.BigEndian.AppendUint64(append([]byte{version}, boot[:]...), uint64(clock/heardStep))
	for i := range services {
		if len(b)+cellsRow > BlockSize {
			break
		}
		owner := ledger.OwnerKeyOf(services[i].Service)
		b = binary.BigEndian.AppendUint64(append(b, owner[:]...), services[i].Hash)
	}
	return b
}

// ParseCells reads the block.
func ParseCells(b []byte) (c Cells, err error) {
	switch {
	case len(b) < cellsHead || len(b) > BlockSize || (len(b)-cellsHead)%cellsRow != 0:
		return c, fmt.Errorf("%w: cells of %d octets", ErrMalformed, len(b))
	case b[0] != version:
		return c, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	b = b[1+copy(c.Boot[:], b[1:]):]
	c.Clock, c.Of = steps(binary.BigEndian.Uint64(b)), make(CellsOf)
	for b = b[8:]; len(b) > 0; b = b[cellsRow:] {
		c.Of[ledger.OwnerKey(b[:8])] = binary.BigEndian.Uint64(b[8:])
	}
	return c, nil
}
