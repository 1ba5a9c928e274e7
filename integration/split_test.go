package integration

import (
	"fmt"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// splitAnswers is how many answers of each name and type are counted, splitClients how many clients ask at once.
const (
	splitAnswers = 1000
	splitClients = 16
)

// splitZone has 40:60 between the AZs of eu, endpoint weights in us, and 70:30 between the two where both answer. PORT is where the
// endpoints listen.
const splitZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a, us-b]}}
checks:
  ready: {type: tcp, port: PORT, interval: 300ms, timeout: 250ms, fall: 3, rise: 1}
pools:
  eu:
    region: eu
    az_weights: {eu-a: 40, eu-b: 60}
    endpoints:
      - {name: a, addresses: [192.0.2.1, "2001:db8::1"], az: eu-a}
      - {name: b, addresses: [192.0.2.2, "2001:db8::2"], az: eu-b}
  us:
    region: us
    endpoints:
      - {name: c, addresses: [192.0.2.3, "2001:db8::3"], az: us-a}
      - {name: d, addresses: [192.0.2.4, "2001:db8::4"], az: us-b, weight: 3}
  live:
    region: eu
    check: ready
    endpoints:
      - {name: w, addresses: [127.0.0.31], az: eu-a, weight: 1}
      - {name: x, addresses: [127.0.0.32], az: eu-a, weight: 2}
      - {name: y, addresses: [127.0.0.33], az: eu-b, weight: 4}
      - {name: z, addresses: [127.0.0.34], az: eu-b, weight: 5}
services:
  www: {tiers: [{eu: 1}], ttl: {max: 30s, min: 2s}}
  both: {tiers: [{eu: 70, us: 30}], ttl: {max: 30s, min: 2s}}
  typed: {srv: {port: 443}, https: {alpn: [h2]}, tiers: [{eu: 70, us: 30}]}
  classes:
    clients:
      - {match: {cidr: [127.0.1.0/24]}, tiers: [{us: 1}], strict: true}
      - {match: {cidr: [127.0.2.0/24]}, tiers: [{eu: 1}]}
    tiers: [{eu: 70, us: 30}]
  live: {tiers: [{live: 1}], ttl: {max: 30s, min: 2s}, failback: {hold: 0s}, health: {max_removal: 100%}}
