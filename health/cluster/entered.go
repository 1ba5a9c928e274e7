package cluster

import (
	"crypto/sha256"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/round"
)

// EnteredKey names a service that has moved to a pool, on every node.
func EnteredKey(z *config.Zone, p *config.Pool, svc *config.Service) (key round.MemoryKey) {
	sum := sha256.Sum256([]byte(z.Name + "\x00" + p.Name + "\x00" + svc.Name))
	copy(key[:], sum[:])
	return key
}
