package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/diff"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

// writeDiff prints each zone that differs, and that the others do not.
func writeDiff(w io.Writer, d *diffDocument) {
	st := terminal.StyleFor(w)
	for i, z := range d.Zones {
		if i > 0 {
			fmt.Fprintln(w)
		}
		name := st.Paint(terminal.Bold, "zone "+terminal.Display(z.Zone))
		switch {
		case z.File == "":
			fmt.Fprintf(w, "%s: %s; node %s serves it from %s\n", name, st.Paint(terminal.Red, "- it is in no file"), d.Node, z.Running)
		case z.Running == "":
			fmt.Fprintf(w, "%s: %s %s; node %s does not serve it\n", name, st.Paint(terminal.Green, "+ it is new in"), z.File, d.Node)
		case z.FileHash == z.RunningHash:
			fmt.Fprintf(w, "%s: %s is what node %s serves (%s)\n", name, z.File, d.Node, z.RunningHash)
		case !z.differs():
			fmt.Fprintf(w, "%s: no difference in effect between %s (%s) and what node %s serves (%s)\n", name, z.File, z.FileHash, d.Node, z.RunningHash)
		default:
			fmt.Fprintf(w, "%s: node %s serves %s, and %s has %s\n", name, d.Node, z.RunningHash, z.File, z.FileHash)
		}
		if z.Refused != "" {
			fmt.Fprintf(w, "  %s: it %s\n  help: %s\n", st.Paint(terminal.Red, "refused"), z.Refused, config.ShrinkHelp)
		}
		if z.Signing != "" {
			fmt.Fprintf(w, "  %s: %s\n", st.Paint(terminal.Yellow, "DNSSEC"), z.Signing)
		}
		writeChanges(w, st, z.Changes)
		writeNames(w, st, z.Names)
		writeLeaves(w, st, z.Leaves)
	}
	if len(d.Dangling) > 0 {
		fmt.Fprintln(w)
	}
	for _, o := range d.Dangling {
		fmt.Fprintf(w, "%s: %s\n", st.Paint(terminal.Red, "dangling"), o)
	}
}

// writeLeaves prints what leaves the answers, and for how long caches hold it then.
func writeLeaves(w io.Writer, st terminal.Style, leaves []explain.Leave) {
	writeShards(w, st, leaves)
	leaves = slices.DeleteFunc(slices.Clone(leaves), func(l explain.Leave) bool { return l.Shards != "" })
	if len(leaves) == 0 {
		return
	}
	fmt.Fprintf(w, "\n  %s; caches may hold what they have for HELD after the swap, and the transit allowance;\n", leave(len(leaves)))
	fmt.Fprintln(w, "  for longer where ttl.max was greater until lately, as `fairlead reload` says then:")
	t := terminal.NewTable("NAME", "ADDRESS", "HELD", "WHY")
	for _, l := range leaves[:min(len(leaves), maxLeftRows)] {
		why := l.Why
		if l.Standby {
			why += "; a standby, held only if it is answered now"
		}
		t.Add("", terminal.Display(l.Name), strings.TrimSuffix(l.Data, "."), terminal.UpTo(time.Duration(l.HeldSeconds*float64(time.Second))), why)
	}
	t.Write(w, st, "  ")
	if more := len(leaves) - maxLeftRows; more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
}

// writeShards prints the shards that get another home, and how to move them in a planned way before the file says so.
func writeShards(w io.Writer, st terminal.Style, leaves []explain.Leave) {
	for i, l := range leaves {
		if l.Shards == "" {
			continue
		}
		if i == 0 || leaves[i-1].Name != l.Name || leaves[i-1].Shards == "" {
			count := 0
			for _, o := range leaves {
				if o.Name == l.Name {
					count += o.Count
				}
			}
			verb := "move"
			if count == 1 {
				verb = "moves"
			}
			fmt.Fprintf(w, "\n  %s of %s %s; caches may hold the older home for %s after the\n  swap, and the transit allowance:\n",
				terminal.Count(count, "shard"), terminal.Display(l.Name), verb, terminal.UpTo(time.Duration(l.HeldSeconds*float64(time.Second))))
		}
		for k, line := range terminal.Fold(strings.ReplaceAll(l.Shards, ",", ", "), st.Width-8) {
			if k == 0 {
				fmt.Fprintf(w, "    %s\n", st.Paint(terminal.Yellow, fmt.Sprintf("%d from %s to %s", l.Count, l.From, l.To)))
			}
			fmt.Fprintf(w, "      %s\n", line)
		}
		if i+1 == len(leaves) || leaves[i+1].Name != l.Name || leaves[i+1].Shards == "" {
			writeCutOver(w, st, leaves, l.Name)
		}
	}
}

