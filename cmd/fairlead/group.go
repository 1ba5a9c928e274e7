package main

import "github.com/spf13/cobra"

// groups are the headings of the help text, with the commands below each, in the order in which an operator comes to need them.
var groups = []struct {
	title    string
	commands []string
}{
	{"Look", []string{"status", "get", "describe", "explain", "cell", "staleness", "safe", "incidents", "events", "intents", "probe", "ui"}},
	{"Act", []string{"drain", "undrain", "lifeboat", "force", "weight", "extend", "ready", "unready", "failback", "freeze", "unfreeze"}},
	{"Plan", []string{"what-if", "drill", "plan"}},
	{"Files", []string{"init", "check", "diff", "reload", "config", "delegation", "dnssec", "schema", "docs", "import", "geo"}},
	{"Cluster", []string{"serve", "nodes", "discovery", "hooks", "demo"}},
	{"Access", []string{"context", "token", "audit"}},
}

// addGroups puts the commands below root under their headings.
func addGroups(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, name := range g.commands {
			for _, cmd := range root.Commands() {
				if cmd.Name() == name {
					cmd.GroupID = g.title
				}
			}
		}
	}
}

// connectingCommand is a page of help and no command.
func connectingCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "connecting",
		Short: "how commands find a node, and how they log in",
		Long:  "How commands find a node, and how they log in.\n\n" + serverHelp,
	}
}
