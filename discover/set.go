package discover

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config/durable"
)

// setVersion is that of the format on disk. dirName is the directory below that of the state.
const (
	setVersion = 1
	dirName    = "discovered"
)

// An Address is one under which clients reach an object of a cluster.
type Address struct {
	IP netip.Addr `json:"ip,omitzero"`
	// Host is a host name with the final dot, in the place of IP, for those who answer it as CNAME.
	Host string `json:"host,omitempty"`
	// Region and AZ are those of the cluster's labels; empty for unknown.
	Region string `json:"region,omitempty"`
	AZ     string `json:"az,omitempty"`
	// Port is where it is probed; 0 for the check's own.
	Port uint16 `json:"port,omitempty"`
	// Ready is how many ready endpoints are behind it; 0 where nobody asked.
	Ready int `json:"ready,omitempty"`
}

// RData is the address as answers carry it.
func (a *Address) RData() string {
	if a.Host != "" {
		return a.Host
	}
	return a.IP.String()
}

// EndpointName is CLUSTER.ADDRESS with dashes, which is a label of a host name, too.
func (a *Address) EndpointName(cluster string) string {
	text := strings.NewReplacer(".", "-", ":", "-").Replace(strings.TrimSuffix(a.RData(), "."))
	if strings.HasPrefix(text, "-") {
		text = "0" + text
	}
	if strings.HasSuffix(text, "-") {
		text += "0"
	}
	return cluster + "." + text
}

// A State is why an address is in a set.
type State string

// The states.
const (
	// Named: the cluster says it.
	Named State = ""
	// Replaced: its object says other addresses now.
	Replaced State = "replaced"
	// Kept: its object says none at all.
	Kept State = "kept"
	// Gone: its object is not there any more, and the pool cannot do without it.
	Gone State = "gone"
)

// An Entry is an address of a set.
type Entry struct {
	Address
	Object string `json:"object"`
	State  State  `json:"state,omitempty"`
	// Since is the begin of State; Joined when the address came.
	Since  time.Time `json:"since"`
	Joined time.Time `json:"joined"`
	// Probed is set once probes have said something of it, or nothing else of its pool is up: until then it is not answered.
	Probed bool `json:"probed,omitempty"`
	// Held is set while the shrink guard, or the pool's last endpoints, keep an address that would leave.
	Held bool `json:"held,omitempty"`
}

// A Part is what a cluster gives one part of a pool. Entries are in the order in which they joined.
type Part struct {
	Key
	Entries []Entry `json:"entries"`
}

// A Set is what one cluster gives. It is a value.
type Set struct {
	Version int    `json:"version"`
	Cluster string `json:"cluster"`
	// UID is that of the namespace kube-system: another one is another cluster.
	UID string `json:"uid,omitempty"`
	// Region and AZ are where an address stands of which the cluster does not say it, by the node file of the node that reads; empty for
	// unknown.
	Region string `json:"region,omitempty"`
	AZ     string `json:"az,omitempty"`
	// Of two sets of a cluster the greater (Epoch, Revision, Decision, Node) is the later. Epoch counts adoptions of another cluster,
	// Revision is the greatest resourceVersion of what was read, Decision counts the changes.
	Epoch    uint64 `json:"epoch,omitempty"`
	Revision string `json:"revision,omitempty"`
	Decision uint64 `json:"decision"`
	Node     string `json:"node,omitempty"`
	// Accepted and Adopted are the numbers of the last orders that were carried out.
	Accepted uint64 `json:"accepted,omitempty"`
	Adopted  uint64 `json:"adopted,omitempty"`
	Parts    []Part `json:"parts,omitempty"`
	// Left is when addresses left without another in their place, for the shrink guard; those older than its window are not kept.
	Left []time.Time `json:"left,omitempty"`
}

// Part is that of a key.
func (s *Set) Part(k Key) *Part {
	if i := slices.IndexFunc(s.Parts, func(p Part) bool { return p.Key == k }); i >= 0 {
		return &s.Parts[i]
	}
	return nil
}

// Held counts the entries that are there though the cluster does not name them, by state.
func (s *Set) Held() map[State]int {
	out := make(map[State]int)
	for _, p := range s.Parts {
		for _, e := range p.Entries {
			out[e.State]++
		}
	}
	return out
}

// Waits tells whether something is to change without a word from the cluster: addresses that wait to leave, or for their first probe.
func (s *Set) Waits() bool {
	for _, p := range s.Parts {
		for _, e := range p.Entries {
			if !e.Probed || e.State == Replaced || e.State == Gone {
				return true
			}
		}
	}
	return false
}

// Path is where the set of a cluster is kept below a state directory.
func Path(state, cluster string) string {
	return filepath.Join(state, dirName, strings.ToLower(cluster)+".json")
}

// Load reads every set that is kept below a state directory. The errors are of files that cannot be read: the others are there.
func Load(state string) (sets map[string]*Set, err error) {
	sets = make(map[string]*Set)
	list, err := os.ReadDir(filepath.Join(state, dirName))
	if errors.Is(err, fs.ErrNotExist) {
		return sets, nil
	}
	if err != nil {
		return sets, err
	}
	var errs []error
	for _, f := range list {
		if !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		s := new(Set)
		path := filepath.Join(state, dirName, f.Name())
		switch err := durable.ReadJSON(path, setVersion, s); {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		case strings.ToLower(s.Cluster)+".json" != f.Name():
			errs = append(errs, fmt.Errorf("%s: it is of the cluster %q", path, s.Cluster))
		default:
			sets[s.Cluster] = s
		}
	}
	return sets, errors.Join(errs...)
}

// Prepare makes the directory of the sets.
func Prepare(state string) error { return os.MkdirAll(filepath.Join(state, dirName), 0o700) }

// Save keeps the set below a state directory, which Prepare has prepared.
func (s *Set) Save(state string) error {
	out := *s
	out.Version = setVersion
	return durable.WriteJSON(Path(state, s.Cluster), &out)
}
