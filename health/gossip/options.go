package gossip

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"
)

// A Profile says how patient memberlist is. Rounds are the same in both.
type Profile int

// The profiles.
const (
	LAN Profile = iota
	WAN
)

// A Member is a node of the roster.
type Member struct {
	Name string
	// Address is host:port; the host is an address or a DNS name, which is looked up anew while the node is not heard.
	Address   string
	PublicKey ed25519.PublicKey
}

// A Keyring has the keys that encrypt gossip, of 16, 24 or 32 octets. Primary encrypts; all of them decrypt.
type Keyring struct {
	Primary []byte
	Others  [][]byte
}

// A Round is one shard of one part of a node's state, newer than what came before. Data must not be changed.
type Round struct {
	Node             string
	Incarnation, Seq uint64
	Key              string
	// Shard of Shards: Data holds the part's octets from Shard*ShardSize on. Parts up to ShardSize are one shard.
	Shard, Shards int
	Data          []byte
	// At is when it arrived on this node's monotonic clock, less how long relays held it.
	At time.Time
	// Relayed says that it came by push/pull or through a relay, and not straight from its node.
	Relayed bool
}

// A Handler answers what the node from asks. ctx ends with the Peer, or when nobody waits any more.
type Handler func(ctx context.Context, from string, body []byte) ([]byte, error)

// A Resolver looks names up; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options of a Peer. Cluster, Node, Incarnation, SigningKey, Roster and Bind are required, and a Keyring unless Insecure.
type Options struct {
	// Cluster is in every message, as memberlist's label too: two clusters never merge.
	Cluster string
	Node    string
	// Incarnation is durable and greater than at every earlier start: see NextIncarnation.
	Incarnation uint64
	// Outlive, when set, is called with an incarnation of this node that others know and that is above the present one, as
	// after the loss of the state directory. It returns a greater one, made durable. Without it the rounds stay unheard.
	Outlive    func(above uint64) (uint64, error)
	SigningKey ed25519.PrivateKey
	// Roster has every node of the cluster, this one included.
	Roster []Member
	// Bind is address:port, Advertise the same for the others to use; by default what Bind says.
	Bind, Advertise string
	Keyring         Keyring
	// Insecure allows to run without Keyring. Only on loopback.
	Insecure bool
	Profile  Profile
	// Seeds are host:port besides the roster's: addresses, or DNS names with any number of addresses, such as a Kubernetes
	// headless service.
	Seeds []string
	// Direct is the greatest roster in which every node sends to every other one; above it, rounds go to Fanout random
	// nodes, which relay what they know. Defaults: 30 and 5.
	Direct, Fanout int
	// Queue bounds the messages between memberlist and Deliver. Default: 4096.
	Queue int
	// Deliver gets each newer shard once. It runs on one goroutine and should not block.
	Deliver func(Round)
	// Handlers answer Ask, by kind.
	Handlers map[string]Handler
	// Transport is for tests. Default: sockets at Bind.
	Transport memberlist.Transport
	// Resolver looks DNS names up. Default: net.DefaultResolver.
	Resolver   Resolver
	Logger     *slog.Logger
	Registerer prometheus.Registerer

	// Set by validate.
	bind, advertise netip.AddrPort
}

const (
	defaultDirect = 30
	defaultFanout = 5
	defaultQueue  = 4096
)

