package integration

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A docMachine is a machine on which the commands of the documents run as they stand there: the addresses of documentation are its own, and /etc/fairlead and
// /var/lib/fairlead are there. It is made of namespaces, in which the test runs.
type docMachine struct {
	t   *testing.T
	bin string
	// work is where commands run; env is their environment.
	work string
	env  []string
	// trust is the file of the CA that signed the endpoints' certificate.
	trust     string
	listeners map[string][]net.Listener
	handler   *http.Server
	// nodes are those that run; homes are what each sees as /etc/fairlead.
	nodes []*process
	homes []string
	// versions is how often the zone file was changed.
	versions *int
}

// of is the machine for a part of the test.
func (m *docMachine) of(t *testing.T) *docMachine {
	part := *m
	part.t = t
	return &part
}

// settle waits until the nodes of the cluster answer, see all endpoints up, and know their bounds.
func (m *docMachine) settle() {
	m.t.Helper()
	m.nodes[0].awaitHealthy()
	for i := range m.nodes {
		await(m.t, "the word of a first start", func() bool {
			_, code := m.shell(fmt.Sprintf(`fairlead nodes max-ttl 0s --node n%d --reason "first start"`, i+1), false)
			return code == 0
		})
	}
}

// docZones is where the node of the machine reads its zones.
const docZones = "/etc/fairlead/zones.d"

// docSocket is where the node of this machine is asked.
const docSocket = "/run/fairlead/admin.sock"

// docEndpoints are the addresses of all endpoints in the documents, on docPorts.
var docEndpoints = []string{"192.0.2.1", "192.0.2.10", "198.51.100.1", "198.51.100.2", "198.51.100.10", "198.51.100.80",
	"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.10", "203.0.113.20"}

// docPorts are those of HTTPS, PostgreSQL and HTTP.
var docPorts = []string{"443", "5432", "8080"}

func newDocMachine(t *testing.T) *docMachine {
	t.Helper()
	m := &docMachine{t: t, bin: os.Getenv(namespaceEnv), work: t.TempDir(), listeners: make(map[string][]net.Listener), versions: new(int)}
	sh(t, "", "mount", "--make-rprivate", "/")
	sh(t, "", "mount", "-t", "tmpfs", "tmpfs", "/run")
	for i, dir := range []string{"/etc", "/var/lib", "/usr/local"} {
		over, scratch := fmt.Sprintf("/run/over%d", i), fmt.Sprintf("/run/scratch%d", i)
		require.NoError(t, os.Mkdir(over, 0o755))
		require.NoError(t, os.Mkdir(scratch, 0o755))
		sh(t, "", "mount", "-t", "overlay", "overlay", "-o", fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, over, scratch), dir)
	}
	sh(t, "", "ip", "link", "set", "lo", "up")
	for _, net := range []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"} {
		sh(t, "", "ip", "route", "add", "local", net, "dev", "lo")
	}
	for _, dir := range []string{docZones, "/var/lib/fairlead", "/usr/local/bin", "/usr/local/lib/fairlead", "/run/secrets", "/run/fairlead"} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	require.NoError(t, os.Symlink(m.bin, "/usr/local/bin/fairlead"))
	require.NoError(t, os.Symlink(docZones, filepath.Join(m.work, "zones.d")))
	require.NoError(t, os.Symlink("/etc/fairlead/node.yaml", filepath.Join(m.work, "node.yaml")))
	// How far PostgreSQL is behind is no matter of this test: TestPostgres has real ones.
	m.write("/usr/local/lib/fairlead/postgres-lag", 0o755, "#!/bin/sh\necho 0.5\n")
	m.env = append(os.Environ(), "HOME="+m.work, "PATH=/usr/local/bin:"+os.Getenv("PATH"))
	cert, pool := m.certificate()
	m.trust = pool
	m.handler = &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	for _, a := range docEndpoints {
		m.up(a)
	}
	return m
}

