package integration

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// patience is how long a test waits for what should take a second or two on an idle machine.
const patience = 60 * time.Second

// binaries are built once: with the race detector for everything but the tests that measure time under load.
var binaries struct {
	dir  string
	once [2]sync.Once
	err  [2]error
}

func TestMain(m *testing.M) {
	if port := os.Getenv(endpointsEnv); port != "" {
		serveEndpoints(port)
		return
	}
	if text := os.Getenv(speedEnv); text != "" {
		serveSpeed(text)
		return
	}
	var err error
	if binaries.dir, err = os.MkdirTemp("", "fairlead-integration-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// What runs side by side here waits more than it works.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(binaries.dir)
	os.Exit(code)
}

func binary(t testing.TB, race bool) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the real binary")
	}
	i, args := 0, []string{"build", "-trimpath"}
	path := filepath.Join(binaries.dir, "fairlead")
	if race {
		i, args, path = 1, append(args, "-race"), path+"-race"
	}
	binaries.once[i].Do(func() {
		cmd := exec.Command("go", append(args, "-o", path, "./cmd/fairlead")...)
		cmd.Dir = ".."
		if out, err := cmd.CombinedOutput(); err != nil {
			binaries.err[i] = fmt.Errorf("%w\n%s", err, out)
		}
	})
	require.NoError(t, binaries.err[i])
	return path
}

// A process is a running fairlead.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	bin    string
	dns    string
	socket string
	dir    string
	exited chan struct{}
	printed
}

// A printed is what a process prints, from the first line on. It may be written and read at once.
type printed struct {
	mu  sync.Mutex
	log bytes.Buffer // guarded by mu
}

// Write collects what the process prints.
func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *printed) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// start runs the binary with args until the test ends, and stops it in the orderly way.
func start(t testing.TB, p *process, args ...string) *process {
	t.Helper()
	p.t, p.exited = t, make(chan struct{})
	p.cmd = exec.Command(p.bin, args...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.Dir = p.dir
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("output of %s %v:\n%s", filepath.Base(p.bin), args, p.output())
		}
	})
	return p
}

// stop asks for an orderly end and insists on it.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.exited
		p.t.Errorf("%v did not end on SIGTERM", p.cmd.Args)
	}
}

// run runs the binary to its end and returns output and exit code.
func run(t testing.TB, bin string, args ...string) (string, int) {
	t.Helper()
	out, err := exec.Command(bin, args...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(t, err, &exit)
		return string(out), exit.ExitCode()
	}
	return string(out), 0
}

// status is what the node says of itself; nil while it does not answer.
func (p *process) status() *api.Status {
	out, err := exec.Command(p.bin, "status", "--server", "unix:"+p.socket, "-o", "json").Output()
	if exit := (*exec.ExitError)(nil); err != nil && len(out) == 0 || exit != nil {
		return nil
	}
	var s api.Status
	if json.Unmarshal(out, &s) != nil {
		return nil
	}
	return &s
}

// await polls until ok or patience ends.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited %v for %s", patience, what)
}

// waits says of a test that it waits for most of its time, and bounds nothing by the clock that a busy machine might exceed: such tests run
// side by side, after the others. Started anew in namespaces of its own, it is alone.
func waits(t *testing.T) {
	if os.Getenv(namespaceEnv) == "" {
		t.Parallel()
	}
}

// firstStart says of a node alone that it has never answered before: its bounds are unknown until somebody does.
func (p *process) firstStart() {
	p.t.Helper()
	out, code := run(p.t, p.bin, "nodes", "max-ttl", "0s", "--reason", "first start", "--server=unix:"+p.socket)
	require.Zero(p.t, code, out)
}

// awaitHealthy waits until the node serves and all endpoints are up.
func (p *process) awaitHealthy() *api.Status {
	p.t.Helper()
	var s *api.Status
	await(p.t, "all endpoints up", func() bool {
		select {
		case <-p.exited:
			p.t.Fatalf("ended early:\n%s", p.output())
		default:
		}
		s = p.status()
		return s != nil && s.Ready && allUp(s)
	})
	return s
}

func allUp(s *api.Status) bool {
	for _, z := range s.Zones {
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				if e.State != "up" {
					return false
				}
			}
			if p.HeldUntil != nil {
				return false
			}
		}
	}
	return true
}

// startDemo runs the demo on a port and a socket of its own and waits until all is well.
var demos atomic.Int32

func startDemo(t testing.TB) *process {
	t.Helper()
	dir := t.TempDir()
	// Three ports in a row: on an address that nobody else uses they are free.
	k := demos.Add(1)
	p := &process{bin: binary(t, true), dir: dir, socket: filepath.Join(dir, "s"), dns: fmt.Sprintf("127.77.%d.%d:5300", os.Getpid()%250, k)}
	start(t, p, "demo", "--dns", p.dns, "--socket", p.socket)
	p.awaitHealthy()
	return p
}

// startServe runs a node over the zone files given by name and content.
func startServe(t testing.TB, race bool, corefile string, zones map[string]string) *process {
	t.Helper()
	return startServeBy(t, binary(t, race), corefile, zones)
}

// startServeBy does so with a program that runs the binary.
func startServeBy(t testing.TB, bin string, corefile string, zones map[string]string) *process {
	t.Helper()
	dir := t.TempDir()
	p := &process{bin: bin, dir: dir, socket: filepath.Join(dir, "state", "admin.sock"), dns: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "zones"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "state"), 0o755))
	for name, content := range zones {
		p.writeZone(name, content)
	}
	p.writeCorefile(corefile)
	return start(t, p, "serve", "-conf", filepath.Join(dir, "Corefile"))
}

// writeCorefile replaces the Corefile; PORT in it is the node's.
func (p *process) writeCorefile(text string) {
	_, port, _ := net.SplitHostPort(p.dns)
	text = strings.NewReplacer("PORT", port, "DIR", p.dir).Replace(text)
	p.replace(filepath.Join(p.dir, "Corefile"), text)
}

func (p *process) writeZone(name, content string) {
	p.replace(filepath.Join(p.dir, "zones", name), content)
}

// replace writes a file by rename, as ConfigMaps and careful people do.
func (p *process) replace(path, content string) {
	tmp := filepath.Join(filepath.Dir(path), ".tmp")
	if err := os.WriteFile(tmp, []byte(content), 0o644); err != nil {
		panic(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		panic(err)
	}
}

// ask sends one query and returns the reply.
func ask(network, server, name string, qtype uint16) (*dns.Msg, time.Duration, error) {
	m := new(dns.Msg).SetQuestion(name, qtype)
	c := dns.Client{Net: network, Timeout: 2 * time.Second}
	return c.Exchange(m, server)
}

// address is the one address of an answer.
func address(t testing.TB, m *dns.Msg) string {
	t.Helper()
	require.Len(t, m.Answer, 1, m.String())
	switch rr := m.Answer[0].(type) {
	case *dns.A:
		return rr.A.String()
	case *dns.AAAA:
		return rr.AAAA.String()
	}
	t.Fatalf("no address: %v", m.Answer[0])
	return ""
}
