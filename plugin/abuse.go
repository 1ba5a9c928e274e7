package fairlead

import (
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/plugin/abuse"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// show fills in what the query shows of where its client is.
func (s *scratch) show(g abuse.Guards, r *dns.Msg) {
	q := &s.question
	if s.cookie.Present && g.Jar != nil {
		q.WithCookie = true
		q.Cookie, s.known = g.Jar.Answer(&s.cookie, q.Client, time.Now().Unix())
	}
	if s.known = s.known || q.Size == 0; !s.known {
		q.Length = r.Len()
	}
}

// bound is what goes out of a reply by the limits of its zone; drop is set when nothing does.
func (s *scratch) bound(g abuse.Guards, packed []byte, info *answer.Reply, now func() int64) (out []byte, drop bool) {
	if s.known || info.Zone.RRL == nil || g.Limiter == nil {
		return packed, false
	}
	switch g.Limiter.Take(info.Zone.RRL, s.question.Client, byte(info.Outcome), info.About, now()) {
	case abuse.Drop:
		s.issued.Clear()
		return packed, true
	case abuse.Slip:
		info.RCode = dns.RcodeSuccess
		return answer.AppendTruncated(packed[:0], &s.question), false
	}
	return packed, false
}
