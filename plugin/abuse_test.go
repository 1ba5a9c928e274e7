//go:build linux

package fairlead

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// abuseZone limits replies; PATHS are services of one path each, since both have one limiter.
const abuseZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
rrl: {responses_per_second: 1, slip: 2}
regions: {eu: {azs: [eu-a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
services:
  lane: {tiers: [{web: 1}]}
  ordinary: {tiers: [{web: 1}]}
  "*.apps": {tiers: [{web: 1}]}
`

// asker asks one path.
type asker struct {
	t    *testing.T
	conn net.Conn
}

// ask sends a question; the reply is nil if none comes within a second.
func (a *asker) ask(name string, cookie string) *dns.Msg {
	a.t.Helper()
	m := new(dns.Msg).SetQuestion(name, dns.TypeA).SetEdns0(1232, false)
	if cookie != "" {
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie})
	}
	_, err := a.conn.Write(pack(a.t, m))
	require.NoError(a.t, err)
	require.NoError(a.t, a.conn.SetReadDeadline(time.Now().Add(time.Second)))
	b := make([]byte, dns.MaxMsgSize)
	for {
		n, err := a.conn.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		require.NoError(a.t, err)
		r := new(dns.Msg)
		require.NoError(a.t, r.Unpack(b[:n]))
		if r.Id == m.Id {
			return r
		}
	}
}

// cookieIn is the cookie of a reply.
func cookieIn(r *dns.Msg) string {
	for _, o := range r.IsEdns0().Option {
		if c, ok := o.(*dns.EDNS0_COOKIE); ok {
			return c.Cookie
		}
	}
	return ""
}

// TestAbuse: cookies and limits on both paths.
func TestAbuse(t *testing.T) {
	s, other := newTwoPaths(t, "", abuseZone)
	const mine = "0102030405060708"
	for _, path := range []struct {
		name string
		conn net.Conn
	}{{"lane", s.dial("127.0.0.1")}, {"ordinary", dialPort(t, "127.0.0.1", other)}} {
		t.Run(path.name, func(t *testing.T) {
			a := &asker{t: t, conn: path.conn}
			name := path.name + ".example.org."
			first := a.ask(name, mine)
			require.Len(t, first.Answer, 1)
			cookie := cookieIn(first)
			require.Len(t, cookie, 48)
			require.Equal(t, mine, cookie[:16])
			var without *dns.Msg
			eventually(t, "a reply within the limit", func() bool {
				without = a.ask("nope."+path.name+".example.org.", "")
				return without != nil
			})
			require.Empty(t, cookieIn(without), "who has no cookie gets none")
			// With the cookie there is no limit.
			for range 50 {
				r := a.ask(name, cookie)
				require.Len(t, r.Answer, 1)
				require.Equal(t, cookie, cookieIn(r))
			}
			// Another client cookie makes it worthless. Of those over the limit one in two slips.
			full, empty, silent := 0, 0, 0
			for range 14 {
				switch r := a.ask(name, "1"+cookie[1:]); {
				case r == nil:
					silent++
				case r.Truncated:
					require.Empty(t, r.Answer)
					empty++
				default:
					full++
				}
				if silent >= 3 {
					break
				}
			}
			require.Positive(t, silent)
			require.Less(t, full, 14)
			// Any names of a wildcard are one.
			full = 0
			for i := range 12 {
				if r := a.ask(fmt.Sprintf("n%d-%s.apps.example.org.", i, path.name), "1"+cookie[1:]); r == nil {
					break
				} else if !r.Truncated {
					full++
				}
			}
			require.LessOrEqual(t, full, 8)
		})
	}
	dropped, _ := process.node.Guards().Limiter.Counts()
	require.Positive(t, dropped)
}

// TestAmplification: sixty addresses are for those who show a cookie, or come over TCP.
func TestAmplification(t *testing.T) {
	w := newTwin(t)
	for name, conn := range map[string]net.Conn{"lane": w.lane, "ordinary": w.ordinary} {
		t.Run(name, func(t *testing.T) {
			a := &asker{t: t, conn: conn}
			for _, cookie := range []string{"", "0102030405060708"} {
				r := a.ask("large.example.org.", cookie)
				require.True(t, r.Truncated)
				require.Empty(t, r.Answer)
				if cookie != "" {
					cookie = cookieIn(r)
					require.Len(t, a.ask("large.example.org.", cookie).Answer, 60)
				}
			}
			r, err := dns.ExchangeContext(t.Context(), new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA), conn.RemoteAddr().String())
			require.NoError(t, err)
			require.Len(t, r.Answer, 1)
			r, _, err = (&dns.Client{Net: "tcp"}).Exchange(new(dns.Msg).SetQuestion("large.example.org.", dns.TypeA), conn.RemoteAddr().String())
			require.NoError(t, err)
			require.Len(t, r.Answer, 60)
		})
	}
}
