//go:build linux

package lifeboat

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/counter"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A harbour is what a test's node says, and one boat that goes by it.
type harbour struct {
	mu    sync.Mutex
	word  api.LifeboatAddress // guarded by mu
	lost  bool                // guarded by mu
	lines []string            // guarded by mu
	nodes []string
	nudge func()
	boat  *Boat
	end   context.CancelFunc
	ended chan error
}

func (h *harbour) say(change func(*api.LifeboatAddress)) {
	h.mu.Lock()
	change(&h.word)
	h.mu.Unlock()
	h.nudge()
}

func (h *harbour) printed(text string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(strings.Join(h.lines, "\n"), text)
}

// launch runs a boat for an address of the loopback network, which counts as this machine's one and only.
func launch(t *testing.T, address string, ports []Port, targets ...string) *harbour {
	t.Helper()
	return launchWith(t, func(*Options) {}, address, ports, targets...)
}

func launchWith(t *testing.T, change func(*Options), address string, ports []Port, targets ...string) *harbour {
	t.Helper()
	h := &harbour{ended: make(chan error, 1), nodes: []string{"127.0.7.99"}}
	h.word = api.LifeboatAddress{Endpoint: "example.org/web/one", Address: address, State: api.BoatAnswered, Text: "it is answered for www.example.org"}
	for _, a := range targets {
		h.word.Targets = append(h.word.Targets, api.LifeboatTarget{Address: a, Fraction: 1 / float64(len(targets))})
	}
	following := make(chan struct{})
	opts := Options{
		Mode: BySplice, Ports: ports, Linger: 5 * time.Second,
		Ask: func(context.Context, string) (*api.Lifeboat, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.lost {
				return nil, errors.New("out of reach")
			}
			return &api.Lifeboat{Addresses: []api.LifeboatAddress{h.word}, Nodes: h.nodes}, nil
		},
		Follow: func(ctx context.Context, nudge func()) error {
			h.nudge = nudge
			close(following)
			<-ctx.Done()
			return ctx.Err()
		},
		Say: func(line string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.lines = append(h.lines, line)
		},
	}
	change(&opts)
	boat, err := New(opts)
	require.NoError(t, err)
	boat.own, boat.loopbackOK = []netip.Addr{netip.MustParseAddr(address)}, true
	h.boat = boat
	ctx, cancel := context.WithCancel(context.Background())
	h.end = cancel
	go func() { h.ended <- boat.Run(ctx, nil) }()
	<-following
	t.Cleanup(cancel)
	return h
}

func (h *harbour) depart(t *testing.T) {
	t.Helper()
	h.say(func(a *api.LifeboatAddress) {
		a.State, a.Text, a.Drained = api.BoatDeparted, "caches may hold it", true
	})
	eventually(t, "it forwards", func() bool { return h.printed("forwarding: ") })
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 30*time.Second, 5*time.Millisecond, what)
}

// echo answers each connection at an address with its name and what it got, once the client has ended its side.
func echo(t *testing.T, address string) (port uint16) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b, _ := io.ReadAll(c)
				_, _ = c.Write(append([]byte(address+" "), b...))
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String()).Port()
}

