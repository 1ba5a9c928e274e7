package fairlead

import (
	"context"
	"testing"

	"github.com/miekg/dns"
)

// FuzzServeDNS: whatever unpacks must not make the handler panic, and a reply of ours must unpack and answer the question.
func FuzzServeDNS(f *testing.F) {
	h := newTestHandler(f)
	for _, name := range []string{"www.example.org.", "large.example.org.", ".", `a\000b.example.org.`, `\.\\.apps.example.org.`, "inner.example.org."} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeANY, dns.TypeAXFR, dns.TypeNone, dns.TypeOPT, 65535} {
			m := new(dns.Msg).SetQuestion(name, qtype)
			add(f, m)
			m.SetEdns0(1, true)
			add(f, m)
			m.Question[0].Qclass = dns.ClassANY
			m.Extra = append(m.Extra, m.Extra[0])
			add(f, m)
			m.Question = append(m.Question, m.Question[0])
			add(f, m)
		}
	}
	add(f, withSubnet("www.example.org.", dns.TypeA, subnet(1, 24, "192.0.2.0")))
	add(f, withSubnet("large.example.org.", dns.TypeA, subnet(2, 56, "2001:db8::")))
	m := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
	m.Response, m.Opcode, m.Rcode = true, 15, 15
	add(f, m)
	f.Add(make([]byte, 12))
	f.Fuzz(func(t *testing.T, packed []byte) {
		q := new(dns.Msg)
		if q.Unpack(packed) != nil {
			return
		}
		for _, tcp := range []bool{false, true} {
			w := newWireRecorder(tcp)
			_, _ = h.ServeDNS(context.Background(), w, q)
			_, _ = h.ServeDNS(context.Background(), &opaqueWriter{newWireRecorder(tcp)}, q)
			if w.writes == 0 {
				continue
			}
			m := w.reply(t)
			if m.Id != q.Id || !m.Response || len(m.Question) != 1 || m.Question[0] != q.Question[0] {
				t.Fatalf("reply %v does not answer %v", m, q)
			}
		}
	})
}

func add(f *testing.F, m *dns.Msg) {
	if b, err := m.Pack(); err == nil {
		f.Add(b)
	}
}
