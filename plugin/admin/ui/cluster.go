package ui

import (
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A clusterPage is what this node knows of the others.
type clusterPage struct {
	Status *api.Status
	Nodes  *api.Nodes
}

func loadCluster(v *visit) (any, error) {
	p := &clusterPage{Status: v.ui.hub.look().Status, Nodes: new(api.Nodes)}
	return p, v.get(api.NodesPath, p.Nodes)
}

// nodeMark is the mark of a node.
func nodeMark(n *api.Node) mark {
	switch {
	case n.State == api.NodeStopped:
		return mark{"drained", "stopped"}
	case !n.Heard():
		return mark{"down", n.State}
	case !n.Answering:
		return mark{"down", "does not answer"}
	case n.Isolated:
		return mark{"suspect", "isolated"}
	case n.Divergent != nil:
		return mark{"suspect", "decides otherwise"}
	case n.Drift != nil:
		return mark{"suspect", "other files"}
	case n.Blind:
		return mark{"suspect", "blind"}
	case n.Drained:
		return mark{"drained", "drained"}
	}
	return mark{"up", n.State}
}

// A configPage is the zone files of this node.
type configPage struct {
	api.Config
	// Running is the text of the zone that was asked for, Zone its name.
	Zone    string
	Running *api.RunningZone
}

func loadConfig(v *visit) (any, error) {
	p := &configPage{Zone: v.r.URL.Query().Get("zone")}
	if err := v.get(api.ConfigPath, &p.Config); err != nil {
		return nil, err
	}
	if p.Zone != "" {
		p.Running = new(api.RunningZone)
		if err := v.get(api.ItemPath(api.RunningPath, p.Zone), p.Running); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Text is the running version as text.
func (p *configPage) Text() string { return string(p.Running.Content) }

// fileMark is the mark of a zone file.
func fileMark(f *api.File) mark {
	switch {
	case f.Hash == "":
		return mark{"down", "not served"}
	case f.RolledBack != nil:
		return mark{"drained", "rolled back"}
	case f.LastGood || f.BrokenSince != nil:
		return mark{"suspect", "broken; last good version served"}
	case len(f.Problems) > 0:
		return mark{"suspect", "served, with warnings"}
	}
	return mark{"up", "served"}
}
