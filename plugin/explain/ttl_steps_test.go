package explain

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/answer/answertest"
)

// steppingZone has two services on one pool in ceiling mode, and one on two pools in horizon mode.
const steppingZone = `
zone: example.org
nameservers: [ns1.example.net.]
regions: {eu: {azs: [a]}, us: {azs: [b]}}
checks: {ready: {type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 3, rise: 2}}
pools:
  eu: {region: eu, check: ready, endpoints: [{name: a, az: a, addresses: [192.0.2.1]}, {name: b, az: a, addresses: [192.0.2.2]}]}
  us: {region: us, check: ready, endpoints: [{name: a, az: b, addresses: [192.0.2.3]}]}
services:
  www: {ttl: {mode: ceiling, min: 2s, max: 30s}, tiers: [{eu: 1}]}
  api: {ttl: {mode: ceiling, min: 2s, max: 30s}, tiers: [{eu: 1}]}
  app: {ttl: {mode: horizon, min: 2s, max: 10s}, tiers: [{us: 1}]}
`

// TestTTLSteps: what falls is told once with its cause, services that fall together as one, further steps too, and the return.
func TestTTLSteps(t *testing.T) {
	z, problems := config.Parse("zone.yaml", []byte(steppingZone), config.ParseOptions{})
	require.NoError(t, problems.Err())
	synctest.Test(t, func(t *testing.T) {
		n := answertest.Start(t, z)
		var steps TTLSteps
		look := func() (texts []string) {
			synctest.Wait()
			list, more := steps.Look(n.Current.Load(), time.Now())
			require.Zero(t, more)
			for _, s := range list {
				texts = append(texts, s.Subject+": "+s.Text())
			}
			return texts
		}
		fail := func(pool string, failures int) {
			for _, target := range health.TargetsOf(z.Name, z.Checks[0], z.Pools[map[string]int{"eu": 0, "us": 1}[pool]].Endpoints[0]) {
				n.Observe(health.Observation{Target: target.ID, State: health.Up, Failures: failures, Reason: "refused", At: time.Now(), Next: time.Now().Add(5 * time.Second)})
			}
		}
		require.Equal(t, []string{
			"example.org: the TTLs of 2 services fell from 30 s to 2 s: the floor: an answer of this name rests on no good evidence (eu/a, eu/b)",
			"app.example.org: the TTL fell from 10 s to 2 s: the floor: an answer of this name rests on no good evidence (us/a)",
		}, look())
		require.Empty(t, look(), "told once")

		n.See(health.Up, "eu", "us")
		time.Sleep(31 * time.Second) // one ttl.max after the change
		n.See(health.Up, "eu", "us")
		require.Equal(t, []string{
			"example.org: the TTLs of 2 services rose from 2 s to 30 s, as in peace", "app.example.org: the TTL rose from 2 s to 10 s, as in peace",
		}, look())

		fail("eu", 1)
		fail("us", 1)
		require.Equal(t, []string{
			"example.org/eu: the TTLs of 2 services fell from 30 s to 2 s: the floor: a member is suspect, never judged, judged long ago, or forced up while health says down (eu/a)",
			"app.example.org: the TTL fell from 10 s to 8 s: time to the earliest instant at which health could take a member out (us/a)",
		}, look())
		time.Sleep(5 * time.Second)
		fail("us", 2)
		require.Equal(t, []string{"app.example.org: the TTL fell from 8 s to 4 s: time to the earliest instant at which health could take a member out (us/a)"}, look())
		n.See(health.Up, "eu", "us")
		require.Contains(t, look(), "app.example.org: the TTL rose from 4 s to 10 s, as in peace")
	})
}
