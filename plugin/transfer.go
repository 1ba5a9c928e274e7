package fairlead

import (
	"errors"
	"slices"

	"github.com/coredns/coredns/plugin/transfer"
	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/plugin/secondary"
)

// transferChunk is how many records are handed over at once.
const transferChunk = 200

// Transfer implements transfer.Transferer: the plugin transfer, which stands before this one, knows who may.
func (h *Handler) Transfer(zone string, serial uint32) (<-chan []dns.RR, error) {
	n := h.backend()
	if n == nil || n.Secondaries() == nil {
		return nil, transfer.ErrNotAuthoritative
	}
	rrs, err := n.Secondaries().Transfer(zone, h.files, serial)
	if errors.Is(err, secondary.ErrUnknown) {
		return nil, transfer.ErrNotAuthoritative
	}
	if err != nil {
		return nil, err
	}
	ch := make(chan []dns.RR)
	go func() {
		defer close(ch)
		for chunk := range slices.Chunk(rrs, transferChunk) {
			ch <- chunk
		}
	}()
	return ch, nil
}
