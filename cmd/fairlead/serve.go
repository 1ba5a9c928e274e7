package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"

	clog "github.com/coredns/coredns/plugin/pkg/log"
	"github.com/spf13/cobra"

	fairlead "github.com/fairlead-dns/fairlead/plugin"
)

const (
	serverType = "dns"
	// maxCorefile bounds what is read of a Corefile.
	maxCorefile = 16 << 20
	// signalQueue is how many signals wait while one is worked on; more of the same say nothing new.
	signalQueue = 8
)

func serveCommand() *cobra.Command {
	s := &server{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a node: answer DNS from the zone files of a Corefile",
		Long: `Run a node: answer DNS from the zone files that the Corefile names, probe their endpoints, serve the admin socket.

Zone files are watched: a change counts within seconds, without a signal. SIGUSR1 and SIGHUP read the Corefile again; if
it is broken, the old one goes on. SIGTERM and SIGINT stop the listeners, let queries end and release everything; a second
one ends the process at once.

Started as root, the node goes on as the user that its node file names, with the power to listen below port 1024 and no other. The limit of
the cgroup, less a tenth, is the memory limit unless GOMEMLIMIT is set. Type=notify of systemd is served.

The log goes to standard output: lines with the time in UTC, or, with -log-format json, JSON objects with time, level, msg and the
attributes as keys. Debug lines, such as those about endpoints that become suspect, are written with the plugin debug in the Corefile.

Exit codes: 0 ended by a signal, 1 the start failed or something could not be released, 2 wrong usage.`,
		Example: "  fairlead serve -conf /etc/fairlead/Corefile",
		Args:    exit.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := exit.Choice(cmd, "log-format", s.logFormat, logText, logJSON); err != nil {
				return err
			}
			return s.run()
		},
	}
	cmd.Flags().StringVar(&s.conf, "conf", "Corefile", "Corefile to serve")
	cmd.Flags().StringVar(&s.pidFile, "pidfile", "", "file to write the process id to")
	cmd.Flags().StringVar(&s.logFormat, "log-format", logText, "text, or json: a line for each entry, with its attributes as keys")
	cmd.Flags().BoolVar(&s.quiet, "quiet", false, "do not print the zones at the start")
	return cmd
}

// A server runs CoreDNS in this process.
type server struct {
	conf, pidFile, logFormat string
	quiet                    bool
	// instance is the one that serves; the `reload` plugin replaces it too.
	instance atomic.Pointer[caddy.Instance]
}

// run serves until a signal ends it.
func (s *server) run() error {
	if err := openLog(s.logFormat, os.Stdout); err != nil {
		return err
	}
	caddy.AppName, caddy.AppVersion = fairlead.AppName, programVersion()
	// The zones are printed past the log.
	caddy.Quiet, dnsserver.Quiet = true, s.quiet || s.logFormat == logJSON
	caddy.PidFile = s.pidFile
	caddy.RegisterCaddyfileLoader(fairlead.AppName, caddy.LoaderFunc(s.load))
	caddy.RegisterEventHook("fairlead-serve", s.started)
	if err := selectPlugins(); err != nil {
		return err
	}
	corefile, err := s.load(serverType)
	if err != nil {
		return err
	}
	if err := leaveRoot(corefile); err != nil {
		return err
	}
	limitMemory()
	// Before the start: a signal that comes while the files load must not kill a half-made node.
	signals := make(chan os.Signal, signalQueue)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGHUP)
	defer signal.Stop(signals)

	clog.Infof("fairlead %s, %s/%s, %s", programVersion(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	if _, err := caddy.Start(corefile); err != nil {
		fairlead.Abandon()
		return err
	}
	notifyReady()
	for sig := range signals {
		switch sig {
		case syscall.SIGUSR1, syscall.SIGHUP:
			s.reload(sig)
		default:
			go dieOn(signals)
			return s.stop(sig)
		}
	}
	return nil
}

// load reads the Corefile, for us and for the `reload` plugin.
func (s *server) load(string) (caddy.Input, error) {
	f, err := os.Open(s.conf)
	if err != nil {
		return nil, fmt.Errorf("Corefile: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCorefile+1))
	if err != nil {
		return nil, fmt.Errorf("Corefile: %w", err)
	}
	if len(text) > maxCorefile {
		return nil, fmt.Errorf("Corefile %s: more than %d octets", s.conf, maxCorefile)
	}
	return caddy.CaddyfileInput{Filepath: filepath.Clean(s.conf), Contents: text, ServerTypeName: serverType}, nil
}

// started notes which instance serves, whoever started it.
func (s *server) started(event caddy.EventName, info any) error {
	if i, ok := info.(*caddy.Instance); ok && event == caddy.InstanceStartupEvent {
		s.instance.Store(i)
	}
	return nil
}

// reload replaces the instance by one of the Corefile as it is now. If that fails, the old one goes on, and the next
// signal tries again. A restart by the `reload` plugin at the same time makes this one fail, which is logged.
func (s *server) reload(sig os.Signal) {
	clog.Infof("%v: reading %s again", sig, s.conf)
	notifyReloading()
	defer notifyReady()
	corefile, err := s.load(serverType)
	if err != nil {
		clog.Errorf("Reload: %v", err)
		return
	}
	if _, err := s.instance.Load().Restart(corefile); err != nil {
		// Restart has logged why. What the failed instance had opened is closed by the collector of garbage.
		runtime.GC()
	}
}

// stop ends the service: listeners first, then queries in flight, then everything else.
func (s *server) stop(sig os.Signal) error {
	clog.Infof("%v: stopping", sig)
	notifyStopping()
	i := s.instance.Load()
	err := i.Stop()
	errs := append([]error{err}, i.ShutdownCallbacks()...)
	if s.pidFile != "" {
		errs = append(errs, os.Remove(s.pidFile))
	}
	return errors.Join(errs...)
}

// dieOn ends the process at the next signal that asks for it.
func dieOn(signals <-chan os.Signal) {
	for sig := range signals {
		if sig == syscall.SIGTERM || sig == syscall.SIGINT {
			os.Exit(exit.Failed)
		}
	}
}
