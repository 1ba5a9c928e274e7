package answer

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// TestExtendedErrors: an answer for want of a better one says so to those who speak EDNS, and to nobody else (RFC 8914).
func TestExtendedErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		states [2]string
		change func(*config.Service)
		want   []uint16
	}{
		{name: "peace", states: [2]string{"UU", "UU"}},
		{name: "last good", states: [2]string{"DD", "UU"}, want: []uint16{dns.ExtendedErrorCodeStaleAnswer}},
		{name: "panic", states: [2]string{"UD", "UU"}, change: func(s *config.Service) { s.Health.PanicBelow = 60 }, want: []uint16{dns.ExtendedErrorCodeForgedAnswer}},
		{name: "all", states: [2]string{"DD", "UU"}, change: func(s *config.Service) { s.OnAllDown.Policy = config.AnswerAll }, want: []uint16{dns.ExtendedErrorCodeForgedAnswer}},
		{name: "nodata", states: [2]string{"DD", "UU"}, change: func(s *config.Service) { s.OnAllDown.Policy = config.NoData }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture("UU", "UU")
			if tt.change != nil {
				tt.change(f.zone.Services[0])
			}
			f.move(base, tt.states[0], tt.states[1])
			q := question("www.example.org.", dns.TypeA)
			require.Nil(t, f.reply(t, q, base).IsEdns0())
			q.EDNS, q.Size = true, 1232
			var got []uint16
			for _, o := range f.reply(t, q, base).IsEdns0().Option {
				got = append(got, o.(*dns.EDNS0_EDE).InfoCode)
			}
			require.Equal(t, tt.want, got)
		})
	}
	f := newFixture("UU", "UU")
	q := question("www.example.org.", dns.TypeA)
	q.EDNS, q.Shut, q.ECS.Present = true, true, true
	m := f.reply(t, q, base)
	require.Equal(t, dns.RcodeServerFailure, m.Rcode)
	require.Len(t, m.IsEdns0().Option, 2)
	require.Equal(t, dns.ExtendedErrorCodeNotReady, m.IsEdns0().Option[1].(*dns.EDNS0_EDE).InfoCode)
}
