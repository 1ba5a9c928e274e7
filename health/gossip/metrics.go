package gossip

import (
	"fmt"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The reasons for which messages are dropped.
const (
	dropVersion     = "version"
	dropMalformed   = "malformed"
	dropCluster     = "cluster"
	dropNode        = "node"
	dropSignature   = "signature"
	dropOld         = "old"
	dropOversize    = "oversize"
	dropQueue       = "queue"
	dropCrowded     = "crowded"
	dropEntry       = "entry"
	dropIncarnation = "incarnation"
	dropBusy        = "busy"
	dropOwn         = "own"
)

// The reasons for which memberlist refuses packets and streams before we see them.
const (
	refusedKey   = "key"
	refusedClear = "clear"
	refusedLabel = "label"
	refusedOther = "other"
)

// The outcomes of Ask and of joining.
const (
	outcomeOK      = "ok"
	outcomeError   = "error"
	outcomeTimeout = "timeout"
)

// metrics are the peer's own. All labels but the roster's names are created at the start.
type metrics struct {
	rounds, urgent            prometheus.Counter
	packetsSent, packetsTaken prometheus.Counter
	sendErrors, outlived      prometheus.Counter
	dropped, refused          map[string]prometheus.Counter
	asks, joins               map[string]prometheus.Counter
	octets                    map[string]prometheus.Counter
}

// The directions and mediums of octets.
const (
	packetOut = "sent packet"
	packetIn  = "received packet"
	streamOut = "sent stream"
	streamIn  = "received stream"
)

func newMetrics(reg prometheus.Registerer, p *Peer) (*metrics, error) {
	var all []prometheus.Collector
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "fairlead", Subsystem: "gossip", Name: name, Help: help})
		all = append(all, c)
		return c
	}
	vector := func(name, help, label string, values ...string) map[string]prometheus.Counter {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "fairlead", Subsystem: "gossip", Name: name, Help: help}, []string{label})
		all = append(all, v)
		m := map[string]prometheus.Counter{}
		for _, s := range values {
			m[s] = v.WithLabelValues(s)
		}
		return m
	}
	m := &metrics{
		rounds:       counter("rounds_sent_total", "Rounds of the whole state that this node made."),
		urgent:       counter("urgent_rounds_sent_total", "Rounds that a change caused, of those sent."),
		packetsSent:  counter("packets_sent_total", "Packets of rounds sent, relayed ones included, one for each receiver."),
		packetsTaken: counter("packets_received_total", "Packets of rounds that brought something newer."),
		sendErrors:   counter("send_errors_total", "Packets that could not be sent."),
		outlived:     counter("outlived_total", "Rounds heard under this node's own name that are ahead of it: its state was lost, or two nodes have one name."),
		dropped: vector("dropped_total", "Messages and parts of them that were dropped, by reason.", "reason",
			dropVersion, dropMalformed, dropCluster, dropNode, dropSignature, dropOld, dropOversize, dropQueue, dropCrowded,
			dropEntry, dropIncarnation, dropBusy, dropOwn),
		refused: vector("refused_total", "Packets and streams refused before they were read, by reason.", "reason",
			refusedKey, refusedClear, refusedLabel, refusedOther),
		asks:   vector("asks_total", "Requests to one peer, by outcome.", "outcome", outcomeOK, outcomeError, outcomeTimeout),
		joins:  vector("joins_total", "Attempts to join a node that is not heard, by outcome.", "outcome", outcomeOK, outcomeError),
		octets: map[string]prometheus.Counter{},
	}
	for _, direction := range []string{"sent", "received"} {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "fairlead", Subsystem: "gossip", Name: direction + "_bytes_total",
			Help: "Octets of gossip " + direction + ", memberlist's own included, without IP headers."}, []string{"medium"})
		all = append(all, v)
		for _, medium := range []string{"packet", "stream"} {
			m.octets[direction+" "+medium] = v.WithLabelValues(medium)
		}
	}
	all = append(all, ages{p}, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "fairlead", Subsystem: "gossip",
		Name: "queue_messages", Help: "Messages that wait to be delivered."}, func() float64 { return float64(len(p.queue)) }))
	if reg == nil {
		return m, nil
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return m, nil
}

var ageDesc = prometheus.NewDesc("fairlead_gossip_heard_age_seconds",
	"How long ago the newest round of each other node of the roster came; +Inf when none has.", []string{"node"}, nil)

// ages are the gauges of the roster as it is when they are read, so that a node that leaves it leaves no label behind.
type ages struct{ p *Peer }

func (a ages) Describe(ch chan<- *prometheus.Desc) { ch <- ageDesc }

func (a ages) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	for _, h := range a.p.Heard() {
		if h.Node == a.p.o.Node {
			continue
		}
		age := math.Inf(1)
		if !h.At.IsZero() {
			age = now.Sub(h.At).Seconds()
		}
		ch <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, age, h.Node)
	}
}
