package round

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// What is told of hearing comes over, rounded to what is earlier, whatever is cut where.
func TestHeardRoundTrip(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		said := make(map[string]Hearing)
		names := make([]string, rng.IntN(200))
		for i := range names {
			names[i] = fmt.Sprintf("node-%d", i)
			if rng.IntN(4) > 0 {
				said[names[i]] = Hearing{
					Pulse{Boot{1, byte(i)}, time.Duration(rng.Int64N(int64(1000 * time.Hour))), time.Duration(rng.IntN(3)) * time.Minute},
					time.Duration(rng.Int64N(int64(time.Hour))),
				}
			}
		}
		pulse := Pulse{Boot{9}, 12*time.Second + 345*time.Microsecond, time.Minute}
		part := EncodeHeard(pulse, names, func(name string) Hearing { return said[name] })
		var heard HeardBy
		at := time.Now()
		for i := 0; i < len(part); i += BlockSize {
			if err := heard.Take(part[i:min(len(part), i+BlockSize)], at); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		pulse.Clock = 12 * time.Second
		if heard.Pulse != pulse || !heard.At.Equal(at) {
			t.Fatalf("seed %d: got %+v, want %+v", seed, heard.Pulse, pulse)
		}
		for _, name := range names {
			want, told := said[name]
			want.Clock, want.Age = want.Clock.Truncate(heardStep), want.Age.Truncate(heardStep)
			got, ok := heard.Of(name)
			if ok != told || ok && (got.Hearing != want || got.By != pulse || !got.At.Equal(at)) {
				t.Fatalf("seed %d: %s: got %+v (%v), want %+v", seed, name, got, ok, want)
			}
		}
	}
}

// What a run said is forgotten with the run.
func TestHeardOfAnotherRun(t *testing.T) {
	var heard HeardBy
	take := func(boot Boot, of string) {
		part := EncodeHeard(Pulse{Boot: boot}, []string{of}, func(string) Hearing { return Hearing{Pulse: Pulse{Boot: Boot{5}}} })
		if err := heard.Take(part, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	take(Boot{1}, "a")
	take(Boot{1}, "b")
	if _, ok := heard.Of("a"); !ok {
		t.Fatal("a later block of the run made it forget")
	}
	take(Boot{2}, "b")
	if _, ok := heard.Of("a"); ok {
		t.Fatal("the next run did not")
	}
}

func FuzzHeard(f *testing.F) {
	f.Add(EncodeHeard(Pulse{Boot{1}, time.Second, time.Minute}, []string{"a", "b"}, func(string) Hearing { return Hearing{Pulse: Pulse{Boot: Boot{2}}} }))
	f.Add([]byte{version, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var heard HeardBy
		if err := heard.Take(b, time.Now()); err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatal(err)
			}
			if len(heard.said) > 0 || heard.Boot != (Boot{}) {
				t.Fatal("half of it was taken")
			}
		}
	})
}
