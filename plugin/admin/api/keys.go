package api

import "time"

// KeysPath is the path of the keys of a zone; it answers GET with a ZoneKeys.
func KeysPath(zone string) string { return ItemPath(ZonesPath, zone) + "/keys" }

// The steps of a KeyStep.
const (
	// KeyStepDS: the parent may have the key's DS. KeyStepDSBeside: so it may, beside that of a key that signs, which this one does not yet.
	KeyStepDS       = "ds"
	KeyStepDSBeside = "ds_beside"
	// KeyStepNoDS: the parent must have no DS of the key; of a zone without signatures, of any.
	KeyStepNoDS = "no_ds"
	// KeyStepSign: the key may begin to sign. KeyStepLeave: it may leave the zone, and its files may go.
	KeyStepSign  = "sign"
	KeyStepLeave = "leave"
)

// When a KeyStep is safe.
const (
	KeySafeNow     = "now"
	KeySafeFrom    = "from"
	KeySafeNotYet  = "not_yet"
	KeySafeUnknown = "unknown"
)

// A ZoneKeys is what the keys of a zone do, and what is to be done about them, by what every node of the cluster answered. It is an answer of
// one moment: what a node does after its word is a new fact. What other name servers answered is not counted.
type ZoneKeys struct {
	Node string    `json:"node"`
	At   time.Time `json:"at"`
	Zone string    `json:"zone"`
	// Signed is set while this node answers with signatures.
	Signed bool `json:"signed"`
	// ValiditySeconds is for how long signatures are valid when they are made.
	ValiditySeconds float64 `json:"validity_seconds,omitempty"`
	// Keys are those of the zone file, Steps what is to be done about them.
	Keys  []ZoneKey `json:"keys"`
	Steps []KeyStep `json:"steps"`
	// BeforeUntil is until when what other name servers, or nodes whose record was lost, answered before these is taken to be in caches; absent
	// where that is over.
	BeforeUntil *time.Time `json:"before_until,omitempty"`
	// Trouble is what is broken for some validators now, or will be by the times in the key files, in words.
	Trouble []string  `json:"trouble,omitempty"`
	Nodes   []KeyNode `json:"nodes"`
}

// A ZoneKey is one key of the zone file.
type ZoneKey struct {
	// Tag is the key tag of RFC 4034 appendix B, Algorithm the mnemonic of its algorithm.
	Tag       uint16 `json:"tag"`
	Role      string `json:"role" enum:"KSK|ZSK"`
	Algorithm string `json:"algorithm"`
	// State is by the times in the key's files, which nodes follow within a minute; NextChangeAt is when it becomes another one, absent for never.
	State        string     `json:"state" enum:"waiting|published|active|retired|removed"`
	NextChangeAt *time.Time `json:"next_change_at,omitempty"`
	// Other is set for a key of another signer of the zone, whose DNSKEY record stands in the file: what it signs is not known here.
	Other bool `json:"other,omitempty"`
}

// A KeyStep is something to be done about a key, or about all (then it has no tag).
type KeyStep struct {
	// Step is ds (the parent may have the key's DS), ds_beside (so it may, beside that of a key that signs, which this one does not yet), no_ds (the
	// parent must have no DS of it), sign (it may begin to sign) or leave (it may leave the zone, and its files may go). Tag is that of the key.
	Step string `json:"step" enum:"ds|ds_beside|no_ds|sign|leave"`
	Tag  uint16 `json:"tag,omitempty"`
	Role string `json:"role,omitempty" enum:"KSK|ZSK"`
	// Safe is when the step breaks nothing for anybody behind an honest cache: now, from SafeAt on, not yet or unknown, with Why.
	Safe   string     `json:"safe" enum:"now|from|not_yet|unknown"`
	SafeAt *time.Time `json:"safe_at,omitempty"`
	Why    string     `json:"why,omitempty"`
	// DS is the record for the parent, in the form of a zone file.
	DS string `json:"ds,omitempty"`
}

// A KeyNode is one configured node: whether it has said how it answered the zone, and if not why.
type KeyNode struct {
	Node string `json:"node"`
	// Said is set where it has; Why says why not.
	Said bool   `json:"said"`
	Why  string `json:"why,omitempty"`
	// Served is set while it answers the zone.
	Served bool `json:"served"`
}
