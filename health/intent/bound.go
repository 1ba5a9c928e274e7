package intent

import (
	"encoding/binary"

	"github.com/fairlead-dns/fairlead/health"
)

// What an intent binds travels in entries of its own, as many as it takes, each within a block. To a node that does not know of bindings such an
// entry is an intent of a kind that it does not know, with the id of the intent: it passes over it, and takes what stands beside it.
const (
	kindBound health.IntentKind = 255
	// boundRoom is what one entry has for what is bound: a block less the version, the longest id and the other fields.
	boundRoom = BlockSize - 128
)

// appendBound are the entries for what an intent binds. Texts that follow each other share their beginnings.
func appendBound(id health.IntentID, b health.Binding) (entries [][]byte) {
	var packed []byte
	last := ""
	flush := func() {
		if len(packed) > 0 {
			i := health.Intent{ID: id, Kind: kindBound, Reason: string(packed), Forever: true}
			entries = append(entries, appendIntent(nil, &i, i.Start))
		}
		packed, last = nil, ""
	}
	for _, text := range b.Texts() {
		if len(packed)+len(text)+4 > boundRoom {
			flush()
		}
		shared := 0
		for shared < min(len(last), len(text)) && last[shared] == text[shared] {
			shared++
		}
		packed = appendText(binary.AppendUvarint(packed, uint64(shared)), text[shared:])
		last = text
	}
	flush()
	return entries
}

// parseBound is what one entry binds.
func parseBound(packed string) (health.Binding, bool) {
	r := reader{b: []byte(packed)}
	var texts []string
	last := ""
	for len(r.b) > 0 {
		shared := r.uvarint()
		rest := r.text()
		if r.failed || shared > uint64(len(last)) {
			return health.Binding{}, false
		}
		last = last[:shared] + rest
		texts = append(texts, last)
	}
	return health.ParseBinding(texts)
}
