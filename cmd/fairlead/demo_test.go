package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// ioLimit is far longer than anything on loopback takes, silence is how long an endpoint that hangs is watched.
const (
	ioLimit = 5 * time.Second
	silence = 100 * time.Millisecond
)

func openTestSite(t *testing.T) *site {
	t.Helper()
	s, err := openSite()
	require.NoError(t, err)
	t.Cleanup(s.close)
	return s
}

// get asks on a connection of its own.
func get(addr netip.AddrPort, path string) (int, string, error) {
	c := &http.Client{Timeout: ioLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get("http://" + addr.String() + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func TestEndpointServes(t *testing.T) {
	s := openTestSite(t)
	for _, e := range s.endpoints {
		code, body, err := get(e.Addr, "/")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, code)
		assert.Equal(t, fmt.Sprintf("region %s, AZ %s, endpoint %s\n", e.Region, e.AZ, e.Name), body)
		code, _, err = get(e.Addr, "/readyz")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, code)
		code, _, err = get(e.Addr, "/nope")
		require.NoError(t, err)
		assert.Equal(t, http.StatusNotFound, code)
	}
}

// TestEndpointBreaks: the kernel refuses connections, those that were open are closed, the other AZs do not notice.
func TestEndpointBreaks(t *testing.T) {
	s := openTestSite(t)
	e, other := s.endpoints[0], s.endpoints[1]
	idle, err := net.Dial("tcp", e.Addr.String())
	require.NoError(t, err)
	defer idle.Close()

	changed, err := e.set(closed)
	require.NoError(t, err)
	assert.True(t, changed)
	_, _, err = get(e.Addr, "/")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.NoError(t, idle.SetReadDeadline(time.Now().Add(ioLimit)))
	_, err = idle.Read(make([]byte, 1))
	require.Error(t, err)
	require.False(t, os.IsTimeout(err), "the open connection was left open")
	_, _, err = get(other.Addr, "/")
	require.NoError(t, err)

	changed, err = e.set(closed)
	require.NoError(t, err)
	assert.False(t, changed, "broken twice")
	_, err = e.set(serving)
	require.NoError(t, err)
	code, _, err := get(e.Addr, "/readyz")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, code)
}

// TestEndpointHangs: connections are accepted, old and new ones, and not an octet comes before the heal.
func TestEndpointHangs(t *testing.T) {
	s := openTestSite(t)
	e := s.endpoints[0]
	old := dialEndpoint(t, e)
	ask(t, old)
	answers(t, old)

	_, err := e.set(hanging)
	require.NoError(t, err)
	fresh := dialEndpoint(t, e)
	for _, c := range []net.Conn{old, fresh} {
		ask(t, c)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(silence)))
		n, err := c.Read(make([]byte, 1))
		assert.Zero(t, n)
		require.True(t, os.IsTimeout(err), "%v", err)
	}

	_, err = e.set(serving)
	require.NoError(t, err)
	answers(t, old)
	answers(t, fresh)
}

// TestEndpointChanges walks through every pair of states.
func TestEndpointChanges(t *testing.T) {
	s := openTestSite(t)
	e := s.endpoints[0]
	for _, want := range []demoState{closed, hanging, serving, hanging, closed, serving, closed, hanging, closed} {
		_, err := e.set(want)
		require.NoError(t, err)
		c, err := net.Dial("tcp", e.Addr.String())
		if want == closed {
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			continue
		}
		require.NoError(t, err)
		ask(t, c)
		if want == serving {
			answers(t, c)
		} else {
			require.NoError(t, c.SetReadDeadline(time.Now().Add(silence)))
			_, err := c.Read(make([]byte, 1))
			require.True(t, os.IsTimeout(err), "%v", err)
		}
		require.NoError(t, c.Close())
	}
}

func dialEndpoint(t *testing.T, e *demoEndpoint) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", e.Addr.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func ask(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := io.WriteString(c, "GET /readyz HTTP/1.1\r\nHost: demo\r\n\r\n")
	require.NoError(t, err)
}

func answers(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(ioLimit)))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
}