// call is what comes back from a port of an address, called from another one.
func call(from, to string, port uint16) (string, error) {
	d := net.Dialer{Timeout: 500 * time.Millisecond, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", netip.AddrPortFrom(netip.MustParseAddr(to), port).String())
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write([]byte("hello")); err != nil {
		return "", err
	}
	_ = c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	return string(b), err
}

// TestForward: it waits, forwards what has departed, lets nodes' probes find nobody, and closes with the last word; what is open may end.
func TestForward(t *testing.T) {
	const here, there, client = "127.0.7.1", "127.0.7.2", "127.0.7.50"
	port := echo(t, there)
	h := launch(t, here, []Port{{Number: port}}, there)
	eventually(t, "it waits", func() bool { return h.printed("waiting: ") })
	_, err := call(client, here, port)
	require.Error(t, err, "what is answered is not its business")
	h.depart(t)
	got, err := call(client, here, port)
	require.NoError(t, err)
	require.Equal(t, there+" hello", got)
	_, err = call("127.0.7.99", here, port)
	timeout := net.Error(nil)
	require.ErrorAs(t, err, &timeout, "a probe finds nobody")
	require.True(t, timeout.Timeout(), "%v", err)

	open, err := net.Dial("tcp4", netip.AddrPortFrom(netip.MustParseAddr(here), port).String())
	require.NoError(t, err)
	eventually(t, "one is open", func() bool { return h.boat.counts.openNow() == 1 })
	h.say(func(a *api.LifeboatAddress) { a.State, a.Text = api.BoatForgot, "no honest cache holds it" })
	eventually(t, "it has closed", func() bool { return h.printed("closed: ") && h.printed("1 still open") })
	_, err = call(client, here, port)
	require.Error(t, err)
	_, err = open.Write([]byte("late"))
	require.NoError(t, err)
	require.NoError(t, open.(*net.TCPConn).CloseWrite())
	b, err := io.ReadAll(open)
	require.NoError(t, err)
	require.Equal(t, there+" late", string(b))
	require.NoError(t, <-h.ended)

	// Read as a node reads it for late_hits.
	counts := httptest.NewServer(h.boat.counts.handler())
	defer counts.Close()
	for _, path := range []string{"$.arrivals", "$.addresses['" + here + "'].arrivals", "$.addresses['" + here + "'].forwarded"} {
		n, err := counter.New(new(net.Dialer).DialContext).Read(t.Context(), &config.HitCounter{URL: counts.URL + "/lifeboat", Path: path})
		require.NoError(t, err, path)
		require.Equal(t, 2.0, n, path)
	}
	w := httptest.NewRecorder()
	h.boat.counts.handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Contains(t, w.Body.String(), `fairlead_lifeboat_arrivals_total{address="127.0.7.1",endpoint="example.org/web/one"} 2`)
}

// TestLoop: two boats that a liar sends to each other forward a connection once, and no more.
func TestLoop(t *testing.T) {
	const a, b = "127.0.7.3", "127.0.7.4"
	l, err := net.Listen("tcp4", a+":0")
	require.NoError(t, err)
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	l.Close()
	one, two := launch(t, a, []Port{{Number: port}}, b), launch(t, b, []Port{{Number: port}}, a)
	one.depart(t)
	two.depart(t)
	_, err = call("127.0.7.50", a, port)
	require.Error(t, err)
	eventually(t, "the second boat refuses it", func() bool { return two.boat.counts.of(b).Refused[refusedLoop] == 1 })
	require.Equal(t, uint64(1), one.boat.counts.of(a).Arrivals, "it came back")
	require.Equal(t, uint64(1), two.boat.counts.of(b).Arrivals)
}

// TestReturned: what is answered again is let go at once, and never taken up again; by health it is an error, for probes may have come through.
func TestReturned(t *testing.T) {
	const here, there = "127.0.7.5", "127.0.7.6"
	port := echo(t, there)
	h := launch(t, here, []Port{{Number: port}}, there)
	h.say(func(a *api.LifeboatAddress) { a.State, a.Text = api.BoatDeparted, "caches may hold it" })
	eventually(t, "it forwards", func() bool { return h.printed("forwarding: ") })
	h.say(func(a *api.LifeboatAddress) { a.State, a.Text = api.BoatAnswered, "it is answered for www.example.org" })
	require.ErrorIs(t, <-h.ended, ErrReturned)
	_, err := call("127.0.7.50", here, port)
	require.Error(t, err)
}

// TestNextEndpoint: who does not take a connection is passed over, and nobody is told.
func TestNextEndpoint(t *testing.T) {
	const here, dead, there = "127.0.7.7", "127.0.7.8", "127.0.7.9"
	port := echo(t, there)
	h := launch(t, here, []Port{{Number: port}}, dead, there)
	h.depart(t)
	for range 20 {
		got, err := call("127.0.7.50", here, port)
		require.NoError(t, err)
		require.Equal(t, there+" hello", got)
	}
	h.end()
	require.NoError(t, <-h.ended)
	require.True(t, h.printed("told to end"))
}

// TestPortInUse: while the application has the port it gets who arrives; the port is taken once it is free.
func TestPortInUse(t *testing.T) {
	const here, there = "127.0.7.10", "127.0.7.11"
	port := echo(t, there)
	l, err := net.Listen("tcp4", netip.AddrPortFrom(netip.MustParseAddr(here), port).String())
	require.NoError(t, err)
	h := launch(t, here, []Port{{Number: port}}, there)
	h.depart(t)
	eventually(t, "it says so", func() bool { return h.printed("is in use: what listens there gets who arrives") })
	require.NoError(t, l.Close())
	eventually(t, "it took the port", func() bool { return h.printed("is free now") })
	got, err := call("127.0.7.50", here, port)
	require.NoError(t, err)
	require.Equal(t, there+" hello", got)
}

// TestAlone: without a node it goes on until T, and not beyond.
func TestAlone(t *testing.T) {
	const here, there = "127.0.7.12", "127.0.7.13"
	port := echo(t, there)
	h := launch(t, here, []Port{{Number: port}}, there)
	left := (staleAfter + 2*time.Second).Seconds()
	h.say(func(a *api.LifeboatAddress) { a.RemainingSeconds = &left })
	h.depart(t)
	h.mu.Lock()
	h.lost = true
	h.mu.Unlock()
	began := time.Now()
	eventually(t, "it says that it is alone", func() bool { return h.printed("the node is out of reach: until the last instant that it named") })
	_, err := call("127.0.7.50", here, port)
	require.NoError(t, err)
	require.NoError(t, <-h.ended)
	require.Greater(t, time.Since(began), staleAfter)
	require.True(t, h.printed("the node is out of reach, and what it said last is over"))
}

// echoDatagrams answers each datagram at a port of an address, or at any for 0, with what it got.
func echoDatagrams(t *testing.T, address string, at uint16) (port uint16) {
	t.Helper()
	server, err := net.ListenPacket("udp", netip.AddrPortFrom(netip.MustParseAddr(address), at).String())
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	go func() {
		buf := make([]byte, 100)
		for n, from, err := server.ReadFrom(buf); err == nil; n, from, err = server.ReadFrom(buf) {
			_, _ = server.WriteTo(append([]byte("got "), buf[:n]...), from)
		}
	}()
	return netip.MustParseAddrPort(server.LocalAddr().String()).Port()
}

// askDatagram sends a datagram to a port of an address, and holds what comes back against it.
func askDatagram(t *testing.T, d net.Dialer, to string, port uint16) error {
	t.Helper()
	c, err := d.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr(to), port).String())
	require.NoError(t, err)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(300 * time.Millisecond))
	_, err = c.Write([]byte("x"))
	require.NoError(t, err)
	buf := make([]byte, 100)
	n, err := c.Read(buf)
	if err == nil {
		require.Equal(t, "got x", string(buf[:n]))
	}
	return err
}

