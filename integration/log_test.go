package integration

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

const logZone = `zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
checks: {ready: {type: tcp, port: %d, interval: 1s, timeout: 500ms}}
pools:
  web: {region: eu, check: ready, endpoints: [{name: one, addresses: [127.0.0.1], az: eu-a}]}
  spare: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
services:
  www: {tiers: [{web: 1}, {spare: 1}]}
`

// TestLog: each line of the real binary has its time; as JSON each one is an object, with the attributes as keys. A service that moves and an
// endpoint that goes down are told at info.
func TestLog(t *testing.T) {
	waits(t)
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			p := &process{bin: binary(t, true), dir: t.TempDir(), dns: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))}
			p.socket = filepath.Join(p.dir, "state", "admin.sock")
			mkdir(t, filepath.Join(p.dir, "zones"))
			mkdir(t, filepath.Join(p.dir, "state"))
			// Nothing listens there.
			p.writeZone("a.yaml", fmt.Sprintf(logZone, suite.FreePort(t)))
			p.writeCorefile(corefile)
			start(t, p, "serve", "-quiet", "-conf", filepath.Join(p.dir, "Corefile"), "-log-format", format)
			await(t, "the service moves", func() bool {
				return strings.Contains(p.output(), "service answers from elsewhere") && strings.Contains(p.output(), "endpoint changed state")
			})
			if format == "text" {
				for line := range strings.Lines(p.output()) {
					require.Regexp(t, regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[(INFO|WARNING)\] `), line)
				}
				require.Regexp(t, `\[INFO\] plugin/fairlead: service answers from elsewhere service=www.storm.example.org. old=\S+ new="tier 2"`, p.output())
				return
			}
			moved := 0
			for line := range strings.Lines(p.output()) {
				var got struct {
					Time                                     time.Time
					Level, Msg, Plugin, Endpoint, New, Cause string
				}
				require.NoError(t, json.Unmarshal([]byte(line), &got), line)
				require.WithinDuration(t, time.Now(), got.Time, time.Hour)
				require.Contains(t, []string{"INFO", "WARN"}, got.Level, line)
				if got.Msg == "endpoint changed state" {
					moved++
					require.Equal(t, []string{"fairlead", "one", "down"}, []string{got.Plugin, got.Endpoint, got.New})
					require.Contains(t, got.Cause, "refused")
				}
			}
			require.Equal(t, 1, moved, p.output())
		})
	}
}
