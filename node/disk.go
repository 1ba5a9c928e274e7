package node

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// diskEvery is the time between two trials, diskSize what is written in one, in octets: as much as the verdicts of 2,000
	// endpoints, so that a disk is found full before orders are refused.
	diskEvery = 10 * time.Second
	diskSize  = 256 << 10
	diskName  = "disk.trial"
)

// A diskTrial tries whether the state directory can be written: each part that keeps something there says so only when it has
// something to keep.
type diskTrial struct {
	path   string
	node   func() string
	events *event.Log
	logger *slog.Logger
	writes prometheus.Gauge
	// trouble is nil while it can.
	trouble atomic.Pointer[api.Unwritable]
}

// newDiskTrial makes the trial for a state directory; node is the name of the node.
func newDiskTrial(state string, node func() string, events *event.Log, logger *slog.Logger, reg prometheus.Registerer) *diskTrial {
	d := &diskTrial{path: filepath.Join(state, diskName), node: node, events: events, logger: logger,
		writes: prometheus.NewGauge(prometheus.GaugeOpts{Name: "fairlead_state_writable", Help: "0 while the state directory cannot be written."})}
	d.writes.Set(1)
	reg.MustRegister(d.writes)
	return d
}

// run tries until ctx ends.
func (d *diskTrial) run(ctx context.Context) error {
	defer os.Remove(d.path)
	d.look(time.Now())
	return every(ctx, diskEvery, d.look)
}

// look tries once, and says so when the result is another.
func (d *diskTrial) look(now time.Time) {
	err := d.try()
	was := d.trouble.Load()
	switch {
	case err != nil && was == nil:
		d.trouble.Store(&api.Unwritable{Since: now, Reason: err.Error()})
		d.writes.Set(0)
		d.logger.Error("state directory not writable: what is ordered and believed here does not outlive this process", "err", err)
		d.events.Add("node.unwritable", d.node(), "the state directory cannot be written: "+err.Error(), nil)
	case err == nil && was != nil:
		d.trouble.Store(nil)
		d.writes.Set(1)
		d.logger.Info("state directory writable again")
		d.events.Add("node.writable", d.node(), "the state directory can be written again", nil)
	}
}

// try writes a file and removes it. It is not made to survive, so that nothing else is named.
func (d *diskTrial) try() error {
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, diskSize))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(d.path))
}

// Unwritable is set while the state directory cannot be written.
func (n *Node) Unwritable() *api.Unwritable { return n.disk.trouble.Load() }
