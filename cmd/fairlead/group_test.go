package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGroups: every command stands under one heading of the help text, and every name there is a command.
func TestGroups(t *testing.T) {
	of := map[string]int{}
	for _, g := range groups {
		for _, name := range g.commands {
			of[name]++
		}
	}
	alone := map[string]bool{"completion": true, "man": true, "help": true, "connecting": true}
	root := rootCommand()
	for _, cmd := range root.Commands() {
		if !alone[cmd.Name()] {
			require.Equal(t, 1, of[cmd.Name()], cmd.Name())
			require.NotEmpty(t, cmd.GroupID, cmd.Name())
		}
		delete(of, cmd.Name())
	}
	require.Empty(t, of)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs([]string{"--help"})
	require.NoError(t, root.Execute())
	for _, g := range groups {
		require.Contains(t, out.String(), "\n"+g.title+":\n")
	}
	out.Reset()
	root = rootCommand()
	root.SetOut(&out)
	root.SetArgs([]string{"help", "connecting"})
	require.NoError(t, root.Execute())
	require.Contains(t, out.String(), "FAIRLEAD_SERVER")
}
