package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
)

// notDry are the orders without a dry run, each with the reason.
var notDry = map[string]string{
	"reload":            "`fairlead diff` and `check` say beforehand what comes of files",
	"config rollback":   "the same",
	"config forward":    "the same",
	"drill abort":       "`fairlead undrain ID --dry-run` says what the end of its drain does",
	"plan approve":      "`fairlead plan show RUN` shows which steps follow",
	"plan pause":        "it changes no answer",
	"plan resume":       "`fairlead plan show RUN` shows which steps follow",
	"plan abort":        "`fairlead plan show RUN` shows what it did, which is undone",
	"token create":      "it changes no answer",
	"token revoke":      "it changes no answer",
	"discovery accept":  "`fairlead discovery` shows what is held",
	"discovery adopt":   "what another cluster would bring is not read before it is adopted",
	"hooks redeliver":   "it changes no answer",
	"demo cut":          "it is a rehearsal",
	"incidents hits":    "it adds to a report",
	"events maintained": "it changes no answer",
}

// TestEveryOrder: each command that takes a reason is an order: it prints what the node answered as JSON if that is asked for, and says
// what it would do without doing it.
func TestEveryOrder(t *testing.T) {
	orders := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.Flags().Lookup("reason") == nil {
			return
		}
		orders++
		path := strings.TrimPrefix(cmd.CommandPath(), "fairlead ")
		require.NotNil(t, cmd.Flags().Lookup("output"), path)
		if _, without := notDry[path]; !without {
			require.NotNil(t, cmd.Flags().Lookup("dry-run"), path)
		}
	}
	walk(rootCommand())
	require.Greater(t, orders, 20)
}

// TestKinds: the words that get takes are those of every command that takes a kind.
func TestKinds(t *testing.T) {
	cmd := &cobra.Command{Use: "x"}
	for word, want := range map[string]string{"ep": "endpoint", "endpoints": "endpoint", "azs": "az", "AZ": "az", "pools": "pool", "node": "node"} {
		got, err := kindOf(cmd, word, drainKinds)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := kindOf(cmd, "svc", drainKinds)
	require.ErrorContains(t, err, `"svc": want endpoint`)
	_, err = kindOf(cmd, "poool", drainKinds)
	_, hint := exit.CodeOf(err)
	require.Equal(t, "did you mean pool?", hint)
}