// TestDatagrams: clients of UDP are forwarded, probes and what was forwarded before are not.
func TestDatagrams(t *testing.T) {
	const here, there = "127.0.7.14", "127.0.7.15"
	port := echoDatagrams(t, there, 0)
	h := launch(t, here, []Port{{Number: port, UDP: true}}, there)
	h.depart(t)
	ask := func(d net.Dialer) error { return askDatagram(t, d, here, port) }
	eventually(t, "it answers", func() bool { return ask(net.Dialer{}) == nil })
	require.Error(t, ask(net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP("127.0.7.99")}}))
	require.Error(t, ask(net.Dialer{Control: markSocket}))
	c := h.boat.counts.of(here)
	require.Equal(t, []uint64{1, 1}, []uint64{c.Refused[refusedProbe], c.Refused[refusedLoop]})
}

// TestStay: a boat that stays waits until its address is answered again, and forwards at the next departure.
func TestStay(t *testing.T) {
	const here, there = "127.0.7.16", "127.0.7.17"
	port := echo(t, there)
	h := launchWith(t, func(o *Options) { o.Stay = true }, here, []Port{{Number: port}}, there)
	forgotten := func(a *api.LifeboatAddress) { a.State, a.Text = api.BoatForgot, "no honest cache holds it" }
	answered := func(a *api.LifeboatAddress) { a.State, a.Text = api.BoatAnswered, "it is answered for www.example.org" }
	for turn := range 3 {
		h.depart(t)
		eventually(t, "it answers", func() bool { _, err := call("127.0.7.50", here, port); return err == nil })
		h.say(forgotten)
		eventually(t, "it has closed", func() bool { return h.printed("closed: ") })
		_, err := call("127.0.7.50", here, port)
		require.Error(t, err)
		if turn == 0 {
			// Departed, by a word that is older: it was over.
			h.say(func(a *api.LifeboatAddress) { a.State, a.Text = api.BoatDeparted, "caches may hold it" })
			eventually(t, "it waits", func() bool { return h.printed("waiting: example.org/web/one 127.0.7.16: over") })
			_, err := call("127.0.7.50", here, port)
			require.Error(t, err)
		}
		if turn == 1 {
			// Back and gone again between two looks: its end is another one.
			left := 20.0
			h.say(func(a *api.LifeboatAddress) {
				a.State, a.Text, a.RemainingSeconds = api.BoatDeparted, "caches may hold it", &left
			})
			eventually(t, "it answers", func() bool { _, err := call("127.0.7.50", here, port); return err == nil })
			h.say(func(a *api.LifeboatAddress) { forgotten(a); a.RemainingSeconds = nil })
			eventually(t, "it is over", func() bool {
				h.mu.Lock()
				defer h.mu.Unlock()
				return strings.Count(strings.Join(h.lines, "\n"), "closed: ") == 2
			})
		}
		h.mu.Lock()
		h.lines = nil
		h.mu.Unlock()
		h.say(answered)
		eventually(t, "it waits again", func() bool { return h.printed("it is answered for") })
	}
	h.end()
	require.NoError(t, <-h.ended)
}

