package config

// NodePlans say which plans a node has, and what they may.
type NodePlans struct {
	// Directory has the plan files, *.yaml; empty for none.
	Directory string
	// Exec lets hooks of plans run programs.
	Exec bool
}

func nodePlansShape() *shape {
	return object(
		required("directory", text("a path", lineText)).says("The plan files, *.yaml, looked at every second: docs/plans.md. Every node should have the same."),
		optional("exec", boolean()).or(false).says("Hooks of plans may run programs, as the node's user."),
	)
}

// plans reads where plans are.
func (n *Node) plans(node *yamlNode) {
	n.Plans = NodePlans{Directory: stringOf(field(node, "directory")), Exec: boolOf(field(node, "exec"))}
}
