package main

import (
	"errors"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/delegation"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/dnssec"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
)

// version is set by the linker: -X main.version=….
var version string

// programVersion is the linker's version, else what the go command recorded.
func programVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			return s.Value[:min(len(s.Value), 12)]
		}
	}
	return v
}

// commands are all commands, in the order of the help text.
func commands() []*cobra.Command {
	return []*cobra.Command{
		serveCommand(),
		demoCommand(),
		initCommand(),
		checkCommand(),
		diffCommand(),
		delegation.Command(),
		dnssec.Command(dnssecStatusCommand()),
		schemaCommand(),
		docsCommand(),
		importCommand(),
		geoCommand(),
		statusCommand(),
		uiCommand(),
		getCommand(),
		describeCommand(),
		explainCommand(),
		cellCommand(),
		whatIfCommand(),
		stalenessCommand(),
		safeCommand(),
		incidentsCommand(),
		drillCommand(),
		planCommand(),
		eventsCommand(),
		hooksCommand(),
		probeCommand(),
		freezeCommand(),
		unfreezeCommand(),
		drainCommand(),
		undrainCommand(),
		lifeboatCommand(),
		forceCommand(),
		extendCommand(),
		intentsCommand(),
		weightCommand(),
		readyCommand(),
		unreadyCommand(),
		failbackCommand(),
		reloadCommand(),
		configCommand(),
		auditCommand(),
		contextCommand(),
		nodesCommand(),
		discoveryCommand(),
		tokenCommand(),
		completionCommand(),
		manCommand(),
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "fairlead",
		Short:         "Steer traffic by DNS, with a known bound on what caches still say",
		Version:       programVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Long: `Fairlead answers a zone that is delegated to it: service names with weighted addresses per AZ and region, away from what fails or
is drained. ` + "`fairlead demo`" + ` shows it, ` + "`fairlead serve`" + ` runs a node, the other commands ask one or look at its files.

` + exit.LocalHelp + ` Some commands have more: see their help.`,
		Example: `  fairlead demo
  fairlead check /etc/fairlead/zones.d
  fairlead status`,
		Args: exit.Meant,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(flagMistake)
	addColorFlag(root)
	root.AddCommand(commands()...)
	root.AddCommand(connectingCommand())
	addGroups(root)
	foldHelp(root)
	addCompletion(root)
	return root
}

// longFlags lets flags that CoreDNS writes with one hyphen be written so: -conf is --conf.
func longFlags(args []string) []string {
	out := slices.Clone(args)
	for i, a := range out {
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && slices.Contains([]string{"conf", "pidfile", "quiet", "log-format"}, name) {
			out[i] = "-" + a
		}
	}
	return out
}

// isSilent tells whether the command has already said what is the matter.
func isSilent(err error) bool {
	e, ok := errors.AsType[*exit.Error](err)
	return ok && e.Err == nil
}
