package fastlane

import (
	"math"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

func TestRouteFindsTheLongestZone(t *testing.T) {
	r := &Route{Address: "dns://:53", Blocks: []Block{{Zone: "example.org."}, {Zone: "sub.example.org."}, {Zone: "org."}, {Zone: "net."}, {Zone: "other.example."}}}
	new(Runtime).prepareRoute(r)
	for name, want := range map[string]string{
		"example.org.": "example.org.", "www.EXAMPLE.org.": "example.org.", "a.b.c.sub.example.Org.": "sub.example.org.", "xsub.example.org.": "example.org.",
		"sub.example.org.": "sub.example.org.", "exbmple.org.": "org.", "example.net.": "net.", "example.com.": "", ".": "", "example.": "", "x.other.example.": "other.example.",
	} {
		var buf [256]byte
		n, err := dns.PackDomainName(name, buf[:], 0, nil, false)
		require.NoError(t, err)
		got := ""
		if e := r.find(buf[:n]); e != nil {
			got = e.block.Zone
		}
		require.Equal(t, want, got, name)
	}
	r.Blocks = []Block{{Zone: "."}}
	r.table = nil
	new(Runtime).prepareRoute(r)
	require.Equal(t, ".", r.find([]byte("\x03www\x00")).block.Zone)
	require.Equal(t, ".", r.find([]byte("\x00")).block.Zone)
}

func TestEqualFoldKnowsLetters(t *testing.T) {
	for c := range 256 {
		for d := range 256 {
			lower := byte(d)
			want := byte(c) == lower || 'A' <= c && c <= 'Z' && byte(c+32) == lower
			if 'A' <= d && d <= 'Z' {
				continue
			}
			for _, pad := range []string{"", "abcdefgh"} {
				require.Equal(t, want, equalFold([]byte(pad+string([]byte{byte(c)})), []byte(pad+string([]byte{lower}))), "%d %d", c, d)
			}
			require.Equal(t, want, equalFold([]byte{1, 2, 3, byte(c), 5, 6, 7, 8}, []byte{1, 2, 3, lower, 5, 6, 7, 8}), "%d %d", c, d)
		}
	}
}

func TestDurationBuckets(t *testing.T) {
	for d := time.Duration(8); d < time.Hour; d += d/3 + 1 {
		got := durationIn(durationBucket(d))
		require.InEpsilon(t, float64(d), float64(got), 1.0/16, "%v", d)
	}
	require.Equal(t, durationBucket(0), durationBucket(8))
}

// TestNativeHistograms: merging is what observing would have been.
func TestNativeHistograms(t *testing.T) {
	options := prometheus.HistogramOpts{Name: "x", Buckets: []float64{0.1, 1, 10}, NativeHistogramBucketFactor: 1.05}
	one, both := prometheus.NewHistogram(options), prometheus.NewHistogram(options)
	added := &histogram{values: make(map[float64]uint64)}
	for i := range 400 {
		// Powers of two are bounds.
		v := float64(1+i*7%1500) * math.Exp2(-float64(i%5*10))
		both.Observe(v)
		if i%3 == 0 {
			one.Observe(v)
			continue
		}
		added.values[v]++
		added.count++
		added.sum += v
	}
	var got, want dto.Metric
	require.NoError(t, one.Write(&got))
	require.NoError(t, both.Write(&want))
	added.addTo(got.Histogram)
	require.InEpsilon(t, want.Histogram.GetSampleSum(), got.Histogram.GetSampleSum(), 1e-9)
	got.Histogram.SampleSum, got.Histogram.CreatedTimestamp = want.Histogram.SampleSum, want.Histogram.CreatedTimestamp
	require.Equal(t, nativeBuckets(want.Histogram), nativeBuckets(got.Histogram))
	require.Equal(t, want.Histogram.String(), got.Histogram.String())
}
