package integration

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// silence is a wanted reply that does not come.
const silence = -1

// packet is a query by its parts, in hexadecimal.
func packet(t *testing.T, parts ...string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
	require.NoError(t, err)
	return b
}

// TestMalformedPackets sends what no honest client sends: an RFC answer or silence, never a panic, and the next honest
// query is answered as ever.
func TestMalformedPackets(t *testing.T) {
	metrics := fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))
	text := strings.Replace(corefile, "errors", "errors\n\tprometheus "+metrics, 1)
	p := startServe(t, true, text, map[string]string{"storm.yaml": stormZone(0)})
	await(t, "the first answer", func() bool {
		m, _, err := ask("udp", p.dns, stormName, dns.TypeA)
		return err == nil && len(m.Answer) == 1
	})
	const (
		www = "03777777 0573746f726d 076578616d706c65 036f7267 00"
		inA = "0001 0001"
		// The key "k", hmac-sha256., 32 octets of MAC.
		tsig = "016b00 00fa 00ff 00000000 003d 0b686d61632d73686132353600 000065f00000 012c 0020 " +
			"0000000000000000000000000000000000000000000000000000000000000000 abcd 0000 0000"
		opt  = "00 0029 04d0 00000000 0000"
		head = "abcd 0000 0001 0000 0000 0000"
	)
	for _, tt := range []struct {
		name  string
		query []byte
		want  int
	}{
		{"honest", packet(t, head, www, inA), dns.RcodeSuccess},
		{"one octet", packet(t, "ab"), silence},
		{"half a header", packet(t, "abcd 0000 0001"), silence},
		{"a response", packet(t, "abcd 8400 0001 0000 0000 0000", www, inA), silence},
		{"no question", packet(t, "abcd 0000 0000 0000 0000 0000"), dns.RcodeFormatError},
		{"two questions", packet(t, "abcd 0000 0002 0000 0000 0000", www, inA, www, inA), dns.RcodeFormatError},
		{"65,535 questions", packet(t, "abcd 0000 ffff 0000 0000 0000", www, inA), dns.RcodeFormatError},
		{"question cut short", packet(t, head, "03777777 0573"), dns.RcodeFormatError},
		{"question without type", packet(t, head, www), dns.RcodeFormatError},
		{"a count of answers that lies", packet(t, "abcd 0000 0001 0001 0000 0000", www, inA), dns.RcodeFormatError},
		{"a count of additional records that lies", packet(t, "abcd 0000 0001 0000 0000 0002", www, inA, opt), dns.RcodeFormatError},
		{"octets behind the last record", packet(t, head, www, inA, "00"), dns.RcodeFormatError},
		{"two OPTs", packet(t, "abcd 0000 0001 0000 0000 0002", www, inA, opt, opt), dns.RcodeFormatError},
		{"OPT among the answers", packet(t, "abcd 0000 0001 0001 0000 0000", www, inA, opt), dns.RcodeFormatError},
		{"OPT with a name", packet(t, "abcd 0000 0001 0000 0000 0001", www, inA, "0161", opt), dns.RcodeFormatError},
		{"client subnet of too few octets", packet(t, "abcd 0000 0001 0000 0000 0001", www, inA, "00 0029 04d0 00000000 000a 0008 0006 0001 18 00 c633"), dns.RcodeFormatError},
		{"client subnet of too many octets", packet(t, "abcd 0000 0001 0000 0000 0001", www, inA, "00 0029 04d0 00000000 000c 0008 0008 0001 18 00 c6336400"), dns.RcodeFormatError},
		{"cookie of 7 octets", packet(t, "abcd 0000 0001 0000 0000 0001", www, inA, "00 0029 04d0 00000000 000b 000a 0007 01020304050607"), dns.RcodeFormatError},
		{"cookie of 12 octets", packet(t, "abcd 0000 0001 0000 0000 0001", www, inA, "00 0029 04d0 00000000 0010 000a 000c 010203040506070809101112"), dns.RcodeFormatError},
		{"TSIG of a key that nobody has", packet(t, "abcd 0000 0001 0000 0000 0001", www, inA, tsig), dns.RcodeNotAuth},
		{"TSIG that is not the last", packet(t, "abcd 0000 0001 0000 0000 0002", www, inA, tsig, opt), dns.RcodeFormatError},
		{"name that points to itself", packet(t, head, "c00c", inA), dns.RcodeFormatError},
		{"label of 64", packet(t, head, "40", strings.Repeat("61", 64), "00", inA), dns.RcodeFormatError},
		{"name over 255", packet(t, head, strings.Repeat("3f"+strings.Repeat("61", 63), 5), "00", inA), dns.RcodeFormatError},
		{"opcode IQUERY", packet(t, "abcd 0800 0001 0000 0000 0000", www, inA), dns.RcodeNotImplemented},
		{"opcode UPDATE", packet(t, "abcd 2800 0001 0000 0000 0000", www, inA), dns.RcodeNotImplemented},
		{"opcode 15", packet(t, "abcd 7800 0001 0000 0000 0000", www, inA), dns.RcodeNotImplemented},
		{"class CH", packet(t, head, www, "0010 0003"), dns.RcodeRefused},
		{"class 4711", packet(t, head, www, "0001 1267"), dns.RcodeRefused},
		{"AXFR over UDP", packet(t, head, www, "00fc 0001"), dns.RcodeRefused},
		{"another zone", packet(t, head, "03777777 076578616d706c65 036e6574 00", inA), dns.RcodeRefused},
		{"EDNS cut short", packet(t, "abcd 0000 0001 0000 0000 0001", www, inA, "00 0029 04d0 0000"), dns.RcodeFormatError},
		{"EDNS longer than the packet", packet(t, "abcd 0000 0001 0000 0000 0001", www, inA, "00 0029 04d0 00000000 00ff"), dns.RcodeFormatError},
		{"EDNS version 1", packet(t, "abcd 0000 0001 0000 0000 0001", www, inA, "00 0029 04d0 00010000 0000"), dns.RcodeBadVers & 0xf},
		{"EDNS", packet(t, "abcd 0000 0001 0000 0000 0001", www, inA, opt), dns.RcodeSuccess},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reply := exchangeRaw(t, p.dns, tt.query, tt.want == silence)
			if tt.want == silence {
				require.Nil(t, reply)
				return
			}
			require.GreaterOrEqual(t, len(reply), 12)
			require.Equal(t, tt.query[:2], reply[:2], "id")
			require.Equal(t, tt.want, int(reply[3]&0xf), "rcode of %x", reply)
		})
	}
	t.Run("10,000 random packets", func(t *testing.T) { sendGarbage(t, p.dns, packet(t, head, www, inA)) })
	m, _, err := ask("udp", p.dns, stormName, dns.TypeA)
	require.NoError(t, err)
	require.Len(t, m.Answer, 1)
	require.Zero(t, metric(t, scrape(metrics), "coredns_panics_total"))
}

// exchangeRaw sends b and returns the reply; nil if none comes in the short time that silence is given.
func exchangeRaw(t *testing.T, server string, b []byte, expectSilence bool) []byte {
	t.Helper()
	c, err := net.Dial("udp", server)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write(b)
	require.NoError(t, err)
	wait := 10 * time.Second
	if expectSilence {
		wait = 300 * time.Millisecond
	}
	require.NoError(t, c.SetReadDeadline(time.Now().Add(wait)))
	buf := make([]byte, dns.MaxMsgSize)
	n, err := c.Read(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	require.NoError(t, err)
	return buf[:n]
}

// sendGarbage sends honest queries with a few octets changed and some cut short, from a fixed seed, and reads whatever
// comes back so that nothing piles up.
func sendGarbage(t *testing.T, server string, honest []byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	c, err := net.Dial("udp", server)
	require.NoError(t, err)
	defer c.Close()
	buf := make([]byte, dns.MaxMsgSize)
	for range 10000 {
		b := append([]byte(nil), honest...)
		for range 1 + r.IntN(4) {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		if r.IntN(4) == 0 {
			b = b[:r.IntN(len(b))]
		}
		_, err := c.Write(b)
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(100*time.Microsecond)))
		_, _ = c.Read(buf)
	}
}