`

const splitCorefile = `example.org:PORT {
	bind 127.0.0.1
	fairlead {
		zones DIR/zones
		state DIR/state
	}
	errors
}
`

// startSplit runs a node over splitZone, whose endpoints with a check listen at port.
func startSplit(t *testing.T, port int) *process {
	p := startServe(t, true, splitCorefile, map[string]string{"example.yaml": splitText(port)})
	p.awaitHealthy()
	return p
}

func splitText(port int) string { return strings.ReplaceAll(splitZone, "PORT", fmt.Sprint(port)) }

// splitAsk asks from an address of 127.0.0.0/8, which decides the class, and returns the endpoint that answered.
func splitAsk(p *process, network, from, name string, qtype uint16, variant int) (string, error) {
	m := new(dns.Msg).SetQuestion(name+".example.org.", qtype)
	if variant > 0 {
		m.SetEdns0(1232, variant > 1)
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	switch ip := net.ParseIP(from); network {
	case "udp":
		dialer.LocalAddr = &net.UDPAddr{IP: ip}
	case "tcp":
		dialer.LocalAddr = &net.TCPAddr{IP: ip}
	}
	c := dns.Client{Net: network, Timeout: 5 * time.Second, Dialer: dialer}
	r, _, err := c.Exchange(m, p.dns)
	if err != nil {
		return "", err
	}
	if len(r.Answer) != 1 || r.Answer[0].Header().Rrtype != qtype {
		return "", fmt.Errorf("%s %s: want one record:\n%v", name, dns.TypeToString[qtype], r)
	}
	return splitMember(r.Answer[0]), nil
}

// splitMember is the endpoint behind a record: the last digit of its address, or its name.
func splitMember(rr dns.RR) string {
	last := func(ip net.IP) string { return string("-abcd"[ip[len(ip)-1]&7]) }
	switch rr := rr.(type) {
	case *dns.A:
		if ip := rr.A.To4(); ip[0] == 127 {
			return string("wxyz"[ip[3]-31])
		}
		return last(rr.A)
	case *dns.AAAA:
		return last(rr.AAAA)
	case *dns.SRV:
		return rr.Target[:1]
	case *dns.HTTPS:
		for _, v := range rr.Value {
			if hint, ok := v.(*dns.SVCBIPv4Hint); ok {
				return last(hint.Hint[0])
			}
		}
	}
	return rr.String()
}

// A splitCount is one count: a name, a type and a class of clients, which have a ticket of their own.
type splitCount struct {
	from, name string
	qtype      uint16
}

// splitTally asks n times for each of counts from clients at once, all mixed up, and tallies the members. Over the network "mixed" every
// other client asks over TCP.
func splitTally(t *testing.T, p *process, network string, n int, counts ...splitCount) map[splitCount]map[string]int {
	t.Helper()
	tally, mu := map[splitCount]map[string]int{}, sync.Mutex{}
	for _, c := range counts {
		tally[c] = map[string]int{}
	}
	var wg sync.WaitGroup
	for client := range splitClients {
		wg.Go(func() {
			over := network
			if network == "mixed" {
				over = []string{"udp", "tcp"}[client%2]
			}
			for i := client; i < n; i += splitClients {
				for k, c := range counts {
					member, err := splitAsk(p, over, c.from, c.name, c.qtype, (i/splitClients+client+k)%3)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					tally[c][member]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return tally
}

// requireSplit checks that no member is more than one answer off its share.
func requireSplit(t *testing.T, what string, got map[string]int, weights map[string]int) {
	t.Helper()
	n, sum := 0, 0
	for _, w := range weights {
		sum += w
	}
	for member, g := range got {
		n += g
		require.Contains(t, weights, member, "%s: %v", what, got)
	}
	for member, w := range weights {
		require.InDelta(t, float64(n*w)/float64(sum), got[member], 1, "%s: member %s of %v", what, member, got)
	}
}

var (
	splitEU   = map[string]int{"a": 40, "b": 60}
	splitUS   = map[string]int{"c": 1, "d": 3}
	splitBoth = map[string]int{"a": 56, "b": 84, "c": 15, "d": 45}
)

// TestSplitIsExact: 1,000 answers from 16 clients at once over UDP, through the fast lane, over TCP, and over both at once, with and without
// EDNS and DO, A and AAAA in turn. The declared tolerance is one answer per member.
func TestSplitIsExact(t *testing.T) {
	for _, network := range []string{"udp", "tcp", "mixed"} {
		t.Run(network, func(t *testing.T) {
			p := startSplit(t, listenAt(t).port)
			lanes := p.status().FastLanes
			require.Len(t, lanes, 1)
			require.Positive(t, lanes[0].Sockets, lanes[0].Reason)
			got := splitTally(t, p, network, splitAnswers,
				splitCount{"127.0.0.1", "www", dns.TypeA}, splitCount{"127.0.0.1", "www", dns.TypeAAAA}, splitCount{"127.0.0.1", "both", dns.TypeA})
			for c, members := range got {
				t.Logf("%s %s: %v", c.name, dns.TypeToString[c.qtype], members)
				requireSplit(t, c.name, members, map[string]map[string]int{"www": splitEU, "both": splitBoth}[c.name])
			}
		})
	}
}

// TestSplitIsExactPerClass: clients of three classes, told apart by their addresses, have three counts.
func TestSplitIsExactPerClass(t *testing.T) {
	p := startSplit(t, listenAt(t).port)
	want := map[string]map[string]int{"127.0.0.9": splitBoth, "127.0.1.9": splitUS, "127.0.2.9": splitEU}
	var counts []splitCount
	for from := range maps.Keys(want) {
		counts = append(counts, splitCount{from, "classes", dns.TypeA}, splitCount{from, "classes", dns.TypeAAAA})
	}
	for c, members := range splitTally(t, p, "udp", splitAnswers/2, counts...) {
		t.Logf("from %s %s: %v", c.from, dns.TypeToString[c.qtype], members)
		requireSplit(t, c.from, members, want[c.from])
	}
}

// TestSplitIsExactPerType: questions of four types for one name, in turn, have four counts.
func TestSplitIsExactPerType(t *testing.T) {
	p := startSplit(t, listenAt(t).port)
	var counts []splitCount
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSRV} {
		counts = append(counts, splitCount{"127.0.0.1", "typed", qtype})
	}
	for c, members := range splitTally(t, p, "udp", splitAnswers/2, counts...) {
		t.Logf("%s: %v", dns.TypeToString[c.qtype], members)
		requireSplit(t, dns.TypeToString[c.qtype], members, splitBoth)
	}
}

// splitListeners accept at one port of several loopback addresses.
type splitListeners struct {
	t    *testing.T
	port int
	open map[string]net.Listener
}

// listenAt opens w, x, y and z of the pool live.
func listenAt(t *testing.T) *splitListeners {
	l := &splitListeners{t: t, port: suite.FreePort(t), open: map[string]net.Listener{}}
	for i := range 4 {
		l.listen(string("wxyz"[i]))
	}
	t.Cleanup(func() {
		for _, o := range l.open {
			o.Close()
		}
	})
	return l
}

func (l *splitListeners) listen(member string) {
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:%d", 31+strings.Index("wxyz", member), l.port))
	require.NoError(l.t, err)
	l.open[member] = ln
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
}

func (l *splitListeners) close(member string) {
	l.open[member].Close()
	delete(l.open, member)
}

// TestSplitConvergesAfterChanges: one client asks all the time while endpoints die and return and weights change. There is an answer from
// which on every count is within one of the new shares, and before which the old shares hold. Where a member left, it comes within
// 2 × members answers of the last one that named it, give or take a period of the old shares in which its turn might not have come.
func TestSplitConvergesAfterChanges(t *testing.T) {
	l := listenAt(t)
	p := startSplit(t, l.port)
	all := map[string]int{"w": 1, "x": 2, "y": 4, "z": 5}
	weights := all
	for _, tt := range []struct {
		name   string
		change func()
		to     map[string]int
	}{
		{"z dies", func() { l.close("z") }, map[string]int{"w": 1, "x": 2, "y": 4}},
		{"w dies", func() { l.close("w") }, map[string]int{"x": 2, "y": 4}},
		{"z returns", func() { l.listen("z") }, map[string]int{"x": 2, "y": 4, "z": 5}},
		{"w returns", func() { l.listen("w") }, all},
		{"the file gives w more", func() {
			p.writeZone("example.yaml", strings.Replace(splitText(l.port), "az: eu-a, weight: 1}", "az: eu-a, weight: 7}", 1))
		}, map[string]int{"w": 7, "x": 2, "y": 4, "z": 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var answers []string
			ask := func(n int) {
				for range n {
					member, err := splitAsk(p, "udp", "127.0.0.1", "live", dns.TypeA, len(answers)%3)
					require.NoError(t, err)
					answers = append(answers, member)
				}
			}
			ask(50)
			tt.change()
			converged := -1
			await(t, "the new shares", func() bool {
				ask(20)
				converged = convergence(answers, weights, tt.to)
				return converged >= 0
			})
			ask(100)
			from := convergence(answers, weights, tt.to)
			require.Equal(t, converged, from, "it stays so")
			last := lastOld(answers, weights, tt.to, from)
			t.Logf("%d answers: from the %dth on the new shares, %d after the last that only the old ones have", len(answers), from, from-last)
			require.LessOrEqual(t, from-last, sumOf(weights)+2*len(tt.to))
			weights = tt.to
		})
	}
}

func sumOf(weights map[string]int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	return sum
}

// convergence is the answer from which on all counts are within one of the shares, while everything before it could be of the old ones; at
// least 3 periods must follow. -1 if there is none.
func convergence(answers []string, old, shares map[string]int) int {
	for from := range len(answers) - 3*sumOf(shares) {
		if !within(answers[:from], old, 2) {
			return -1
		}
		if within(answers[from:], shares, 1) {
			return from
		}
	}
	return -1
}

// within tells whether after each answer every member is at most slack off its share. Counts that do not begin with a change may be off by
// one at both ends.
func within(answers []string, shares map[string]int, slack float64) bool {
	sum, given := float64(sumOf(shares)), map[string]int{}
	for n, member := range answers {
		if given[member]++; shares[member] == 0 {
			return false
		}
		for m, w := range shares {
			if d := float64(given[m]) - float64((n+1)*w)/sum; d > slack || -d > slack {
				return false
			}
		}
	}
	return true
}

// lastOld is the place behind the last answer, before from, of a member that the new shares have not; from where there is none.
func lastOld(answers []string, old, shares map[string]int, from int) int {
	for i := from - 1; i >= 0; i-- {
		if shares[answers[i]] == 0 && old[answers[i]] > 0 {
			return i + 1
		}
	}
	return from
}