// certificate is that of all endpoints, and the file with what signed it.
func (m *docMachine) certificate() (tls.Certificate, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(m.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "endpoints"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		DNSNames: []string{"*.dr.example.org", "*.gslb.example.org"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(m.t, err)
	file := filepath.Join(m.t.TempDir(), "endpoints.crt")
	m.write(file, 0o644, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func (m *docMachine) write(path string, mode os.FileMode, text string) {
	m.t.Helper()
	require.NoError(m.t, os.WriteFile(path, []byte(text), mode))
}

// up has an endpoint listen on all ports.
func (m *docMachine) up(address string) {
	m.t.Helper()
	for _, port := range docPorts {
		l, err := net.Listen("tcp", net.JoinHostPort(address, port))
		require.NoError(m.t, err)
		m.listeners[address] = append(m.listeners[address], l)
		go func() {
			if port == "443" {
				_ = m.handler.ServeTLS(l, "", "")
			} else {
				_ = m.handler.Serve(l)
			}
		}()
	}
}

// down closes an endpoint's ports.
func (m *docMachine) down(address string) {
	for _, l := range m.listeners[address] {
		l.Close()
	}
	delete(m.listeners, address)
}

// cluster makes three nodes as `fairlead init` prints it for machines of their own. The first one is this machine; the two others see directories of their own
// in the places of /etc/fairlead and /var/lib/fairlead. more is added to each node file.
func (m *docMachine) cluster(zone, more string, files map[string]string) {
	t := m.t
	t.Helper()
	made := filepath.Join(t.TempDir(), "prod")
	args := []string{"init", made, "--zone", "gslb.example.org"}
	places := []string{"n1=192.0.2.9,eu-west,eu-west-1a", "n2=192.0.2.19,eu-west,eu-west-1b", "n3=192.0.2.29,us-east,us-east-1a"}
	for _, p := range places {
		args = append(args, "--node", p)
	}
	out, code := run(t, m.bin, args...)
	require.Zero(t, code, out)
	for i := range places {
		home, state := "/etc/fairlead", "/var/lib/fairlead"
		p := &process{bin: "/usr/local/bin/fairlead", dir: m.work, socket: docSocket, dns: docAddress(i) + ":53"}
		command := []string{"serve", "-conf", "/etc/fairlead/Corefile"}
		if i > 0 {
			home, state = t.TempDir(), t.TempDir()
			p.bin = "unshare"
			command = []string{"-m", "sh", "-c", fmt.Sprintf("mount --bind %s /etc/fairlead && mount --bind %s /var/lib/fairlead && mount -t tmpfs tmpfs /run && mkdir /run/fairlead && exec /usr/local/bin/fairlead serve -conf /etc/fairlead/Corefile", home, state)}
		}
		sh(t, "", "cp", "-r", filepath.Join(made, fmt.Sprintf("n%d", i+1))+"/.", home)
		m.write(filepath.Join(home, "zones.d", "gslb.example.org.yaml"), 0o644, zone)
		for name, text := range files {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o755))
			m.write(filepath.Join(home, name), 0o644, text)
		}
		node, err := os.ReadFile(filepath.Join(home, "node.yaml"))
		require.NoError(t, err)
		m.write(filepath.Join(home, "node.yaml"), 0o644, string(node)+strings.ReplaceAll(more, "ADDRESS", docAddress(i)))
		corefile, err := os.ReadFile(filepath.Join(home, "Corefile"))
		require.NoError(t, err)
		// On machines of their own each has the port.
		m.write(filepath.Join(home, "Corefile"), 0o644, strings.ReplaceAll(string(corefile), "127.0.0.1:9153", fmt.Sprintf("127.0.0.%d:9153", i+1)))
		m.homes = append(m.homes, home)
		m.nodes = append(m.nodes, m.start(p, command...))
	}
	m.must("useradd --system fairlead")
	for name, from := range map[string]string{"ca.crt": "ca/ca.crt", "contexts.json": "contexts.json"} {
		sh(t, "", "cp", filepath.Join(made, from), filepath.Join(m.work, name))
	}
	m.env = append(m.env, "FAIRLEAD_CONTEXTS="+filepath.Join(m.work, "contexts.json"))
}

// docAddress is that of a node, as README and the pages have it for the first one.
func docAddress(i int) string {
	if i == 0 {
		return "192.0.2.9"
	}
	return fmt.Sprintf("192.0.2.%d9", i)
}

// start starts a node, which trusts the endpoints' certificate.
func (m *docMachine) start(p *process, args ...string) *process {
	m.t.Helper()
	m.t.Setenv("SSL_CERT_FILE", m.trust)
	return start(m.t, p, args...)
}

// alone serves one zone by one node, which has never answered before, and waits until what listens is up.
func (m *docMachine) alone(zone string) *process {
	t := m.t
	t.Helper()
	sh(t, "", "sh", "-c", "rm -rf /var/lib/fairlead/* /etc/fairlead/zones.d/*")
	name, _, _ := strings.Cut(strings.TrimPrefix(zone, "zone: "), "\n")
	m.write(filepath.Join(docZones, name+".yaml"), 0o644, zone)
	m.write("/etc/fairlead/node.yaml", 0o644, "name: n1\nregion: eu-west\naz: eu-west-1a\nadmin: {socket: "+docSocket+"}\nprobe: {exec: true}\ngeo: {databases: [/etc/fairlead/places.mmdb]}\n")
	m.write(filepath.Join(m.work, "places.csv"), 0o644, "network,country\n198.51.100.0/24,US\n")
	m.must("fairlead geo make /etc/fairlead/places.mmdb --csv places.csv")
	m.write("/etc/fairlead/Corefile", 0o644, name+`:53 {
    bind 192.0.2.9
    fairlead {
        zones /etc/fairlead/zones.d
        node  /etc/fairlead/node.yaml
        state /var/lib/fairlead
    }
    errors
}
`)
	p := m.start(&process{bin: "/usr/local/bin/fairlead", dir: m.work, socket: docSocket, dns: "192.0.2.9:53"}, "serve", "-conf", "/etc/fairlead/Corefile")
	p.awaitHealthy()
	p.firstStart()
	return p
}

// shell runs a line of bash. One that is endless is ended in the orderly way once it has printed something.
func (m *docMachine) shell(line string, endless bool) (out string, code int) {
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Env, cmd.Dir = m.env, m.work
	if !endless {
		b, _ := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return string(b), -1
		}
		return string(b), cmd.ProcessState.ExitCode()
	}
	var said printed
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(m.t, cmd.Start())
	await(m.t, line+" to print something", func() bool { return said.output() != "" })
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
	_ = cmd.Wait()
	return said.output(), 0
}

// tidy ends all orders, and brings back what is down.
func (m *docMachine) tidy() {
	for _, a := range docEndpoints {
		if m.listeners[a] == nil {
			m.up(a)
		}
	}
	out, code := m.shell(`for run in $(fairlead plan runs 2>/dev/null | grep -o 'run-eu-out-[0-9a-f]*'); do fairlead plan abort $run --reason tidy; done; fairlead config forward gslb.example.org.yaml; fairlead unfreeze --reason tidy; for id in $(fairlead get intents -o json | grep -o '"id": *"[^"]*"' | cut -d'"' -f4); do fairlead undrain $id --reason tidy; done; fairlead failback web-eu --reason tidy; fairlead failback web-us --reason tidy`, false)
	require.NotEqual(m.t, -1, code, out)
}

// commands are a block of them, and the zone files that stand before it on its page.
type commands struct {
	lines []string
	zones []string
}

// commandsOf are the blocks of commands of a page: what is indented by four, or fenced as a shell's, and has a line that begins with a program.
func commandsOf(page []byte) (blocks []commands) {
	begins := func(line string) bool {
		return slices.ContainsFunc(docPrograms, func(p string) bool { return strings.HasPrefix(line, p) })
	}
	var zones []string
	var block []string
	end := func() {
		if slices.ContainsFunc(block, begins) {
			blocks = append(blocks, commands{block, slices.Clone(zones)})
		}
		block = nil
	}
	for _, part := range docFences.FindAllStringSubmatch(string(page), -1) {
		kind, text, plain := strings.TrimSpace(part[1]), part[2], part[3]
		switch {
		case kind == "yaml" && strings.HasPrefix(text, "zone: "):
			zones = append(zones, text)
			continue
		case plain == "" && kind != "" && kind != "sh":
			continue
		case plain != "" && !strings.HasPrefix(plain, "    "):
			end()
			continue
		}
		for line := range strings.Lines(text + plain) {
			line = strings.TrimSpace(line)
			switch {
			case line == "" || strings.HasPrefix(line, "#"):
			case len(block) > 0 && strings.HasSuffix(block[len(block)-1], `\`):
				block[len(block)-1] = strings.TrimSuffix(block[len(block)-1], `\`) + line
			default:
				block = append(block, line)
			}
		}
		if plain == "" {
			end()
		}
	}
	end()
	return blocks
}

// docFences has a page in parts: fenced blocks with their kind, and lines outside of them.
var docFences = regexp.MustCompile("(?ms)^(?:```|~~~)([^\n]*)\n(.*?)^(?:```|~~~)$|^([^\n]*\n?)")

// docPrograms are the beginnings of lines that are commands.
var docPrograms = []string{"fairlead ", "bin/fairlead ", "$ fairlead ", "make ", "dig ", "curl ", "kubectl ", "helm ", "go ", "FAIRLEAD_", "mkdir ", "chown ", "tar ", "crane ",
	"delv ", "systemctl ", "printf ", "source ", "export ", "python3 ", "for ", "scp ", "exec "}