// writeCutOver prints the orders that move the shards of a service at one instant, before the file is taken up.
func writeCutOver(w io.Writer, st terminal.Style, leaves []explain.Leave, service string) {
	to := map[string][]string{}
	for _, l := range leaves {
		if l.Name == service && l.Shards != "" {
			to[l.To] = append(to[l.To], l.Shards)
		}
	}
	fmt.Fprintln(w, "    at one instant, with short TTLs before it, while the older file is still served:")
	for _, pool := range slices.Sorted(maps.Keys(to)) {
		line := fmt.Sprintf("fairlead drain shards %s --service %s --to %s --at +5m --for 2h --reason TEXT", strings.Join(to[pool], ","), terminal.Display(service), pool)
		for k, part := range terminal.Fold(line, st.Width-10) {
			fmt.Fprintf(w, "      %s%s\n", strings.Repeat("  ", min(k, 1)), part)
		}
	}
}

func leave(n int) string {
	if n == 1 {
		return "1 record leaves the answers"
	}
	return fmt.Sprintf("%d records leave the answers", n)
}

// writeChanges prints what came, went and changed; the keys of one object stand together.
func writeChanges(w io.Writer, st terminal.Style, changes []diff.Change) {
	for i := 0; i < len(changes); {
		c := changes[i]
		switch {
		case c.Added:
			fmt.Fprintln(w, "  "+st.Paint(terminal.Green, "+ "+c.Object))
			i++
			continue
		case c.Removed:
			fmt.Fprintln(w, "  "+st.Paint(terminal.Red, "- "+c.Object))
			i++
			continue
		}
		fmt.Fprintln(w, "  "+st.Paint(terminal.Yellow, "~ "+c.Object))
		t := terminal.NewTable("", "")
		for ; i < len(changes) && changes[i].Object == c.Object && !changes[i].Added && !changes[i].Removed; i++ {
			t.Add("", changes[i].Key, nothing(changes[i].Old)+" -> "+nothing(changes[i].New))
		}
		t.Write(w, st, "      ")
	}
}

// nothing is a value, or a word for none.
func nothing(value string) string {
	if value == "" {
		return "(none)"
	}
	return value
}

// writeNames prints the names whose answers differ, before and after.
func writeNames(w io.Writer, st terminal.Style, names []explain.NameChange) {
	if len(names) == 0 {
		return
	}
	distinct := map[string]bool{}
	for _, n := range names {
		distinct[n.Name] = true
	}
	verb := "change"
	if len(distinct) == 1 {
		verb = "changes"
	}
	fmt.Fprintf(w, "\n  %s %s, while everything is up:\n", terminal.Count(len(distinct), "name"), verb)
	for _, n := range names {
		name := terminal.Display(n.Name)
		if n.Class != "" {
			name += " for " + n.Class
		}
		switch {
		case n.Before == nil:
			fmt.Fprintf(w, "\n  %s  ttl %ds\n", st.Paint(terminal.Green, "+ "+name), n.After.TTLSeconds)
		case n.After == nil:
			fmt.Fprintf(w, "\n  %s: no service from then on\n", st.Paint(terminal.Red, "- "+name))
		default:
			was, is := stateMark(*n.Before), stateMark(*n.After)
			fmt.Fprintf(w, "\n  %s\n  %s  ttl %ds -> %s  ttl %ds\n", st.Paint(terminal.Yellow, "~ "+name),
				st.Paint(was.Colour, was.Text()), n.Before.TTLSeconds, st.Paint(is.Colour, is.Text()), n.After.TTLSeconds)
		}
		writeMoves(w, st, api.WhatIfService{Before: orNone(n.Before), After: orNone(n.After)})
	}
}

func orNone(s *api.WhatIfState) api.WhatIfState {
	if s == nil {
		return api.WhatIfState{}
	}
	return *s
}
