package api

import "time"

const (
	// ReloadPath answers POST of a ReloadRequest with a ReloadResult.
	ReloadPath = Base + "/reload"
	// ConfigPath answers GET with a Config.
	ConfigPath = Base + "/config"
	// RollbackPath answers POST of a RollbackRequest with the Config: the file runs in the version before the present one.
	// ForwardPath ends that.
	RollbackPath = ConfigPath + "/rollback"
	ForwardPath  = ConfigPath + "/forward"
)

// A ReloadRequest asks this node to look at its zone files now.
type ReloadRequest struct {
	Actor  string `json:"actor"`
	Reason string `json:"reason,omitempty"`
	// Force lets versions pass that drop more than 30 % of their names or endpoints, and at least 10, as allow_shrink in the file does.
	Force bool `json:"force,omitempty"`
}

// The outcomes of a reload.
const (
	ReloadTakenUp    = "taken_up"
	ReloadUnchanged  = "unchanged"
	ReloadBroken     = "broken"
	ReloadRolledBack = "rolled_back"
)

// A ReloadResult says what came of a reload.
type ReloadResult struct {
	ConfigHash string `json:"config_hash"`
	// Served is unset when the new configuration was not in force yet when the reply was made.
	Served bool           `json:"served"`
	Files  []ReloadedFile `json:"files"`
	LeftByConfig
}

// A LeftByConfig is what left the answers of this node by a configuration. Other nodes have files of their own: the staleness of
// the services has the bound of all of them.
type LeftByConfig struct {
	// Left names at most 200 holdings; More is how many more there are.
	Left []LeftHolding `json:"left,omitempty"`
	More int           `json:"left_more,omitempty"`
	// Unsigned are zones that were answered with signatures, and are not any more: validators refuse them for as long as the parent, or a cache,
	// has a DS of them.
	Unsigned []string `json:"unsigned,omitempty"`
}

// A LeftHolding is an address, or a name, that answers to an owner name carried.
type LeftHolding struct {
	Name string `json:"name"`
	Data string `json:"data"`
	// Service is empty for the host name of an SRV target, Endpoint (POOL/ENDPOINT) for a fixed address.
	Service  string `json:"service,omitempty"`
	Zone     string `json:"zone"`
	Endpoint string `json:"endpoint,omitempty"`
	// Why is the difference between the two versions of the file, in words.
	Why string `json:"why"`
	// ExpiresAt is when what this node answered has expired in honest caches, as far as is known at the swap; absent where it is not known
	// what an earlier process of the node answered.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// A ReloadedFile is one zone file and what came of it: taken_up, unchanged, broken (Problems say why, and the last good version
// runs on) or rolled_back (an earlier version runs by an operator's word).
type ReloadedFile struct {
	File
	Outcome string `json:"outcome"`
}

// A RollbackRequest names a zone file, by its path or by its name where one directory has it.
type RollbackRequest struct {
	File   string `json:"file"`
	Actor  string `json:"actor"`
	Reason string `json:"reason,omitempty"`
}

// A Config is what is configured on this node.
type Config struct {
	Node       string       `json:"node"`
	ConfigHash string       `json:"config_hash"`
	Files      []ConfigFile `json:"files"`
	// Set in replies to rollback and forward.
	LeftByConfig
}

// A ConfigFile is a zone file and the versions that are kept of it: the one that was taken up last, then the one that was in force
// before it.
type ConfigFile struct {
	File
	Kept []KeptVersion `json:"kept"`
}

// A KeptVersion is one version of a zone file.
type KeptVersion struct {
	Hash   string    `json:"hash"`
	KeptAt time.Time `json:"kept_at"`
}

// A Rollback says who had an earlier version of a file run, and why.
type Rollback struct {
	Actor  string    `json:"actor,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}