// fill sets the defaults.
func (o *Options) fill() {
	if o.Direct == 0 {
		o.Direct = defaultDirect
	}
	if o.Fanout == 0 {
		o.Fanout = defaultFanout
	}
	if o.Queue == 0 {
		o.Queue = defaultQueue
	}
	if o.Deliver == nil {
		o.Deliver = func(Round) {}
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// validate sets the defaults and reports all that is wrong.
func (o *Options) validate() error {
	o.fill()
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := checkName(o.Cluster); err != nil {
		complain("cluster %q: %w", o.Cluster, err)
	}
	if o.Incarnation == 0 {
		complain("incarnation 0: it starts at 1")
	}
	if o.Direct < 0 || o.Fanout < 0 || o.Queue < 0 {
		complain("direct %d, fanout %d, queue %d: less than nothing", o.Direct, o.Fanout, o.Queue)
	}
	if len(o.SigningKey) != ed25519.PrivateKeySize {
		complain("signing key of %d octets: an Ed25519 private key has %d", len(o.SigningKey), ed25519.PrivateKeySize)
	}
	roster, err := newRoster(o.Roster)
	if err != nil {
		errs = append(errs, err)
	} else if m, ok := roster.members[o.Node]; !ok {
		complain("roster: node %q, which is this one, is not in it", o.Node)
	} else if len(o.SigningKey) == ed25519.PrivateKeySize && !m.PublicKey.Equal(o.SigningKey.Public()) {
		complain("roster: node %q: its public key is not that of the signing key", o.Node)
	}
	if o.bind, err = netip.ParseAddrPort(o.Bind); err != nil {
		complain("bind %q: want address:port", o.Bind)
	}
	if o.Advertise != "" {
		if o.advertise, err = netip.ParseAddrPort(o.Advertise); err != nil || o.advertise.Addr().IsUnspecified() {
			complain("advertise %q: want address:port", o.Advertise)
		}
	}
	for _, s := range o.Seeds {
		if err := checkHostPort(s); err != nil {
			complain("seed %q: %w", s, err)
		}
	}
	for kind := range o.Handlers {
		if err := checkName(kind); err != nil {
			complain("handler %q: %w", kind, err)
		}
	}
	errs = append(errs, o.checkKeys()...)
	return errors.Join(errs...)
}

func (o *Options) checkKeys() []error {
	if len(o.Keyring.Primary) == 0 {
		switch {
		case len(o.Keyring.Others) > 0:
			return []error{errors.New("keyring: no primary key")}
		case !o.Insecure:
			return []error{errors.New("keyring: no key: gossip in clear needs insecure, and a bind address on loopback")}
		case !o.bind.Addr().Unmap().IsLoopback():
			return []error{fmt.Errorf("keyring: no key: insecure is for loopback, and bind %q is not", o.Bind)}
		}
		return nil
	}
	var errs []error
	for i, k := range append([][]byte{o.Keyring.Primary}, o.Keyring.Others...) {
		if err := memberlist.ValidateKey(k); err != nil {
			errs = append(errs, fmt.Errorf("keyring: key %d of %d octets: a key has 16, 24 or 32", i+1, len(k)))
		}
	}
	return errs
}

// checkName wants 1 to 63 octets that need no quoting anywhere.
func checkName(s string) error {
	if s == "" || len(s) > maxName {
		return fmt.Errorf("a name has 1 to %d octets", maxName)
	}
	for _, c := range s {
		if c <= ' ' || c > '~' || c == '/' || c == '"' {
			return fmt.Errorf("%q cannot be in a name", c)
		}
	}
	return nil
}

func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return errors.New("want host:port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("port %q: want 1 to 65535", port)
	}
	return nil
}

// roster is a set of members; immutable.
type roster struct {
	members map[string]Member
	// names are in the order given.
	names []string
}

func newRoster(list []Member) (*roster, error) {
	r := &roster{members: make(map[string]Member, len(list))}
	keys := map[string]string{}
	var errs []error
	for _, m := range list {
		if err := checkName(m.Name); err != nil {
			errs = append(errs, fmt.Errorf("roster: node %q: %w", m.Name, err))
			continue
		}
		if _, twice := r.members[m.Name]; twice {
			errs = append(errs, fmt.Errorf("roster: node %q stands twice", m.Name))
			continue
		}
		if err := checkHostPort(m.Address); err != nil {
			errs = append(errs, fmt.Errorf("roster: node %q: address %q: %w", m.Name, m.Address, err))
		}
		if len(m.PublicKey) != ed25519.PublicKeySize {
			errs = append(errs, fmt.Errorf("roster: node %q: public key of %d octets: an Ed25519 one has %d", m.Name, len(m.PublicKey), ed25519.PublicKeySize))
		} else if other, ok := keys[string(m.PublicKey)]; ok {
			// One key for two nodes would let each speak for the other.
			errs = append(errs, fmt.Errorf("roster: node %q: has the public key of node %q", m.Name, other))
		}
		keys[string(m.PublicKey)] = m.Name
		r.members[m.Name] = m
		r.names = append(r.names, m.Name)
	}
	return r, errors.Join(errs...)
}
