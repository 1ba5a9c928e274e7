package node

import (
	"crypto/sha256"
	"net/netip"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// Reference targets are probed often and judged at once: they must speak before the endpoints' checks have counted to fall.
const (
	referenceInterval = time.Second
	referenceTimeout  = 500 * time.Millisecond
)

// referenceTargets are the node file's references: a TCP connect each.
func referenceTargets(addresses []netip.AddrPort) []health.Target {
	var targets []health.Target
	for _, a := range addresses {
		check := &config.Check{
			Name: "reference " + a.String(), Type: config.CheckTCP, Digest: sha256.Sum256([]byte("reference")),
			Address: a.Addr(), Port: a.Port(), Interval: referenceInterval, Timeout: referenceTimeout, Fall: 1, Rise: 1,
			TCP: new(config.TCPCheck),
		}
		targets = append(targets, health.TargetOf("", check, nil))
	}
	return targets
}
