package feed

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// query is DNS over HTTPS (RFC 8484).
func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	asked, status, err := readQuery(w, r)
	if err != nil {
		fail(w, status, err.Error())
		return
	}
	c, err := clientOf(r)
	var m dns.Msg
	if unpack := m.Unpack(asked); err == nil {
		err = unpack
	}
	if err == nil && (m.Response || m.Opcode != dns.OpcodeQuery || len(m.Question) != 1) {
		err = errors.New("want one question")
	}
	var q answer.Question
	if err == nil {
		if q, err = s.read(&m, c); err != nil {
			err = errors.New("malformed options of EDNS")
		}
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	var issued answer.Issued
	q.Issued = &issued
	lease := s.opts.Source.Enter(c.stripe)
	defer lease.Leave()
	if lease.Snapshot == nil {
		s.shut(w)
		return
	}
	packed, info, ours := lease.Snapshot.Append(nil, &q)
	if !ours {
		refused := new(dns.Msg).SetRcode(&m, dns.RcodeRefused)
		if packed, err = refused.Pack(); err != nil {
			fail(w, http.StatusBadRequest, "no answer")
			return
		}
	}
	if info.Outcome == answer.Shut {
		issued.Clear()
	}
	w.Header().Set("Content-Type", mediaDNS)
	if age, ok := freshness(packed); ok {
		w.Header().Set("Cache-Control", fmt.Sprintf("private, max-age=%d", age))
	} else {
		w.Header().Set("Cache-Control", "no-store")
	}
	s.send(w, lease, &resolution{server: s, issued: &issued}, http.StatusOK, packed)
}

// readQuery is the message in a request, or with which status it is refused.
func readQuery(w http.ResponseWriter, r *http.Request) (message []byte, status int, err error) {
	if r.Method == http.MethodGet {
		message, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(r.URL.Query().Get("dns"), "="))
		if err != nil || len(message) == 0 {
			return nil, http.StatusBadRequest, errors.New("want dns=MESSAGE in base64url")
		}
		return message, 0, nil
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(media) != mediaDNS {
		return nil, http.StatusUnsupportedMediaType, errors.New("want Content-Type: " + mediaDNS)
	}
	message, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	if err != nil {
		return nil, http.StatusBadRequest, errors.New("no message")
	}
	return message, 0, nil
}

// read is the question of a message that has one.
func (s *Server) read(m *dns.Msg, c client) (q answer.Question, err error) {
	n, err := parseName(m.Question[0].Name)
	if err != nil {
		return q, err
	}
	opt, ok := answer.OptOf(m)
	if !ok {
		return q, errors.New("OPT")
	}
	if opt != nil {
		if c.ecs, ok = answer.SubnetOf(opt); !ok {
			return q, errors.New("client subnet")
		}
	}
	q = s.question(n, m.Question[0].Qtype, c)
	q.ID, q.RD, q.CD, q.Class = m.Id, m.RecursionDesired, m.CheckingDisabled, m.Question[0].Qclass
	if opt != nil {
		q.EDNS, q.DO = true, opt.Do()
	}
	return q, nil
}

// freshness is for how many seconds a reply may be kept: the least TTL of its answer section, or what its SOA says of a denial (RFC 8484
// section 5.1). ok is unset where nothing says it.
func freshness(packed []byte) (seconds uint32, ok bool) {
	var m dns.Msg
	if m.Unpack(packed) != nil {
		return 0, false
	}
	section := m.Answer
	if len(section) == 0 {
		section = m.Ns
	}
	for i, rr := range section {
		ttl := rr.Header().Ttl
		if soa, is := rr.(*dns.SOA); is && len(m.Answer) == 0 {
			ttl = min(ttl, soa.Minttl)
		}
		if i == 0 || ttl < seconds {
			seconds = ttl
		}
	}
	return seconds, len(section) > 0
}
