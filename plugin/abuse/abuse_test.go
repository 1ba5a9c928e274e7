package abuse

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

func octets(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

// TestVectors are those of RFC 9018 appendix A.
func TestVectors(t *testing.T) {
	first, second, third := "e5e973e5a6b2a43f48e7dc849e37bfcf", "dd3bdf9344b678b185a6f5cb60fca715", "445536bcd2513298075a5d379663c962"
	for _, tt := range []struct{ name, secret, client, cookie, head, hash string }{
		{"A.1", first, "198.51.100.100", "2464c4abcf10c957", "010000005cf79f11", "1f8130c3eee29480"},
		{"A.2", first, "198.51.100.100", "2464c4abcf10c957", "010000005cf7a871", "d4a564a1442aca77"},
		{"A.3, reserved bits set", first, "203.0.113.203", "fc93fc62807ddb86", "01abcdef5cf78f71", "a314227b6679ebf5"},
		{"A.3, renewed", first, "203.0.113.203", "fc93fc62807ddb86", "010000005cf7a9ac", "f73a7810aca2381e"},
		{"A.4", second, "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298", "010000005cf7c579", "26556bd0934c72f8"},
		{"A.4, the next secret", third, "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298", "010000005cf7c609", "a6bb79d16625507a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := secretFrom([16]byte(octets(t, tt.secret)))
			h := s.hash([8]byte(octets(t, tt.cookie)), octets(t, tt.head), netip.MustParseAddr(tt.client))
			var got [8]byte
			for i := range got {
				got[i] = byte(h >> (8 * i))
			}
			require.Equal(t, tt.hash, hex.EncodeToString(got[:]))
		})
	}
}

func TestParseCookie(t *testing.T) {
	for n := range 60 {
		_, ok := ParseCookie(make([]byte, n))
		require.Equal(t, n == 8 || n >= 16 && n <= 40, ok, "%d octets", n)
	}
}

// TestCookies: what a cookie of one node is worth to another one, by time, address and secret.
func TestCookies(t *testing.T) {
	client, now := netip.MustParseAddr("192.0.2.7"), int64(20_000*secretLife+100)
	masters := [][]byte{[]byte("one"), []byte("two")}
	jar := NewJar(masters...)
	asked, ok := ParseCookie(octets(t, "0102030405060708"))
	require.True(t, ok)
	made, known := jar.Answer(&asked, client, now)
	require.False(t, known, "a client cookie alone shows nothing")
	shown, ok := ParseCookie(made[:])
	require.True(t, ok)
	changed := shown
	changed.client[3]++
	for _, tt := range []struct {
		name   string
		jar    *Jar
		cookie Cookie
		client string
		after  int64
		known  bool
		same   bool
	}{
		{"at once", jar, shown, "192.0.2.7", 0, true, true},
		{"another node of the cluster", NewJar(masters...), shown, "192.0.2.7", 0, true, true},
		{"another node, once the keys have changed places", NewJar(masters[1], masters[0]), shown, "192.0.2.7", 0, true, true},
		{"a node that lacks the key", NewJar(masters[1]), shown, "192.0.2.7", 0, false, false},
		{"a node with a secret of its own", NewJar(), shown, "192.0.2.7", 0, false, false},
		{"half an hour later", jar, shown, "192.0.2.7", cookieFresh, true, true},
		{"then it is replaced", jar, shown, "192.0.2.7", cookieFresh + 1, true, false},
		{"an hour later", jar, shown, "192.0.2.7", cookieLife, true, false},
		{"then it is worth nothing", jar, shown, "192.0.2.7", cookieLife + 1, false, false},
		{"a clock that is behind, over midnight", jar, shown, "192.0.2.7", -200, true, false},
		{"a clock that is wrong", jar, shown, "192.0.2.7", -cookieAhead - 1, false, false},
		{"another client", jar, shown, "192.0.2.8", 0, false, false},
		{"another client cookie", jar, changed, "192.0.2.7", 0, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, known := tt.jar.Answer(&tt.cookie, netip.MustParseAddr(tt.client), now+tt.after)
			require.Equal(t, tt.known, known)
			require.Equal(t, tt.same, out == made)
			require.Equal(t, tt.cookie.client[:], out[:8], "the client's cookie is echoed")
		})
	}
}

// TestLimiter: a network gets what it may, other networks and names are not touched, and a second of rest is a second's worth.
func TestLimiter(t *testing.T) {
	l := NewLimiter()
	r := &config.RRL{PerSecond: 5, Slip: 0, V4: 24, V6: 56, Exempt: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}
	now := int64(0)
	take := func(client, name string, n int) (sent int) {
		for i := range n {
			// Others of the network have a part of the same.
			a := netip.MustParseAddr(client)
			for range i % 3 {
				a = a.Next()
			}
			if l.Take(r, a, 0, []byte(name), now) == Send {
				sent++
			}
		}
		return sent
	}
	require.Equal(t, 5, take("192.0.2.1", "\x01a\x00", 50))
	require.Equal(t, 0, take("192.0.2.1", "\x01A\x00", 50), "upper case is the same name")
	require.Equal(t, 5, take("192.0.2.1", "\x01b\x00", 50), "another name")
	require.Equal(t, 5, take("192.0.3.1", "\x01a\x00", 50), "another network")
	require.Equal(t, 50, take("203.0.113.1", "\x01a\x00", 50), "exempt")
	require.Equal(t, 5, take("2001:db8::1", "\x01a\x00", 50))
	now += int64(time.Second) / 5
	require.Equal(t, 1, take("192.0.2.1", "\x01a\x00", 50))
	now += int64(time.Minute)
	require.Equal(t, 5, take("192.0.2.1", "\x01a\x00", 50), "rest is not saved for longer than a second")
	dropped, slipped := l.Counts()
	require.EqualValues(t, 45+50+45+45+45+49+45, dropped)
	require.Zero(t, slipped)
	r.Slip = 1
	require.Equal(t, Slip, l.Take(r, netip.MustParseAddr("192.0.2.1"), 0, []byte("\x01a\x00"), now))
	require.Equal(t, Send, l.Take(nil, netip.MustParseAddr("192.0.2.1"), 0, []byte("\x01a\x00"), now))
}

// TestLimiterRate: over a minute of four times the rate the rate goes out, and slips are one in Slip of the others.
func TestLimiterRate(t *testing.T) {
	l, r := NewLimiter(), &config.RRL{PerSecond: 100, Slip: 2, V4: 24, V6: 56}
	client, sent := netip.MustParseAddr("192.0.2.1"), 0
	for i := range 60 * 400 {
		if l.Take(r, client, 0, []byte("\x01a\x00"), int64(i)*int64(time.Second)/400) == Send {
			sent++
		}
	}
	require.InDelta(t, 60*100+100, sent, 100)
	dropped, slipped := l.Counts()
	require.InDelta(t, 0.5, float64(slipped)/float64(dropped+slipped), 0.03)
}

func BenchmarkAnswer(b *testing.B) {
	jar, client := NewJar([]byte("one")), netip.MustParseAddr("192.0.2.7")
	asked, _ := ParseCookie(make([]byte, 8))
	made, _ := jar.Answer(&asked, client, 1e9)
	shown, _ := ParseCookie(made[:])
	b.ReportAllocs()
	for b.Loop() {
		if _, known := jar.Answer(&shown, client, 1e9); !known {
			b.Fatal("not known")
		}
	}
}
