package headline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// node tells what this node says of itself.
func (t *teller) node() {
	s := t.status
	if u := s.Unwritable; u != nil {
		t.add(api.Cause{Level: api.LevelCluster, State: down, Kind: "state_not_written", Name: s.Node, Since: instant(u.Since),
			Text: "state directory of " + s.Node + " not writable" + t.since(u.Since)})
	}
	shut := s.Cluster != nil && s.Cluster.Shut != ""
	if shut {
		text := s.Node + " does not answer service names: " + s.Cluster.Shut
		if len(s.Cluster.WaitsFor) > 0 {
			text = s.Node + " does not answer service names: waits for " + list(s.Cluster.WaitsFor)
		}
		t.add(api.Cause{Level: api.LevelCluster, State: down, Kind: "node_shut", Name: s.Node, Text: text})
	}
	if c := s.Cluster; c != nil && c.Isolated {
		text := fmt.Sprintf("%s hears %d of %d nodes: health moves nothing", s.Node, c.Heard, c.Roster)
		if i := slices.IndexFunc(c.Nodes, func(n api.Node) bool { return n.State == api.NodeSelf && n.Island }); i >= 0 {
			text = fmt.Sprintf("%s hears %d of %d nodes and is an island of %s", s.Node, c.Heard, c.Roster, c.Nodes[i].Region)
		}
		t.add(api.Cause{Level: api.LevelCluster, State: down, Kind: "isolated", Name: s.Node, Text: text})
	}
	if !s.Ready && !shut {
		why := s.NotReady
		if why == "" {
			why = "no reason given"
		}
		t.add(api.Cause{Level: api.LevelCluster, State: suspect, Kind: "not_ready", Name: s.Node, Text: s.Node + " not ready: " + why})
	}
	if bare := s.BareBlocks; len(bare) > 0 {
		t.add(api.Cause{Level: api.LevelCluster, State: down, Kind: "bare_blocks", Name: s.Node,
			Text: s.Node + " answers nothing for " + list(bare) + ": no zone file of the server block"})
	}
	if f := s.Freeze; f != nil {
		text := "frozen by " + f.Actor + t.since(f.Since)
		if len(f.Otherwise) > 0 {
			text += "; probes of " + s.Node + " see otherwise: " + list(f.Otherwise)
		}
		t.add(api.Cause{Level: api.LevelCluster, State: suspect, Kind: "frozen", Since: instant(f.Since), Command: "fairlead unfreeze", Text: text})
	}
	if s.Blind {
		t.add(api.Cause{Level: api.LevelCluster, State: suspect, Kind: "blind", Name: s.Node, Text: s.Node + " is blind and abstains"})
	}
	if s.Late {
		t.add(api.Cause{Level: api.LevelCluster, State: suspect, Kind: "late", Name: s.Node, Text: s.Node + " is late by itself: its timeouts do not count"})
	}
	if c := s.Cluster; c != nil && c.CutUntil != nil {
		t.add(api.Cause{Level: api.LevelCluster, State: suspect, Kind: "cut_off", Name: s.Node, Until: c.CutUntil,
			Text: s.Node + " is cut off for a rehearsal until " + clock(*c.CutUntil)})
	}
}

// cluster tells of the other nodes.
func (t *teller) cluster() {
	if t.status.Cluster == nil {
		return
	}
	for i := range t.status.Cluster.Nodes {
		n := &t.status.Cluster.Nodes[i]
		c := api.Cause{Level: api.LevelCluster, State: suspect, Name: n.Name, Command: "fairlead nodes"}
		switch n.State {
		case api.NodeStale:
			c.Kind, c.Text = "node_silent", "node "+n.Name+" not heard"
			t.lease(&c, n)
		case api.NodeNever:
			c.Kind, c.Text = "node_silent", "node "+n.Name+" never heard"
		case api.NodeNotListed:
			c.Kind, c.Text = "node_not_listed", "node "+n.Name+" not in the roster"
		case api.NodeStopped:
			c.Kind, c.State, c.Text = "node_stopped", drained, "node "+n.Name+" declared stopped"
		default:
			t.odd(&c, n)
		}
		if c.Kind != "" {
			t.add(c)
		}
	}
}

// lease says until when a silent node answers.
func (t *teller) lease(c *api.Cause, n *api.Node) {
	if n.HeardAt != nil {
		c.Since = n.HeardAt
		c.Text += t.since(*n.HeardAt)
	}
	switch {
	case n.FencedAt != nil:
		c.Text += ", stopped answering " + clock(*n.FencedAt)
	case n.LeaseSeconds > 0 && n.HeardAt != nil:
		ends := n.HeardAt.Add(time.Duration(n.LeaseSeconds * float64(time.Second)))
		if ends.After(t.status.At) {
			c.Until, c.Text = &ends, c.Text+", stops answering "+clock(ends)
		} else {
			c.Text += ", has to be known to have stopped"
		}
	case n.MayBeIsland:
		c.Text += ", may be answering as an island of " + n.Region
	default:
		c.Text += ", may be answering"
	}
}