// TestBoard: nothing begins where no address is this machine's, or all are refused.
func TestBoard(t *testing.T) {
	boat, err := New(Options{Ports: []Port{{Number: 1}}, Say: func(string) {}})
	require.NoError(t, err)
	boat.own = []netip.Addr{netip.MustParseAddr("192.0.2.9")}
	l := &api.Lifeboat{Scope: api.Scope{Kind: "az", Name: "eu-a"}, Addresses: []api.LifeboatAddress{{Address: "192.0.2.1"}}}
	require.EqualError(t, boat.board(l, time.Now()), "none of the addresses of az eu-a is one of this machine: 192.0.2.1")
	l.Addresses = append(l.Addresses, api.LifeboatAddress{Endpoint: "example.org/db/one", Address: "192.0.2.9", State: api.BoatRefused, Rule: "stateful", Text: "pool db keeps data"})
	refused := new(RefusedError)
	require.ErrorAs(t, boat.board(l, time.Now()), &refused)
	require.Equal(t, "stateful", refused.Rule)
}

// TestDiversionLost: a boat whose table is gone takes nothing more when it says so.
func TestDiversionLost(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a transparent socket needs root")
	}
	// It lists what it was told, as nft does.
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(bin+"/nft", []byte("#!/bin/sh\nexec cat\n"), 0o755))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	const here, there = "127.0.7.20", "127.0.7.21"
	port := echo(t, there)
	h := launchWith(t, func(o *Options) { o.Mode = ByNftables }, here, []Port{{Number: port}}, there)
	h.depart(t)
	at := h.boat.berths[0].gates[0].at
	_, err := call(there, here, at.Port())
	require.NoError(t, err)
	require.NoError(t, h.boat.diversion.cmd.Process.Kill())
	require.ErrorContains(t, <-h.ended, "the process nft has ended")
	_, err = net.Dial("tcp4", at.String())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}
