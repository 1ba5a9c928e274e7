package answer

import (
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// manyServices is a zone of n services, each over a pool of its own with an endpoint in each of four AZs.
func manyServices(t testing.TB, n int, signed bool) *config.Zone {
	t.Helper()
	files := map[string][]byte{}
	var b strings.Builder
	b.WriteString("zone: example.org\nnameservers: [ns1.example.net]\nregions: {eu: {azs: [a, b, c, d]}}\n")
	if signed {
		files = maps.Clone(keyFiles(t, "example.org.", dns.ECDSAP256SHA256, "ksk", "zsk"))
		b.WriteString("dnssec: {keys: keys}\n")
	}
	b.WriteString("pools:\n")
	for i := range n {
		fmt.Fprintf(&b, "  p%d: {region: eu, endpoints: [", i)
		for k, az := range []string{"a", "b", "c", "d"} {
			fmt.Fprintf(&b, "{name: %s, addresses: [10.%d.%d.%d], az: %s},", az, k, i/250, i%250+1, az)
		}
		b.WriteString("]}\n")
	}
	b.WriteString("services:\n")
	for i := range n {
		fmt.Fprintf(&b, "  s%d: {tiers: [{p%d: 1}], ttl: {max: 30s}}\n", i, i)
	}
	z, problems := config.Parse("z.yaml", []byte(b.String()), config.ParseOptions{ReadFile: func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return text, nil
		}
		return nil, fs.ErrNotExist
	}})
	require.NotNil(t, z, "%s", problems)
	return z
}

// viewWithout has all endpoints of z up but those of an AZ.
func viewWithout(z *config.Zone, m *config.Model, down int) *health.View {
	zv := &health.ZoneView{Zone: z}
	for _, p := range z.Pools {
		pv := &health.PoolView{At: base, Calm: true}
		for _, e := range p.Endpoints {
			state := health.Up
			if e.AZ == down {
				state = health.Down
			}
			pv.Endpoints = append(pv.Endpoints, health.EndpointView{Verdict: health.Verdict{State: state, Since: base}})
		}
		zv.Pools = append(zv.Pools, pv)
	}
	return &health.View{At: base, Model: m, Zones: []*health.ZoneView{zv}}
}

// BenchmarkSign is how long it takes to sign 10,000 services with four endpoints each, and until all of them have lost one AZ, in
// processor time: `go test -run - -bench Sign -benchtime 3x ./plugin/answer`.
func BenchmarkSign(b *testing.B) {
	const services = 10_000
	for _, signed := range []bool{false, true} {
		b.Run(fmt.Sprintf("signed=%v", signed), func(b *testing.B) {
			z := manyServices(b, services, signed)
			m := config.NewModel([]*config.Zone{z})
			up, down := viewWithout(z, m, -1), viewWithout(z, m, 0)
			cpu := func(f func()) time.Duration {
				begin := suite.CPU(b)
				f()
				return suite.CPU(b) - begin
			}
			var whole, first, again time.Duration
			for b.Loop() {
				c := NewCompiler("n1", base)
				var s *Snapshot
				whole += cpu(func() { s = c.Compile(nil, up) })
				first += cpu(func() { s = c.Compile(s, down) })
				s = c.Compile(s, up)
				again += cpu(func() { c.Compile(s, down) })
			}
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(b.N) }
			b.ReportMetric(ms(whole), "whole-cpu-ms")
			b.ReportMetric(ms(first), "flip-cpu-ms")
			b.ReportMetric(ms(again), "flip-again-cpu-ms")
		})
	}
}

// BenchmarkSigned is an answer with its signature beside one without.
func BenchmarkSigned(b *testing.B) {
	z := manyServices(b, 100, true)
	s := NewCompiler("n1", base).Compile(nil, viewWithout(z, config.NewModel([]*config.Zone{z}), -1))
	for _, do := range []bool{false, true} {
		b.Run(fmt.Sprintf("do=%v", do), func(b *testing.B) {
			q := &Question{Name: mustPackName("s7.example.org."), Type: dns.TypeA, Class: dns.ClassINET, EDNS: true, DO: do, Size: 1232}
			q.Spot = s.Find(q.Name)
			buf := make([]byte, 0, 1500)
			b.ReportAllocs()
			for b.Loop() {
				buf, _, _ = s.Append(buf[:0], q)
			}
		})
	}
}
