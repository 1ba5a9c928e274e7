package fairlead

import (
	"bytes"
	"net/netip"
	"strings"
	"time"

	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

// explainLabel begins the names whose TXT records explain the answers of the name behind it.
var explainLabel = []byte("\x08_explain")

// explainTTL is the TTL of an explanation in seconds: the least that no resolver takes for "as long as you like".
const explainTTL = 1

// maxExplainStrings bounds the TXT records; what is left out is for `fairlead explain`.
const maxExplainStrings = 24

// loopback is who may ask for explanations by default.
func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// explains tells whether q asks for an explanation and its client may have it. Explanations name pools, endpoints and their
// health, which are nobody else's business.
func (d *directive) explains(q *answer.Question) bool {
	if q.Type != dns.TypeTXT || len(q.Name) <= len(explainLabel) || !bytes.EqualFold(q.Name[:len(explainLabel)], explainLabel) {
		return false
	}
	for _, p := range d.explain {
		if p.Contains(q.Client) {
			return true
		}
	}
	return false
}

// explain writes the explanation of the name behind the label, as the client in q would be answered. ours is unset when the
// name is in no zone.
func (h *Handler) explain(n backend, w dns.ResponseWriter, r *dns.Msg, q *answer.Question) (ours bool, err error) {
	x, err := n.Explainer()
	if err != nil {
		return false, err
	}
	asked := *q
	asked.Name = asked.Name[len(explainLabel):]
	now := time.Now()
	var lines []string
	for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA} {
		asked.Type = typ
		name := r.Question[0].Name
		e, err := x.ExplainQuestion(asked, api.Question{Name: strings.ToLower(name[strings.IndexByte(name, '.')+1:]), Type: dns.TypeToString[typ]}, now)
		if err != nil {
			return false, nil
		}
		lines = append(lines, explain.Lines(e, typ == dns.TypeA)...)
	}
	m := new(dns.Msg).SetReply(r)
	m.Authoritative = true
	for _, line := range lines[:min(len(lines), maxExplainStrings)] {
		m.Answer = append(m.Answer, &dns.TXT{
			Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: explainTTL},
			Txt: []string{line[:min(len(line), 255)]},
		})
	}
	state := request.Request{W: w, Req: r}
	state.SizeAndDo(m)
	return true, w.WriteMsg(state.Scrub(m))
}
