package health

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// eachOf reads a letter for each address: U up, S suspect, D down since a second, O down for an hour, ? untried, ! doubted, M mute.
func eachOf(now time.Time, letters string) *Each {
	var each Each
	for i, l := range letters {
		v := &each[i]
		switch l {
		case 'U':
			v.State, v.Since = Up, now.Add(-time.Hour)
		case 'S':
			v.State, v.SuspectSince, v.Reason = Suspect, now, "refused"
		case 'D':
			v.State, v.Left, v.Reason = Down, now.Add(-time.Second), "refused"
		case 'O':
			v.State, v.Left, v.Reason = Down, now.Add(-time.Hour), "timeout"
		case '!':
			v.Doubted = true
		case 'M':
			v.Mute = true
		}
	}
	return &each
}

// TestEachAddress: an endpoint is as good as the best of its addresses, and answers none that is known to be worse than the other.
func TestEachAddress(t *testing.T) {
	now := time.Now()
	e := &config.Endpoint{V4: netip.MustParseAddr("192.0.2.1"), V6: netip.MustParseAddr("2001:db8::1")}
	for _, tt := range []struct {
		name, each string
		want       State
		reason     string
		// withheld are the families that are not answered.
		withheld []config.Family
		uneasy   bool
	}{
		{"both up", "UU", Up, "", nil, false},
		{"IPv6 down", "UD", Up, "2001:db8::1: refused", []config.Family{config.IPv6}, false},
		{"IPv4 down", "OU", Up, "192.0.2.1: timeout", []config.Family{config.IPv4}, false},
		{"both down together", "DD", Down, "192.0.2.1: refused; 2001:db8::1: refused", nil, false},
		{"the last one to die was IPv4", "DO", Down, "192.0.2.1: refused; 2001:db8::1: timeout", []config.Family{config.IPv6}, false},
		{"one suspect", "US", Suspect, "2001:db8::1: refused", nil, true},
		{"the one that answers suspect", "SD", Suspect, "192.0.2.1: refused; 2001:db8::1: refused", []config.Family{config.IPv6}, true},
		{"one untried beside an up one", "U?", Up, "", nil, true},
		{"one that nobody can probe", "UM", Up, "", nil, false},
		{"one doubted beside an up one", "U!", Up, "", []config.Family{config.IPv6}, false},
		{"one down, the other untried", "D?", Unknown, "192.0.2.1: refused", []config.Family{config.IPv4}, true},
		{"one doubted, the other untried", "!?", Unknown, "", []config.Family{config.IPv4}, true},
		{"both untried", "??", Unknown, "", nil, true},
		{"both doubted", "!!", Unknown, "", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := EndpointView{Each: eachOf(now, tt.each)}
			v.Verdict = Best(e, v.Each, Verdict{}, now)
			require.Equal(t, tt.want, v.State)
			require.Equal(t, tt.reason, v.Reason)
			var withheld []config.Family
			for _, f := range config.Families() {
				if v.Withheld(f) {
					withheld = append(withheld, f)
				}
			}
			require.Equal(t, tt.withheld, withheld)
			require.Equal(t, tt.uneasy, v.Uneasy() && v.State != Down)
			require.Equal(t, tt.each == "!!", v.Doubted)
			v.Forced = Up
			require.False(t, v.Withholds(), "an operator speaks of both")
		})
	}
}

// TestTargetsOf: what is dialled for an endpoint with two addresses.
func TestTargetsOf(t *testing.T) {
	v4, v6, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("10.0.0.1")
	tcp := &config.Check{Name: "c", Type: config.CheckTCP, Port: 80}
	own := &config.Check{Name: "c", Type: config.CheckTCP, Port: 80, Address: other}
	push := &config.Check{Name: "c", Type: config.CheckPush, Push: new(config.PushCheck)}
	both := &config.Endpoint{V4: v4, V6: v6, ProbeAddr: v6}
	for _, tt := range []struct {
		name  string
		check *config.Check
		e     *config.Endpoint
		want  []string
	}{
		{"one address", tcp, &config.Endpoint{V4: v4, ProbeAddr: v4}, []string{"192.0.2.1"}},
		{"both", tcp, both, []string{"192.0.2.1", "2001:db8::1"}},
		{"probe.address speaks for both", tcp, &config.Endpoint{V4: v4, V6: v6, ProbeAddr: other, ProbeGiven: true}, []string{"10.0.0.1"}},
		{"the check's own address speaks for all", own, both, []string{"10.0.0.1"}},
		{"one report for both", push, both, []string{"2001:db8::1"}},
		{"a name", tcp, &config.Endpoint{Target: "www.example.net."}, []string{"www.example.net."}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var hosts []string
			ids := make(map[TargetID]bool)
			for _, target := range TargetsOf("example.org.", tt.check, tt.e) {
				hosts, ids[target.ID] = append(hosts, target.Host), true
			}
			require.Equal(t, tt.want, hosts)
			require.Len(t, ids, len(tt.want))
			require.True(t, ids[TargetOf("example.org.", tt.check, tt.e).ID])
		})
	}
}
