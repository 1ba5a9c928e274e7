package feed

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/feed/wire"
)

const (
	// maxMessage is the longest DNS message, and the longest body that is read.
	maxMessage = dns.MaxMsgSize
	// writeTimeout is how long a message may take to be written: so long a departure waits for those who are slow.
	writeTimeout = time.Second
	mediaDNS     = "application/dns-message"
	mediaJSON    = "application/json"
	// mediaResolution is that of RFC 8427.
	mediaResolution = "application/dns+json"
)

// handler is what answers over HTTP.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+wire.ResolvePath, s.resolve)
	mux.HandleFunc("GET "+wire.WatchPath, s.watch)
	mux.HandleFunc("POST "+wire.AckPath, s.ack)
	mux.HandleFunc("GET "+wire.QueryPath, s.query)
	mux.HandleFunc("POST "+wire.QueryPath, s.query)
	admitted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		now := time.Now()
		if no := s.admit(r.RemoteAddr, certified(r, now), r.Header.Values("Authorization"), now); no != nil {
			s.metrics.refused(no.why)
			if no.retry > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(no.retry.Seconds()))))
			}
			if no.status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Bearer realm="fairlead"`)
			}
			fail(w, no.status, no.detail)
			return
		}
		mux.ServeHTTP(w, r)
	})
	// A page of somebody else acknowledges nothing.
	return http.NewCrossOriginProtection().Handler(admitted)
}

// fail answers with what is wrong.
func fail(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", mediaJSON)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A client that is gone is told nothing.
	_ = json.NewEncoder(w).Encode(wire.Failure{Error: detail})
}

// errShut says that this node does not answer for services now.
var errShut = errors.New("this node does not answer for services now: ask another one")

// clientOf is whom a request is for: who asks, or the address that it names.
func clientOf(r *http.Request) (c client, err error) {
	c.addr, c.stripe = addressOf(r.RemoteAddr)
	values := r.URL.Query()["client"]
	if len(values) == 0 {
		return c, nil
	}
	a, err := netip.ParseAddr(values[0])
	if err != nil || len(values) > 1 {
		return c, fmt.Errorf("no address: client=%q", cut(values[0]))
	}
	c.addr = a.Unmap().WithZone("")
	return c, nil
}

// resolve answers one question in JSON.
func (s *Server) resolve(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	n, err := parseName(values.Get("name"))
	typ, typeErr := parseType(values.Get("type"))
	c, clientErr := clientOf(r)
	if err := errors.Join(err, typeErr, clientErr); err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	all := values.Get("set") == "all"
	if set := values.Get("set"); set != "" && !all {
		fail(w, http.StatusBadRequest, "set: want all, or nothing")
		return
	}
	q := s.question(n, typ, c)
	lease := s.opts.Source.Enter(c.stripe)
	defer lease.Leave()
	snap := lease.Snapshot
	if snap == nil || q.Shut {
		s.shut(w)
		return
	}
	var issued answer.Issued
	q.Issued = &issued
	at := time.Now()
	g, steered := snap.Give(&q, at)
	out := &resolution{server: s, name: n, all: all && steered, at: at, issued: &issued}
	if steered {
		out.given = &g
		etag := strconv.Quote(etagOf(&g))
		w.Header().Set("ETag", etag)
		w.Header().Set("Cache-Control", fmt.Sprintf("private, max-age=%d", g.TTL))
		w.Header().Set("Expires", expiry(at, g.TTL).Format(http.TimeFormat))
		if match := r.Header.Values("If-None-Match"); lists(match, etag) {
			// What the client has of it, which may be all, holds for longer.
			out.all = true
			s.send(w, lease, out, http.StatusNotModified, nil)
			return
		}
	}
	packed, info, ours := snap.AppendAt(nil, &q, at)
	if !ours {
		fail(w, http.StatusNotFound, "no zone of this node has "+n.text)
		return
	}
	if info.Outcome == answer.Shut {
		s.shut(w)
		return
	}
	body, err := out.encode(packed)
	if err != nil {
		s.opts.Logger.Error("answer not encoded", "name", n.text, "err", err)
		fail(w, http.StatusInternalServerError, "not encoded")
		return
	}
	w.Header().Set("Content-Type", mediaResolution)
	s.send(w, lease, out, http.StatusOK, body)
}

// shut says that another node is to be asked.
func (s *Server) shut(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	fail(w, http.StatusServiceUnavailable, errShut.Error())
}

// A resolution is one reply in the making.
type resolution struct {
	server *Server
	name   name
	at     time.Time
	given  *answer.Given
	// all is set where all of given is told, or renewed.
	all    bool
	issued *answer.Issued
}

// send writes a reply and stamps what it carries, before the lease ends: who waits for that finds everything stamped. What the write came to
// plays no part: it may have gone out all the same.
func (s *Server) send(w http.ResponseWriter, lease answer.Lease, out *resolution, status int, body []byte) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, shut := s.opts.Source.Terms(); shut {
		// The node's lease ended while the answer was made, in a process that stood still.
		out.issued.Clear()
		for _, key := range []string{"ETag", "Expires"} {
			w.Header().Del(key)
		}
		s.shut(w)
		return
	}
	s.metrics.answers.Inc()
	w.WriteHeader(status)
	_, _ = w.Write(body)
	_ = control.Flush()
	s.stamp(lease, out)
}

// stamp notes what out carries.
func (s *Server) stamp(lease answer.Lease, out *resolution) {
	book := lease.Snapshot.Ledger()
	s.workers.use(book, func(worker *ledger.Worker) {
		now := book.Now()
		if out.all && out.given != nil {
			out.given.Stamp(worker, now, out.given.TTL)
		}
		if !out.issued.Empty() {
			out.issued.Stamp(worker, now)
		}
	})
}

// encode is the reply in JSON.
func (o *resolution) encode(packed []byte) ([]byte, error) {
	var m dns.Msg
	if err := m.Unpack(packed); err != nil {
		return nil, err
	}
	q := m.Question[0]
	out := wire.Resolution{
		AA: bit(m.Authoritative), TC: bit(m.Truncated), RCODE: m.Rcode, QNAME: o.name.text, QTYPE: q.Qtype, QTYPEname: typeName(q.Qtype), QCLASS: q.Qclass,
		Answer: []wire.RR{},
	}
	var err error
	if out.Answer, err = records(out.Answer, m.Answer); err != nil {
		return nil, err
	}
	if out.Authority, err = records(nil, m.Ns); err != nil {
		return nil, err
	}
	if o.given != nil {
		g := o.server.given(o.name, o.given, o.at)
		if !o.all {
			g.Sets = nil
		}
		out.Given = &g
	}
	b, err := json.Marshal(&out)
	return append(b, '\n'), err
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// typeName is the type in words; RFC 3597 has those that nobody knows.
func typeName(t uint16) string { return dns.Type(t).String() }

// records adds those of a section.
func records(out []wire.RR, section []dns.RR) ([]wire.RR, error) {
	for _, rr := range section {
		h := rr.Header()
		var raw dns.RFC3597
		if err := raw.ToRFC3597(rr); err != nil {
			return nil, err
		}
		rdata, err := hex.DecodeString(raw.Rdata)
		if err != nil {
			return nil, err
		}
		text := strings.TrimPrefix(rr.String(), h.String())
		out = append(out, wire.RR{
			Name: h.Name, Type: h.Rrtype, TypeName: typeName(h.Rrtype), Class: h.Class, TTL: h.Ttl, Wire: rdata, Data: text,
		})
	}
	return out, nil
}

// lists tells whether a header If-None-Match names etag.
func lists(header []string, etag string) bool {
	for item := range strings.SplitSeq(strings.Join(header, ","), ",") {
		if item = strings.TrimPrefix(strings.TrimSpace(item), "W/"); item == "*" || item == etag {
			return true
		}
	}
	return false
}
