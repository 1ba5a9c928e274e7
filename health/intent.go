package health

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// DefaultIntent is how long an intent is in force that does not say.
	DefaultIntent = time.Hour
	// MaxActor and MaxReason bound the texts of an intent, in octets: with the longest names one still fits a block of gossip.
	MaxActor, MaxReason = 100, 256
	// MaxWeight is the greatest weight of an override, as in the zone file.
	MaxWeight = math.MaxUint16
)

// Errors about orders, for who has to tell them apart.
var (
	// ErrInvalidIntent: the order contradicts itself.
	ErrInvalidIntent = errors.New("invalid intent")
	// ErrNothingNamed: the scope or service names nothing in the configuration in force.
	ErrNothingNamed = errors.New("no such thing in the configuration")
	// ErrNoIntent: no such intent, or it has ended.
	ErrNoIntent = errors.New("no such intent")
	// ErrIntentConflict: nothing is in the state that the order wants to change.
	ErrIntentConflict = errors.New("nothing to do")
	// ErrNotJoined: the node does not know yet what the others hold, so that it cannot judge an order.
	ErrNotJoined = errors.New("this node has not joined the cluster")
)

// An IntentID names an intent: the node that accepted it, the node's incarnation and a counter. No two intents share one.
type IntentID struct {
	Node                 string
	Incarnation, Counter uint64
}

// Compare orders ids: by node, incarnation, counter. Of conflicting drains the lesser is effective.
func (id IntentID) Compare(o IntentID) int {
	return cmp.Or(cmp.Compare(id.Node, o.Node), cmp.Compare(id.Incarnation, o.Incarnation), cmp.Compare(id.Counter, o.Counter))
}

// String is NODE-INCARNATION-COUNTER.
func (id IntentID) String() string {
	return fmt.Sprintf("%s-%d-%d", id.Node, id.Incarnation, id.Counter)
}

