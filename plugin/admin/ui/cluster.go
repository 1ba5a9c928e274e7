package ui

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A clusterPage is what this node knows of the others.
type clusterPage struct {
	Status *api.Status
	Nodes  *api.Nodes
	// Hearing has a row for each node: whom it hears.
	Hearing []hearingRow
}

// A hearingRow is whom one node hears, in the order of the nodes.
type hearingRow struct {
	Name  string
	Cells []hearingCell
}

// A hearingCell is how one node hears another one. At is zero if it never did, or nobody knows.
type hearingCell struct {
	Mark mark
	At   time.Time
	Self bool
}

// heardFor is for how long a node counts as heard.
const heardFor = 10 * time.Second

func loadCluster(v *visit) (any, error) {
	p := &clusterPage{Status: v.ui.hub.look().Status, Nodes: new(api.Nodes)}
	if err := v.get(api.NodesPath, p.Nodes); err != nil {
		return nil, err
	}
	p.Hearing = hearingOf(p.Nodes)
	return p, nil
}

// hearingOf is who hears whom. What a node says of others is not known while it is not heard itself.
func hearingOf(n *api.Nodes) []hearingRow {
	var rows []hearingRow
	told := false
	for i := range n.Nodes {
		of := &n.Nodes[i]
		row := hearingRow{Name: of.Name}
		for k := range n.Nodes {
			c := hearingCell{Mark: mark{"unknown", "not known"}, Self: i == k}
			if at := slices.IndexFunc(of.Hears, func(h api.NodeHearing) bool { return h.Name == n.Nodes[k].Name }); at >= 0 {
				c.At, told = of.Hears[at].At, true
			}
			switch {
			case !of.Heard():
			case !c.At.IsZero() && n.At.Sub(c.At) < heardFor:
				c.Mark = mark{"up", "hears"}
			case !c.At.IsZero() || of.State == api.NodeSelf:
				c.Mark = mark{"down", "does not hear"}
			}
			row.Cells = append(row.Cells, c)
		}
		rows = append(rows, row)
	}
	if !told {
		return nil
	}
	return rows
}

// delayMark is how what gossip takes to a node stands against the allowance that bounds reckon with.
func delayMark(seconds, allowance float64) mark {
	if allowance > 0 && seconds > allowance {
		return mark{"suspect", "over the allowance"}
	}
	return mark{"up", ""}
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
	case n.Island:
		return mark{"suspect", "island"}
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
	// Diff leads from what runs to what is on disk; Cut is set where it is longer than is shown.
	Diff []diffLine
	Cut  bool
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
		if p.Running.Pending != nil {
			p.Diff, p.Cut = diffOf(strings.Split(string(p.Running.Content), "\n"), strings.Split(string(p.Running.Pending), "\n"))
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