// odd tells what is wrong with a node that is heard.
func (t *teller) odd(c *api.Cause, n *api.Node) {
	self := n.State == api.NodeSelf
	var words []string
	if n.Drift != nil {
		c.Kind, c.Since = "node_drift", n.Drift
		words = append(words, "serves other files"+t.since(*n.Drift))
	}
	if n.Divergent != nil {
		c.Kind, c.Since = "node_divergent", n.Divergent
		words = append(words, "decides otherwise"+t.since(*n.Divergent))
	}
	if !n.Answering && !self {
		c.Kind = "node_shut"
		words = append(words, "does not answer service names")
	}
	if n.Blind && !self {
		c.Kind = "blind"
		words = append(words, "is blind and abstains")
	}
	if n.Isolated && !self {
		c.Kind = "isolated"
		word := "is isolated"
		if n.Island {
			word = "is an island of " + n.Region
		}
		words = append(words, word)
	}
	c.Text = "node " + n.Name + " " + strings.Join(words, ", ")
}

// files tells which files are not in use.
func (t *teller) files() {
	for _, f := range t.status.Files {
		c := api.Cause{Level: api.LevelCluster, State: suspect, Name: f.Path}
		switch {
		case f.Hash == "":
			c.State, c.Kind, c.Text = down, "file_not_served", "nothing of "+f.Path+" is served"
		case f.LastGood || f.BrokenSince != nil:
			c.Kind, c.Text = "file_broken", f.Path+" broken, its last good version is served"
		case f.RolledBack != nil:
			c.Kind, c.State, c.Text = "file_rolled_back", drained, f.Path+" rolled back"
		case len(f.Problems) > 0:
			c.Kind, c.State, c.Text = "file_problems", up, f.Path+" in use with "+count(len(f.Problems), "problem")
		default:
			continue
		}
		if f.BrokenSince != nil {
			c.Since = f.BrokenSince
			c.Text += t.since(*f.BrokenSince)
		}
		t.add(c)
	}
}

// orders tells of the orders: those without effect want to be looked at, drains in force are said so.
func (t *teller) orders() {
	for i := range t.status.Intents {
		o := &t.status.Intents[i]
		what := o.Kind + " of " + o.Scope.Kind + " " + o.Scope.Name
		if o.Service != "" {
			what += " for " + display(o.Service)
		}
		c := api.Cause{Level: api.LevelCluster, State: suspect, Name: o.ID, Since: instant(o.StartsAt), Until: o.EndsAt}
		switch o.State {
		case api.IntentDangling:
			c.Kind, c.Text = "order_dangling", what+" ("+o.ID+") names nothing"
		case api.IntentNoEffect:
			c.Kind, c.Text = "order_no_effect", what+" ("+o.ID+") has no effect"
		case api.IntentSuspended:
			c.Kind, c.Text = "order_suspended", what+" ("+o.ID+") suspended by "+o.Rule
		case api.IntentInForce:
			if !t.inForce(&c, o) {
				continue
			}
		default:
			continue
		}
		t.add(c)
	}
}

// inForce tells of an order that has effect; false for one that is no news.
func (t *teller) inForce(c *api.Cause, o *api.Intent) bool {
	c.State, c.Command = drained, "fairlead undrain "+o.ID
	verb := ""
	switch o.Kind {
	case "drain":
		c.Kind, verb = "drained", "drained"
	case "weight":
		if o.Weight == nil || *o.Weight > 0 {
			return false
		}
		c.Kind, verb = "weighed_out", "out by weight 0"
	case "force":
		c.Kind, verb, c.Command = "forced", "forced "+o.Forced, ""
	default:
		return false
	}
	switch o.Scope.Kind {
	case "az", "region", "cluster":
		c.Level = api.LevelAZ
	case "pool", "endpoint":
		c.Level = api.LevelEndpoint
	}
	name := o.Scope.Kind + " " + o.Scope.Name
	if o.Scope.Kind == "az" {
		name = "AZ " + o.Scope.Name
	}
	c.Text = name + " " + verb
	if o.Service != "" {
		c.Text += " for " + display(o.Service)
	}
	c.Text += " by " + o.Actor + t.since(o.StartsAt) + " (" + o.ID + ")"
	return true
}
