package round

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

func someStatus() Status {
	return Status{
		Version: "v1.2.3-rc1+linux", Config: config.Hash{1, 31: 2}, Plans: 1<<63 | 5, Intents: [16]byte{3, 15: 4}, Targets: ListHash{5, 7: 6},
		Generation: 1<<40 + 1, Uptime: 400 * 24 * time.Hour,
	}
}

func TestStatusRoundTrip(t *testing.T) {
	for i := range 1 << len(new(Flags).bits()) {
		s := someStatus()
		for k, on := range s.Flags.bits() {
			*on = i&(1<<k) != 0
		}
		got, err := ParseStatus(s.Encode())
		if err != nil || got != s {
			t.Fatalf("got %+v, %v, want %+v", got, err, s)
		}
	}
	s := Status{Version: strings.Repeat("v", 99), Uptime: -time.Second}
	got, err := ParseStatus(s.Encode())
	if err != nil || len(got.Version) != maxVersion || got.Uptime != 0 {
		t.Errorf("too long, too early: %+v, %v", got, err)
	}
	s.Uptime = 1<<63 - 1
	if got, err = ParseStatus(s.Encode()); err != nil || got.Uptime != (1<<32-1)*time.Second {
		t.Errorf("uptime of %v, %v", got.Uptime, err)
	}
}

func TestStatusOfOtherVersions(t *testing.T) {
	s := someStatus()
	good := s.Encode()
	with := func(i int, to byte) []byte {
		b := bytes.Clone(good)
		b[i] = to
		return b
	}
	for name, c := range map[string]struct {
		block []byte
		want  error
	}{
		"empty":                        {nil, ErrMalformed},
		"cut":                          {good[:len(good)-1], ErrMalformed},
		"head":                         {good[:statusFixed], ErrMalformed},
		"more of this minor version":   {append(bytes.Clone(good), 1), ErrMalformed},
		"more than a block":            {append(with(1, statusMinor+1), make([]byte, BlockSize)...), ErrMalformed},
		"long version":                 {append(with(statusFixed, 65), make([]byte, 65)...), ErrMalformed},
		"another major version":        {with(0, version+1), ErrVersion},
		"more of a later minor":        {append(with(1, statusMinor+1), 1, 2, 3), nil},
		"a flag that is not known yet": {with(2, 0x80), nil},
	} {
		got, err := ParseStatus(c.block)
		if !errors.Is(err, c.want) || err == nil && got != s {
			t.Errorf("%s: %+v, %v, want %v", name, got, err, c.want)
		}
	}
}

func FuzzStatus(f *testing.F) {
	s := someStatus()
	f.Add(s.Encode())
	f.Add(append([]byte{version, 9}, s.Encode()[2:]...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseStatus(b)
		if err != nil {
			return
		}
		if again, err := ParseStatus(s.Encode()); err != nil || again != s {
			t.Fatalf("got %+v, %v, want %+v", again, err, s)
		}
	})
}
