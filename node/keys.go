package node

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/rollover"
)

const (
	// askKeys asks another node how it answered a zone, which the body names.
	askKeys = "keys"
	// maxZoneName is the longest name that is looked up, in presentation form.
	maxZoneName = 1024
)

// zoneKeys says what is to be done about the keys of zones. It implements admin.Keys.
type zoneKeys struct{ node *Node }

// handleKeys is the reply to askKeys.
func (n *Node) handleKeys(_ context.Context, _ string, body []byte) ([]byte, error) {
	if len(body) > maxZoneName {
		return nil, fmt.Errorf("a zone's name of %d octets", len(body))
	}
	return json.Marshal(n.rollover.Word(string(body), time.Now()))
}

// ZoneKeys is what is to be done about the keys of a zone that is served, by the words of all nodes.
func (k *zoneKeys) ZoneKeys(ctx context.Context, zv *health.ZoneView) (*api.ZoneKeys, error) {
	n := k.node
	replies, err := n.engine.AskEach(ctx, askKeys, []byte(zv.Zone.Name))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	own := rollover.Node{Name: n.Name(), Word: n.rollover.Word(zv.Zone.Name, now), At: now}
	nodes := []rollover.Node{own}
	for _, r := range replies {
		one := rollover.Node{Name: r.Node, Why: r.Why, At: r.At}
		if r.Why == "" {
			if err := json.Unmarshal(r.Body, &one.Word); err != nil || one.Word == nil {
				one.Word, one.Why = nil, "is not understood"
			}
		}
		nodes = append(nodes, one)
	}
	out := rollover.Judge(zv.Zone, own.Word.Signed, nodes, n.Caches().Transit, now)
	out.Node = n.Name()
	return out, nil
}