// TestControl drives a site as `fairlead demo break` and `heal` do.
func TestControl(t *testing.T) {
	s := openTestSite(t)
	path := filepath.Join(t.TempDir(), "c.sock")
	c, err := listenControl(path, s, []*node{{name: "n1", dns: netip.MustParseAddrPort(demoDNS), socket: filepath.Join(t.TempDir(), "none")}})
	require.NoError(t, err)
	defer c.close()
	do := func(req controlRequest) (controlReply, error) {
		var reply controlReply
		err := clientAt(path, "test", "").Do(context.Background(), http.MethodPost, controlPath, req, &reply)
		return reply, err
	}

	reply, err := do(controlRequest{Want: closed, Kind: "az", Name: "us-b"})
	require.NoError(t, err)
	assert.Equal(t, []string{fmt.Sprintf("web-us-b (%s, AZ us-b) now refuses connections", s.endpoints[3].Addr)}, reply.Done)
	assert.Contains(t, reply.Watch, "within 4.2s")
	assert.Equal(t, closed, s.endpoints[3].current())
	reply, err = do(controlRequest{Want: closed, Kind: "endpoint", Name: "web-us-b"})
	require.NoError(t, err)
	assert.Contains(t, reply.Done[0], "already")
	reply, err = do(controlRequest{Want: serving, Kind: "az", Name: "us-b"})
	require.NoError(t, err)
	assert.Contains(t, reply.Watch, "within 7.2s")
	assert.Equal(t, serving, s.endpoints[3].current())

	for _, tc := range []struct {
		req  controlRequest
		want string
	}{
		{controlRequest{Want: closed, Kind: "az", Name: "eu-c"}, `no AZ "eu-c" in the demo: want eu-a, eu-b, us-a or us-b`},
		{controlRequest{Want: closed, Kind: "endpoint", Name: "x"}, `no endpoint "x" in the demo: want web-eu-a, web-eu-b, web-us-a or web-us-b`},
		{controlRequest{Want: closed, Kind: "pool", Name: "x"}, `cannot break or heal a "pool": want az or endpoint`},
		{controlRequest{Want: "burning", Kind: "az", Name: "eu-a"}, `unreadable request: want "burning"`},
	} {
		_, err := do(tc.req)
		var p *api.Problem
		require.ErrorAs(t, err, &p)
		assert.Equal(t, tc.want, p.Error())
	}
}

// TestDemoFiles: the demo's own files are without a flaw, and its shares and its bound are those that it prints.
func TestDemoFiles(t *testing.T) {
	n := &node{name: "n1", dns: netip.MustParseAddrPort(demoDNS), socket: "/run/x.sock", dir: "/tmp/with space", Region: "eu", AZ: "eu-a",
		Gossip: netip.MustParseAddrPort("127.0.0.1:7946"), PublicKey: base64.StdEncoding.EncodeToString(make([]byte, ed25519.PublicKeySize)), Keyring: "/tmp/k"}
	files, err := demoFiles(n, []*node{n}, demoPlaces(firstPort))
	require.NoError(t, err)
	z, problems := config.Parse("demo.yaml", []byte(files["zones.d/demo.yaml"]), config.ParseOptions{})
	require.Empty(t, problems)
	nodeFile, problems := config.ParseNode("node.yaml", []byte(files["node.yaml"]))
	require.Empty(t, problems)
	assert.Equal(t, n.socket, nodeFile.Admin.Socket)
	assert.Contains(t, files["Corefile"], `zones "/tmp/with space/zones.d"`)

	require.Len(t, z.Services, 2)
	b := steer.BoundOf(z, z.Services[0], steer.DefaultAllowances())
	assert.LessOrEqual(t, b.S, z.Services[0].Staleness.Target)
	assert.Equal(t, b.D+b.Gossip+b.Quiesce, flipWithin())
	assert.Equal(t, "eu-a", nodeFile.AZ)
	assert.Equal(t, demoHold, z.Services[0].Failback.Hold)
	assert.Empty(t, judgeZone(checkedZone{zone: z, bounds: []steer.Bound{b, b}}, steer.DefaultAllowances()))
}

// TestLock: one holder at a time, and nothing is left when it lets go.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	l, err := takeLock(path)
	require.NoError(t, err)
	_, err = takeLock(path)
	require.ErrorIs(t, err, errLocked)
	l.release()
	_, err = os.Stat(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	l, err = takeLock(path)
	require.NoError(t, err)
	l.release()
}

// TestHome: a directory that others can use is refused; one of ours is used.
func TestHome(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	require.NoError(t, os.Mkdir(open, 0o755))
	require.ErrorContains(t, makeHome(open), "only this user can use")
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(t.TempDir(), link))
	require.ErrorContains(t, makeHome(link), "only this user can use")
	ours := filepath.Join(t.TempDir(), "ours")
	dir, err := makeDemoDir(ours)
	require.NoError(t, err)
	assert.DirExists(t, dir)
}

// TestTakenDNS: a port that is taken is one clear line, and what the demo had made is gone.
func TestTakenDNS(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	o := demoOptions{dns: l.Addr().String(), program: "fairlead", out: io.Discard, errOut: io.Discard}
	err = o.run(context.Background())
	require.ErrorContains(t, err, "address already in use")
	code, hint := exit.CodeOf(err)
	assert.Equal(t, exit.Failed, code)
	assert.Contains(t, hint, "--dns")
	assert.NoDirExists(t, demoHome())
}

// TestSecondDemo: the socket of a demo that runs is not taken.
func TestSecondDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	socket := filepath.Join(t.TempDir(), "a.sock")
	l, err := claimSocket(socket)
	require.NoError(t, err)
	defer l.release()
	o := demoOptions{dns: "127.0.0.1:0", socket: socket, program: "fairlead", out: io.Discard, errOut: io.Discard}
	err = o.run(context.Background())
	require.ErrorContains(t, err, "another demo runs on "+socket)
}

func TestPrefixWriter(t *testing.T) {
	var b strings.Builder
	w := &prefixWriter{w: &b, prefix: "[a] "}
	for _, part := range []string{"one\ntw", "o\n", "\nthree"} {
		n, err := w.Write([]byte(part))
		require.NoError(t, err)
		assert.Equal(t, len(part), n)
	}
	assert.Equal(t, "[a] one\n[a] two\n[a] \n[a] three", b.String())
}
