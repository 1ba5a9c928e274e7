package integration

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// TestInit: the commands that init prints, as they stand, lead from nothing to three nodes that serve over TLS, hear each other, and whose
// bounds are known.
func TestInit(t *testing.T) {
	bin := binary(t, true)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(bin, filepath.Join(dir, "fairlead")))
	const host = "127.0.78.1"
	endpoint, err := net.Listen("tcp", "127.0.78.2:0")
	require.NoError(t, err)
	defer endpoint.Close()
	lab := filepath.Join(dir, "lab")
	out, code := run(t, bin, "init", lab, "--zone", "gslb.example.org", "--listen", host+":5301", "--endpoint", endpoint.Addr().String())
	require.Zero(t, code, out)
	env := append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir)
	shell := func(line string) (string, error) {
		cmd := exec.Command("sh", "-c", line)
		cmd.Env, cmd.Dir = env, dir
		b, err := cmd.CombinedOutput()
		return string(b), err
	}
	served := func() bool {
		m, _, err := ask("udp", host+":5303", "www.gslb.example.org.", dns.TypeA)
		return err == nil && m.Rcode == dns.RcodeSuccess && len(m.Answer) == 1
	}
	_, next, _ := strings.Cut(out, "next:\n")
	next, _, _ = strings.Cut(next, "\n\n")
	commands, nodes := 0, 0
	for line := range strings.Lines(next) {
		line = strings.TrimSpace(line)
		commands++
		if names, serve, ok := strings.Cut(strings.TrimPrefix(line, "for n in "), "; do fairlead serve -conf "); ok {
			for name := range strings.FieldsSeq(names) {
				conf, _, _ := strings.Cut(strings.ReplaceAll(serve, "$n", name), " >")
				start(t, &process{bin: bin, dir: filepath.Dir(conf)}, "serve", "-conf", conf)
				nodes++
			}
			continue
		}
		if variable, ok := strings.CutPrefix(line, "export "); ok {
			env = append(env, variable)
			continue
		}
		if nodes > 0 {
			await(t, "the nodes", served)
		}
		said := ""
		await(t, line, func() bool { said, err = shell(line); return err == nil })
		if strings.HasPrefix(line, "dig ") {
			require.Equal(t, "127.0.78.2\n", said)
		}
	}
	require.Equal(t, 3, nodes)
	require.Less(t, commands, 10, "with init itself, under ten commands and dig")
	await(t, "all is well", func() bool {
		out, err = shell("fairlead status --node n3")
		return err == nil && strings.HasPrefix(out, "● all is well")
	})
	require.Contains(t, out, "all 3 nodes are heard and agree")
	out, err = shell("fairlead staleness")
	require.NoError(t, err, out)
	require.NotContains(t, out, "unknown")
}
