package run

import "fmt"

// A Member is a node of the cluster as this one sees it.
type Member struct {
	Name string
	// Heard is set while the node is heard, this one included. Agrees is set where it last said that it has the same runs on disk as this node.
	Heard, Agrees bool
	// Stopped is set where an operator made sure that it does not run: it does not count.
	Stopped bool
}

// count is how many nodes count, and of how many of them is is true.
func count(members []Member, is func(m *Member) bool) (all, n int) {
	for i := range members {
		if m := &members[i]; !m.Stopped {
			if all++; is(m) {
				n++
			}
		}
	}
	return all, n
}

// Majority says why this node does not hear a majority of the nodes, and so carries on nothing; empty if it does. Two sides of a partition never
// both do.
func Majority(members []Member) string {
	all, heard := count(members, func(m *Member) bool { return m.Heard })
	if 2*heard > all {
		return ""
	}
	return fmt.Sprintf("only %d of %d nodes are heard, no majority", heard, all)
}

// Agreed says why not a majority of the nodes, this one included, has the same runs on disk; empty if it has.
func Agreed(members []Member) string {
	all, agree := count(members, func(m *Member) bool { return m.Heard && m.Agrees })
	if 2*agree > all {
		return ""
	}
	return fmt.Sprintf("only %d of %d nodes have it on disk, no majority", agree, all)
}

// Own tells whether this node is to carry the run on from now on, in the place of an owner that is not heard: of those that are heard the one
// with the least name is. A node never takes a run from one that is heard.
func Own(st *State, self string, members []Member) bool {
	if st.Owner == self || Majority(members) != "" {
		return false
	}
	for _, m := range members {
		if m.Name == st.Owner && m.Heard && !m.Stopped {
			return false
		}
		if m.Heard && !m.Stopped && m.Name < self {
			return false
		}
	}
	return true
}