// ParseIntentID is the inverse of String; node names may hold hyphens.
func ParseIntentID(text string) (IntentID, error) {
	bad := fmt.Errorf("intent id %q: want NODE-INCARNATION-COUNTER", text)
	rest, counter, ok := cutLast(text)
	node, incarnation, ok2 := cutLast(rest)
	if !ok || !ok2 || node == "" {
		return IntentID{}, bad
	}
	id := IntentID{Node: node}
	var err1, err2 error
	id.Incarnation, err1 = strconv.ParseUint(incarnation, 10, 64)
	id.Counter, err2 = strconv.ParseUint(counter, 10, 64)
	if err1 != nil || err2 != nil || id.String() != text {
		return IntentID{}, bad
	}
	return id, nil
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// MarshalText is String.
func (id IntentID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseIntentID.
func (id *IntentID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseIntentID(string(b))
	return err
}

// A ScopeKind is what an intent is about.
type ScopeKind uint8

// The kinds. Endpoints and pools belong to a zone; the others are cluster-wide. Their numbers travel: a new one is added at
// the end.
const (
	ScopeEndpoint ScopeKind = iota + 1
	ScopePool
	ScopeAZ
	ScopeRegion
	ScopeNode
	// ScopeCluster is everything, for a freeze. It has no name.
	ScopeCluster
	// ScopeKubernetes is what a cluster of Kubernetes gives the pools. Its word is that of ScopeCluster, from which its name tells it.
	ScopeKubernetes
	// ScopeShards is shards of the one service that the intent is for. Name is which, Pool the pool that is to be their home, empty for those
	// that take over from their home.
	ScopeShards
)

var scopeNames = []string{ScopeEndpoint: "endpoint", ScopePool: "pool", ScopeAZ: "az", ScopeRegion: "region", ScopeNode: "node", ScopeCluster: "cluster", ScopeKubernetes: "cluster",
	ScopeShards: "shards"}

// String is the word for the kind, as in commands and JSON.
func (k ScopeKind) String() string { return wordOf(scopeNames, int(k)) }

// Known tells whether this program knows the kind.
func (k ScopeKind) Known() bool { return k > 0 && int(k) < len(scopeNames) }

// MarshalText is String.
func (k ScopeKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (k *ScopeKind) UnmarshalText(b []byte) error {
	i, err := indexOf("scope", scopeNames, string(b))
	*k = ScopeKind(i)
	return err
}

// A Scope names what an intent is about. It is a value: compare with ==.
type Scope struct {
	Kind ScopeKind `json:"kind"`
	// Zone, an FQDN, and Pool are set for endpoints and pools, Endpoint for endpoints, Name for the others; for shards Pool may be.
	Zone     string `json:"zone,omitempty"`
	Pool     string `json:"pool,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Name     string `json:"name,omitempty"`
}

// ParseScope is the scope of a kind with the name ZONE/POOL/ENDPOINT, ZONE/POOL, NAME, SHARDS or SHARDS to POOL. The zone may lack its final
// dot.
func ParseScope(kind ScopeKind, name string) (Scope, error) {
	if kind == ScopeShards {
		return parseShardScope(name)
	}
	if kind == ScopeCluster && name == "" {
		return Scope{Kind: kind}, nil
	} else if kind == ScopeCluster {
		kind = ScopeKubernetes
	}
	parts := strings.Split(name, "/")
	want := map[ScopeKind]int{ScopeEndpoint: 3, ScopePool: 2}[kind]
	switch {
	case slices.Contains(parts, ""), want > 0 && len(parts) != want, want == 0 && len(parts) != 1:
		return Scope{}, fmt.Errorf("%w: %s %q: want %s", ErrInvalidIntent, kind, name,
			map[int]string{3: "ZONE/POOL/ENDPOINT", 2: "ZONE/POOL", 0: "NAME"}[want])
	case want == 0:
		return Scope{Kind: kind, Name: name}, nil
	}
	s := Scope{Kind: kind, Zone: strings.ToLower(strings.TrimSuffix(parts[0], ".")) + ".", Pool: parts[1]}
	if want == 3 {
		s.Endpoint = parts[2]
	}
	return s, nil
}

// UnmarshalJSON tells the two kinds apart that have one word.
func (s *Scope) UnmarshalJSON(b []byte) error {
	type plain Scope
	if err := json.Unmarshal(b, (*plain)(s)); err != nil {
		return err
	}
	if s.Kind == ScopeCluster && s.Name != "" {
		s.Kind = ScopeKubernetes
	}
	return nil
}

// Path is the name by which ParseScope finds it, without the zone's final dot.
func (s Scope) Path() string {
	switch zone := strings.TrimSuffix(s.Zone, "."); s.Kind {
	case ScopeEndpoint:
		return zone + "/" + s.Pool + "/" + s.Endpoint
	case ScopePool:
		return zone + "/" + s.Pool
	case ScopeShards:
		if s.Pool != "" {
			return s.Name + toPool + s.Pool
		}
	}
	return s.Name
}

// String is the kind and the name.
func (s Scope) String() string { return strings.TrimSuffix(s.Kind.String()+" "+s.Path(), " ") }

// An IntentKind is what an operator wants.
type IntentKind uint8

// The kinds. Their numbers travel: a new one is added at the end.
const (
	// IntentDrain takes what the scope names out of all answers, or of those of one service.
	IntentDrain IntentKind = iota + 1
	// IntentWeight replaces the weight of a pool in every tier, or of an endpoint; 0 keeps it out as a drain does.
	IntentWeight
	// IntentReady opens the gate of a pool that waits for a person.
	IntentReady
	// IntentFailback lets a pool return that is on its way back when it starts.
	IntentFailback
	// IntentFreeze stops every automatic verdict.
	IntentFreeze
	// IntentStopped says that somebody made sure that a node does not run; it is over when the node is heard.
	IntentStopped
	// IntentRemoved says that a node is no part of the cluster any more, whatever rosters say.
	IntentRemoved
	// IntentForce has an endpoint count as up or down, whatever health says.
	IntentForce
)

var intentNames = []string{
	IntentDrain: "drain", IntentWeight: "weight", IntentReady: "ready", IntentFailback: "failback",
	IntentFreeze: "freeze", IntentStopped: "stopped", IntentRemoved: "removed", IntentForce: "force",
}

// String is the word for the kind, as in JSON.
func (k IntentKind) String() string { return wordOf(intentNames, int(k)) }

// IntentKinds are all kinds.
func IntentKinds() (kinds []IntentKind) {
	for k := range intentNames {
		if k > 0 {
			kinds = append(kinds, IntentKind(k))
		}
	}
	return kinds
}

// Known tells whether this program knows the kind.
func (k IntentKind) Known() bool { return k > 0 && int(k) < len(intentNames) }

// MarshalText is String.
func (k IntentKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (k *IntentKind) UnmarshalText(b []byte) error {
	i, err := indexOf("kind of intent", intentNames, string(b))
	*k = IntentKind(i)
	return err
}

// The rules for drains (docs/design.md section 5).
const (
	RuleNeverEmpty  = "never_empty"
	RuleKeepRegions = "keep_regions"
	RuleKeepAZs     = "keep_azs"
	RuleMaxDrained  = "max_drained"
	// RuleRPO: a service is not moved to a pool that keeps data and is further behind than its rpo.
	RuleRPO = "rpo"
	// RuleCapacity: what a drain leaves carries the demand of each service.
	RuleCapacity = "capacity"
)

// Rules are all rules, in the order in which they are applied.
func Rules() []string {
	return []string{RuleNeverEmpty, RuleKeepRegions, RuleKeepAZs, RuleMaxDrained, RuleRPO, RuleCapacity}
}

// An Intent is what an operator asked for. It is never written after it was made, but for its merge with what other nodes
// know of the same one.
type Intent struct {
	ID    IntentID
	Kind  IntentKind
	Scope Scope
	// Service is the FQDN of the one service that it is for; empty means all.
	Service string
	// Weight is for IntentWeight.
	Weight int
	// State is for IntentForce: Up or Down.
	State State
	// Actor and Reason are shown to whoever wonders.
	Actor, Reason string
	// Override names the safety rules that shall not hold it back.
	Override []string
	// Lifeboat asks of a drain that what still arrives there is forwarded to who is in service until caches have forgotten it: it is told to
	// hooks, and changes no answer.
	Lifeboat bool
	// Start and End are instants on this process's clock. Forever means that there is no End.
	Start, End time.Time
	Forever    bool
	// Bound is what stood behind the names when the order was accepted.
	Bound Binding
	// Confirmed is set once every configured node has it: no rule suspends it afterwards.
	Confirmed bool
}

// Active tells whether the intent is in force at the given instant, whatever rules say.
func (i *Intent) Active(at time.Time) bool { return !at.Before(i.Start) && !i.Over(at) }

// Over tells whether its end has passed.
func (i *Intent) Over(at time.Time) bool { return !i.Forever && !at.Before(i.End) }

// TakesOut tells whether what the scope names is not answered while the intent is effective.
func (i *Intent) TakesOut() bool {
	return i.Kind == IntentDrain || i.Kind == IntentWeight && i.Weight == 0 || i.Kind == IntentForce && i.State == Down
}

// Overrides tells whether rule may not hold the intent back.
func (i *Intent) Overrides(rule string) bool { return i.Confirmed || slices.Contains(i.Override, rule) }

// Fill sets what an order at now leaves open: it begins now and ends DefaultIntent later, and nobody has confirmed it. Each rule
// that it overrides is named once, in the order of Rules.
func (i *Intent) Fill(now time.Time) {
	if i.Start.IsZero() || i.Start.Before(now) {
		i.Start = now
	}
	if i.End.IsZero() && !i.Forever {
		i.End = i.Start.Add(DefaultIntent)
	}
	i.ID, i.Confirmed = IntentID{}, false
	// As they come off the wire, so that two copies are the same.
	order := func(rule string) int { return slices.Index(Rules(), rule) }
	i.Override = slices.Compact(slices.SortedFunc(slices.Values(i.Override), func(a, b string) int { return order(a) - order(b) }))
}

// Validate tells what is wrong with an order by itself, whatever the configuration. The error is an ErrInvalidIntent.
func (i *Intent) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrInvalidIntent}, args...)...)
	}
	pool, endpoint := i.Scope.Kind == ScopePool, i.Scope.Kind == ScopeEndpoint
	force := i.Kind == IntentForce
	_, err := ParseScope(i.Scope.Kind, i.Scope.Path())
	switch {
	case !i.Kind.Known():
		return bad("%s", i.Kind)
	case !i.Scope.Kind.Known():
		return bad("%s", i.Scope.Kind)
	case err != nil:
		return err
	case i.Kind == IntentWeight && !pool && !endpoint:
		return bad("a weight is for a pool or an endpoint, not for %s", i.Scope)
	case i.Weight < 0 || i.Weight > MaxWeight:
		return bad("weight %d: want 0 to %d", i.Weight, MaxWeight)
	case i.Weight != 0 && i.Kind != IntentWeight:
		return bad("a %s has no weight", i.Kind)
	case force && (!endpoint || i.Service != ""):
		return bad("a force is for an endpoint in all services, not for %s", i.Scope)
	case i.Lifeboat && (i.Kind != IntentDrain || i.Scope.Kind == ScopeNode):
		return bad("a lifeboat is for a drain of what is answered, not for %s of %s", i.Kind, i.Scope)
	case i.Lifeboat && i.Service != "":
		return bad("a lifeboat is for a drain of all services: what others answer with is not left")
	case force && i.State != Up && i.State != Down:
		return bad("forced %s: want up or down", i.State)
	case !force && i.State != Unknown:
		return bad("a %s has no state", i.Kind)
	case (i.Kind == IntentReady || i.Kind == IntentFailback) && !pool:
		return bad("%s is for a pool, not for %s", i.Kind, i.Scope)
	case (i.Kind == IntentReady || i.Kind == IntentFailback) && i.Service != "":
		return bad("%s is for all services of the pool", i.Kind)
	case i.Scope.Kind == ScopeShards && (i.Kind != IntentDrain || i.Service == ""):
		return bad("shards are drained, and of one service that is named")
	case i.Scope.Kind == ScopeNode && i.Service != "":
		return bad("a node is drained for all services")
	case (i.Kind == IntentFreeze) != (i.Scope.Kind == ScopeCluster):
		return bad("a freeze is for the cluster, and nothing else is")
	case (i.Kind == IntentStopped || i.Kind == IntentRemoved) && i.Scope.Kind != ScopeNode:
		return bad("%s is for a node, not for %s", i.Kind, i.Scope)
	case !i.Forever && !i.End.After(i.Start):
		return bad("it ends before it starts")
	case i.Forever && !i.End.IsZero():
		return bad("forever, and an end")
	}
	if err := ValidateWords(i.Actor, i.Reason); err != nil {
		return err
	}
	for _, rule := range i.Override {
		if !slices.Contains(Rules(), rule) {
			return bad("override %q: want one of %s", rule, strings.Join(Rules(), ", "))
		}
	}
	return nil
}

// ValidateWords tells what is wrong with the actor and the reason of an order. The error is an ErrInvalidIntent.
func ValidateWords(actor, reason string) error {
	switch {
	case len(actor) > MaxActor || len(reason) > MaxReason:
		return fmt.Errorf("%w: the actor has at most %d octets and the reason %d", ErrInvalidIntent, MaxActor, MaxReason)
	case strings.ContainsFunc(actor+reason, unicode.IsControl):
		// They are printed on terminals.
		return fmt.Errorf("%w: actor and reason hold no control characters", ErrInvalidIntent)
	}
	return nil
}

// A Suspension says which rule keeps an intent from having effect, and for which service.
type Suspension struct{ Rule, Service string }

// A RuleError is an order that a safety rule refuses.
type RuleError struct {
	Suspension
	// Why says in words what would be left.
	Why string
}

func (e *RuleError) Error() string {
	return fmt.Sprintf("refused by %s: service %s: %s", e.Rule, strings.TrimSuffix(e.Service, "."), e.Why)
}

// MaxElsewhere bounds the endpoints that an IntentState names.
const MaxElsewhere = 8

// An IntentState is an intent and what has become of it at one instant.
type IntentState struct {
	Intent
	// Planned is set before the start, Suspended while a rule keeps it from having effect.
	Planned   bool
	Suspended *Suspension
	// Nothing is set while the scope or the service names nothing in the configuration; NoEffect says in words why an intent
	// that is in force changes nothing.
	Nothing  bool
	NoEffect string
	// Elsewhere are endpoints, as ZONE/POOL/ENDPOINT, that the intent holds for by what it binds, under names that it does not name; at most
	// MaxElsewhere of them.
	Elsewhere []string
	// Missing are the configured nodes that are not known to hold it, by name.
	Missing []string
}

func wordOf(words []string, i int) string {
	if i > 0 && i < len(words) {
		return words[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

func indexOf(what string, words []string, word string) (int, error) {
	if i := slices.Index(words, word); i > 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%s %q: want one of %s", what, word, strings.Join(words[1:], ", "))
}

// ActiveAt are those of the intents that are in force at an instant, in the order in which they are applied: the greatest id is the latest
// order of a node, and wins.
func ActiveAt(open []Intent, now time.Time) []*Intent {
	var active []*Intent
	for _, i := range open {
		if i.Active(now) {
			active = append(active, &i)
		}
	}
	slices.SortFunc(active, func(a, b *Intent) int { return a.ID.Compare(b.ID) })
	return active
}
