package abuse

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"github.com/dchest/siphash"
)

const (
	// clientLen is the length of a client cookie, serverLen that of a server cookie of ours (RFC 9018 section 4).
	clientLen = 8
	serverLen = 16
	// CookieLen is the length of both together.
	CookieLen = clientLen + serverLen
	// The least and the greatest length of a server cookie of anybody (RFC 7873 section 4).
	minServerLen, maxServerLen = 8, 32
	// cookieVersion is the first octet of a server cookie.
	cookieVersion = 1
	// A server cookie is good for cookieLife seconds, and cookieAhead before it was made: clocks of a cluster differ. It is replaced
	// once it is older than cookieFresh (RFC 9018 section 4.3).
	cookieLife, cookieAhead, cookieFresh = 3600, 300, 1800
	// secretLife is for how many seconds cookies are made with one secret.
	secretLife = 86400
)

// A Cookie is the COOKIE option of a query.
type Cookie struct {
	// Present is set when there is one.
	Present bool
	client  [clientLen]byte
	// server is the server cookie, of which a query has size octets; 0 for none.
	server [serverLen]byte
	size   uint8
}

// ParseCookie reads the data of a COOKIE option. ok is unset for a length that RFC 7873 section 5.2.2 wants refused.
func ParseCookie(data []byte) (c Cookie, ok bool) {
	n := len(data) - clientLen
	if n != 0 && (n < minServerLen || n > maxServerLen) {
		return c, false
	}
	c.Present, c.size = true, uint8(n)
	copy(c.client[:], data)
	copy(c.server[:], data[clientLen:])
	return c, true
}

// A secret is the key of SipHash-2-4.
type secret struct{ k0, k1 uint64 }

// A Jar makes and knows server cookies. Its secrets are made of masters, which a cluster shares, and replaced every day at midnight: all
// nodes know each other's cookies, and those of the day before for as long as they are good.
type Jar struct{ p atomic.Pointer[jarState] }

type jarState struct {
	masters [][]byte
	// day is that of days[1]; the others are the day before and the day after.
	day  int64
	days [3][]secret
}

// NewJar makes a jar. Without masters it makes one of its own, which nobody else knows.
func NewJar(masters ...[]byte) *Jar {
	j := new(Jar)
	j.SetMasters(masters)
	return j
}

// SetMasters replaces the masters. The first makes cookies, and all know them. No masters leave those that there are.
func (j *Jar) SetMasters(masters [][]byte) {
	if len(masters) == 0 {
		if j.p.Load() != nil {
			return
		}
		own := make([]byte, 32)
		_, _ = rand.Read(own)
		masters = [][]byte{own}
	}
	j.p.Store(newJarState(masters, 0))
}

func newJarState(masters [][]byte, day int64) *jarState {
	s := &jarState{masters: masters, day: day}
	for i := range s.days {
		for _, m := range masters {
			s.days[i] = append(s.days[i], secretOf(m, day-1+int64(i)))
		}
	}
	return s
}

// secretOf is the secret of a day.
func secretOf(master []byte, day int64) secret {
	h := sha256.New()
	h.Write([]byte("fairlead dns cookie"))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(day)))
	h.Write(master)
	return secretFrom([16]byte(h.Sum(nil)))
}

func secretFrom(b [16]byte) secret {
	return secret{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
}

// secrets are those of the day of an instant, in seconds; nil if that is neither today nor a day beside it.
func (j *Jar) secrets(at, now int64) []secret {
	s := j.p.Load()
	if day := now / secretLife; s.day != day {
		next := newJarState(s.masters, day)
		// Who comes later, or with other masters, has the same or newer ones.
		j.p.CompareAndSwap(s, next)
		s = next
	}
	i := at/secretLife - s.day + 1
	if i < 0 || i > 2 {
		return nil
	}
	return s.days[i]
}

// Answer is the COOKIE option of the reply to a client at an address, and whether the one of its query shows that the client is there. now
// is in seconds since 1970.
func (j *Jar) Answer(c *Cookie, client netip.Addr, now int64) (out [CookieLen]byte, known bool) {
	copy(out[:], c.client[:])
	if c.size == serverLen && c.server[0] == cookieVersion {
		// Serial number arithmetic, since the stamp has 32 bits (RFC 1982).
		age := int64(int32(uint32(now) - binary.BigEndian.Uint32(c.server[4:])))
		if age <= cookieLife && age >= -cookieAhead {
			for _, s := range j.secrets(now-age, now) {
				if known = s.hash(c.client, c.server[:8], client) == binary.LittleEndian.Uint64(c.server[8:]); known {
					break
				}
			}
		}
		if known && age <= cookieFresh && age >= 0 {
			copy(out[clientLen:], c.server[:])
			return out, true
		}
	}
	server := out[clientLen:]
	server[0] = cookieVersion
	binary.BigEndian.PutUint32(server[4:], uint32(now))
	binary.LittleEndian.PutUint64(server[8:], j.secrets(now, now)[0].hash(c.client, server[:8], client))
	return out, known
}

// hash is that of RFC 9018 section 4.4. head is version, reserved octets and time stamp.
func (s secret) hash(client [clientLen]byte, head []byte, addr netip.Addr) uint64 {
	var buf [clientLen + 8 + 16]byte
	n := copy(buf[:], client[:])
	n += copy(buf[n:], head[:8])
	if addr.Is4() {
		a := addr.As4()
		n += copy(buf[n:], a[:])
	} else if addr.IsValid() {
		a := addr.As16()
		n += copy(buf[n:], a[:])
	}
	return siphash.Hash(s.k0, s.k1, buf[:n])
}
