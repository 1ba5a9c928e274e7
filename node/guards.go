package node

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/abuse"
	"github.com/fairlead-dns/fairlead/plugin/secondary"
)

// serialsName is the file in the state directory that has the serials of zones that are transferred.
const serialsName = "serials.json"

// cookieInterval is how often it is looked whether the keyring has other keys.
const cookieInterval = time.Minute

// Guards are the cookies and the limits of the process.
func (n *Node) Guards() abuse.Guards { return n.guards }

// Secondaries are the zones that are transferred.
func (n *Node) Secondaries() *secondary.Zones { return n.secondaries }

// shareCookies keeps the secrets of cookies those of the cluster, which are made of the keys that encrypt gossip, until ctx ends. A node alone,
// or one that gossips in clear, has its own.
func shareCookies(ctx context.Context, node *atomic.Pointer[config.Node], jar *abuse.Jar) error {
	readCookieKeys(node.Load().Cluster, jar)
	return every(ctx, cookieInterval, func(time.Time) { readCookieKeys(node.Load().Cluster, jar) })
}

func readCookieKeys(c *config.Cluster, jar *abuse.Jar) {
	if c == nil || c.Gossip.Keyring == "" {
		return
	}
	if keys, err := config.ReadKeyring(c.Gossip.Keyring); err == nil {
		// What is wrong with the file is said where gossip reads it.
		jar.SetMasters(keys)
	}
}

var limitedDesc = prometheus.NewDesc("fairlead_rrl_limited_total",
	"Replies over the limit of a zone (rrl): dropped, or gone out empty with TC (slipped).", []string{"verdict"}, nil)

// collectLimited exports what a limiter counted.
func collectLimited(ch chan<- prometheus.Metric, l *abuse.Limiter) {
	dropped, slipped := l.Counts()
	for verdict, n := range map[string]uint64{"dropped": dropped, "slipped": slipped} {
		ch <- prometheus.MustNewConstMetric(limitedDesc, prometheus.CounterValue, float64(n), verdict)
	}
}

// isShut tells whether service names are not answered now.
func (n *Node) isShut() bool {
	_, shut := n.Terms()
	return shut
}
