package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// A nameServer is another authoritative server of Debian's, with its files: DIR and PORT in them are replaced.
type nameServer struct {
	name  string
	files map[string]string
	args  []string
	// dir and address are set by start.
	dir, address string
}

// start runs the server until the test ends.
func (s *nameServer) start(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath(s.args[0]); err != nil {
		t.Skipf("%s is not installed: make test-deps installs it", s.args[0])
	}
	port := strconv.Itoa(suite.FreePort(t))
	s.dir, s.address = t.TempDir(), "127.0.0.1:"+port
	fill := strings.NewReplacer("DIR", s.dir, "PORT", port)
	for name, text := range s.files {
		require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), []byte(fill.Replace(text)), 0o644))
	}
	args := make([]string, 0, len(s.args))
	for _, a := range s.args {
		args = append(args, fill.Replace(a))
	}
	cmd := exec.Command(args[0], args[1:]...)
	log, err := os.Create(filepath.Join(s.dir, "log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		// In the orderly way first: the children of NSD do not hear of its death.
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s:\n%s", s.name, text[max(0, len(text)-2000):])
		}
	})
}

// newNSD, newKnot and newBIND serve zones, whose text they have as zone statements of their own kind.
func newNSD(more string, files map[string]string) *nameServer {
	return newNameServer("NSD", files, "nsd.conf", `server:
	ip-address: 127.0.0.1@PORT
	server-count: 1
	username: ""
	chroot: ""
	zonesdir: "DIR"
	database: ""
	pidfile: "DIR/nsd.pid"
	xfrdfile: "DIR/xfrd.state"
	zonelistfile: "DIR/zone.list"
	minimal-responses: yes
	refuse-any: no
	round-robin: no
	xfrd-reload-timeout: 0
remote-control:
	control-enable: no
`+more, "nsd", "-d", "-c", "DIR/nsd.conf")
}

func newKnot(more string, files map[string]string) *nameServer {
	return newNameServer("Knot", files, "knot.conf", `server:
    listen: 127.0.0.1@PORT
    rundir: "DIR"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "DIR"
log:
  - target: stderr
    any: warning
`+more, "knotd", "-c", "DIR/knot.conf")
}

func newBIND(more string, files map[string]string) *nameServer {
	return newNameServer("BIND", files, "named.conf", `options {
	directory "DIR"; pid-file none; session-keyfile none; listen-on port PORT { 127.0.0.1; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no; minimal-responses yes; empty-zones-enable no; check-names primary ignore; notify no;
};
controls { };
`+more, "named", "-g", "-n", "1", "-c", "DIR/named.conf")
}

func newNameServer(name string, files map[string]string, conf, text string, args ...string) *nameServer {
	s := &nameServer{name: name, args: args, files: map[string]string{conf: text}}
	for n, content := range files {
		s.files[n] = content
	}
	return s
}
