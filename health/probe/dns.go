package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// maxAnswer is how many octets of an answer over TCP are read.
const maxAnswer = 16 << 10

// A dnsChecker asks one question and judges the answer. One datagram is sent: that a lost one counts as a failure is what
// fall is for. A truncated answer is asked for again over TCP, in the time that is left. Recursion is desired, so that
// resolvers can be probed as well as authoritative servers.
type dnsChecker struct {
	dial  *dialer
	check *config.DNSCheck
	// want is the RDATA to find in normal presentation format; empty for none.
	want string
}

func newDNSChecker(check *config.Check, dial *dialer) (checker, error) {
	if check.DNS == nil {
		return nil, errors.New("check has no DNS part")
	}
	c := &dnsChecker{dial: dial, check: check.DNS, want: check.DNS.Answer}
	if _, ok := dns.IsDomainName(check.DNS.Name); !ok {
		return nil, fmt.Errorf("name %q is no domain name", clip(check.DNS.Name, 80))
	}
	if c.want == "" {
		return c, nil
	}
	// As a record, so that "2001:DB8::0:1" finds 2001:db8::1.
	rr, err := dns.NewRR(". 0 IN " + dns.Type(c.check.QType).String() + " " + c.want)
	if err == nil && rr != nil {
		c.want = rdata(rr)
	}
	return c, nil
}

func (c *dnsChecker) probe(ctx context.Context, target health.Target, r *Result) {
	query := new(dns.Msg)
	query.SetQuestion(dns.Fqdn(c.check.Name), c.check.QType) // with a random id from crypto/rand
	packed, err := query.Pack()
	if err != nil {
		r.fail(because(Unsupported, "question: %v", err))
		return
	}
	exchange := c.overUDP
	if c.check.TCP {
		exchange = c.overTCP
	}
	answer, ok := exchange(ctx, target, query, packed, r)
	if ok && answer.Truncated && !c.check.TCP {
		answer, ok = c.overTCP(ctx, target, query, packed, r)
	}
	if ok {
		c.judge(answer, r)
	}
}

// overUDP sends the question and waits for its answer: anything else is passed over, for anybody may have sent it.
func (c *dnsChecker) overUDP(
	ctx context.Context, target health.Target, query *dns.Msg, packed []byte, r *Result,
) (*dns.Msg, bool) {
	l, ok := c.dial.open(ctx, "udp", target, r)
	if !ok {
		return nil, false
	}
	defer l.Close()
	start := time.Now()
	if _, err := l.Write(packed); err != nil {
		r.fail(dnsReason(err, target))
		return nil, false
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	var broken error
	for {
		n, err := l.Read(s.body[:])
		if err != nil {
			if broken != nil && timedOut(err) {
				r.fail(because(Protocol, "no answer within %v, but one that %v", target.Check.Timeout, broken))
			}
			r.fail(dnsReason(err, target))
			return nil, false
		}
		answer, err := c.parse(query, s.body[:n])
		if err == nil {
			r.Phases.FirstByte = time.Since(start)
			return answer, true
		}
		broken = err
	}
}

// overTCP does the same over TCP (RFC 1035 section 4.2.2), where the first message has to be the answer.
func (c *dnsChecker) overTCP(
	ctx context.Context, target health.Target, query *dns.Msg, packed []byte, r *Result,
) (*dns.Msg, bool) {
	conn, end, ok := connect(ctx, c.dial, nil, target, r)
	if !ok {
		return nil, false
	}
	defer end()
	m := newMeter(conn)
	m.left = 2 + maxAnswer
	defer func() { r.Phases.FirstByte = m.firstByte() }()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
		r.fail(dnsReason(err, target))
		return nil, false
	}
	var size [2]byte
	if _, err := io.ReadFull(m, size[:]); err != nil {
		r.fail(dnsReason(err, target))
		return nil, false
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if len(buf) > maxAnswer {
		r.fail(because(Protocol, "an answer of %d octets, more than %d", len(buf), maxAnswer))
		return nil, false
	}
	if _, err := io.ReadFull(m, buf); err != nil {
		r.fail(dnsReason(err, target))
		return nil, false
	}
	answer, err := c.parse(query, buf)
	if err != nil {
		r.fail(because(Protocol, "an answer that %v", err))
		return nil, false
	}
	return answer, true
}

// parse reads an answer and tells what makes it none of query's. A server that could not read the question may leave it
// out (RFC 9619 has it in all others).
func (c *dnsChecker) parse(query *dns.Msg, b []byte) (*dns.Msg, error) {
	answer := new(dns.Msg)
	// A truncated message may end in the middle of a record.
	if err := answer.Unpack(b); err != nil && !answer.Truncated {
		return nil, errors.New("cannot be read")
	}
	switch {
	case !answer.Response:
		return nil, errors.New("is no response")
	case answer.Id != query.Id:
		return nil, errors.New("has another id")
	case len(answer.Question) == 0 && answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
		return answer, nil
	case len(answer.Question) != 1:
		return nil, fmt.Errorf("has %d questions", len(answer.Question))
	}
	got, want := answer.Question[0], query.Question[0]
	if got.Qtype != want.Qtype || got.Qclass != want.Qclass || !strings.EqualFold(got.Name, want.Name) {
		return nil, fmt.Errorf("is to another question, %s %s", got.Name, dns.Type(got.Qtype))
	}
	return answer, nil
}

// judge compares the answer with what the check expects.
func (c *dnsChecker) judge(answer *dns.Msg, r *Result) {
	if answer.Rcode != c.check.RCode {
		r.fail(because(RCode, "answer %s, want %s", rcode(answer.Rcode), rcode(c.check.RCode)))
		return
	}
	var got []string
	for _, rr := range answer.Answer {
		if t := rr.Header().Rrtype; t == c.check.QType || c.check.QType == dns.TypeANY {
			got = append(got, rdata(rr))
		}
	}
	if c.check.Answered && len(got) == 0 {
		r.fail(because(NoRecord, "no %s record in the answer", dns.Type(c.check.QType)))
		return
	}
	if c.want == "" {
		return
	}
	if slices.ContainsFunc(got, func(s string) bool { return strings.EqualFold(s, c.want) || unquoted(s) == c.want }) {
		return
	}
	const most = 3
	what := "none"
	if len(got) > 0 {
		what = strings.Join(got[:min(len(got), most)], ", ")
	}
	if len(got) > most {
		what += fmt.Sprintf(" and %d more", len(got)-most)
	}
	r.fail(because(NoRecord, "no %s record %s in the answer, got %s", dns.Type(c.check.QType), clip(c.want, 80), what))
}

// rdata is rr's data in presentation format.
func rdata(rr dns.RR) string { return strings.TrimPrefix(rr.String(), rr.Header().String()) }

// unquoted is the text of a TXT record of one string.
func unquoted(s string) string {
	if t, err := strconv.Unquote(s); err == nil {
		return t
	}
	return s
}

func rcode(n int) string {
	if s, ok := dns.RcodeToString[n]; ok {
		return s
	}
	return "RCODE " + strconv.Itoa(n)
}

// dnsReason says why no answer came.
func dnsReason(err error, target health.Target) Reason {
	if timedOut(err) {
		return because(NoAnswer, "no answer within %v", target.Check.Timeout)
	}
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return because(Closed, "connection reset before the answer")
	}
	if ended(err) || errors.Is(err, io.ErrUnexpectedEOF) {
		return because(Closed, "connection closed before the answer")
	}
	if reason := dialReason(err, target); reason.Kind != Protocol {
		return reason
	}
	return because(Protocol, "protocol error: %v", root(err))
}
