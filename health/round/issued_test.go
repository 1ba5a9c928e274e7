package round

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// What is told is heard: never less time than remains, never an older last answer, whatever is cut where.
func TestIssuedRoundTrip(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n := rng.IntN(30_000)
		all := make([]Issued, n)
		many := rng.IntN(3) == 0
		for i := range all {
			switch k := rng.IntN(100); {
			case k < 20:
				all[i] = Issued{Left: true, Age: time.Hour}
			case k < 22 || many && k < 80:
				all[i] = Issued{
					Left: true, Remaining: time.Duration(rng.Int64N(int64(time.Hour))), Age: time.Duration(rng.Int64N(int64(time.Hour))),
					Epoch: Epoch{7, rng.Uint64N(1 << 40)},
				}
			}
		}
		hash := config.Hash{byte(seed), 7}
		part := EncodeIssued(hash, 7, n, func(i int) Issued { return all[i] })
		shards := max(1, (len(part)+BlockSize-1)/BlockSize)
		var heard IssuedBy
		at := time.Now()
		for i := range shards {
			if err := heard.Take(i, shards, part[i*BlockSize:min(len(part), (i+1)*BlockSize)], at); err != nil {
				t.Fatalf("seed %d: block %d of %d: %v", seed, i, shards, err)
			}
		}
		for i, want := range all {
			got, when, ok := heard.Look(hash, i)
			if !ok || !when.Equal(at) || got.Left != want.Left || got.Remaining < want.Remaining || got.Remaining > want.Remaining+issuedStep ||
				got.Age > want.Age || !want.gone() && got.Epoch != want.Epoch {
				t.Fatalf("seed %d: endpoint %d of %d: got %+v (%v), want %+v", seed, i, n, got, ok, want)
			}
			if _, _, ok := heard.Look(config.Hash{1, 2, 3}, i); ok {
				t.Fatalf("seed %d: endpoint %d is known under another configuration", seed, i)
			}
		}
		if _, _, ok := heard.Look(hash, n); ok {
			t.Fatalf("seed %d: an endpoint behind the last is known", seed)
		}
	}
}

// A later telling in fewer blocks takes the place of the earlier one.
func TestIssuedShrinks(t *testing.T) {
	hash := config.Hash{1}
	tell := func(heard *IssuedBy, at time.Time, say func(int) Issued) {
		part := EncodeIssued(hash, 7, 9000, say)
		shards := (len(part) + BlockSize - 1) / BlockSize
		for i := range shards {
			if err := heard.Take(i, shards, part[i*BlockSize:min(len(part), (i+1)*BlockSize)], at); err != nil {
				t.Fatal(err)
			}
		}
	}
	var heard IssuedBy
	at := time.Now()
	tell(&heard, at, func(int) Issued { return Issued{Left: true, Remaining: time.Minute} })
	tell(&heard, at.Add(time.Second), func(int) Issued { return Issued{} })
	for i := range 9000 {
		if said, when, ok := heard.Look(hash, i); !ok || said.Left || !when.Equal(at.Add(time.Second)) {
			t.Fatalf("endpoint %d: got %+v at %s (%v), want it served, at the second telling", i, said, when, ok)
		}
	}
}

func FuzzIssued(f *testing.F) {
	f.Add(EncodeIssued(config.Hash{1}, 7, 20, func(i int) Issued { return Issued{Left: i%2 == 0, Remaining: time.Duration(i) * time.Second} }))
	f.Add(EncodeIssued(config.Hash{1}, 7, 0, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var heard IssuedBy
		err := heard.Take(0, 1, b, time.Now())
		if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
			t.Fatalf("got %v, want it malformed or of another version", err)
		}
		var hash config.Hash
		copy(hash[:], b[min(1, len(b)):])
		for i := range 100 {
			if said, _, _ := heard.Look(hash, i); said.Remaining < 0 || said.Age < 0 {
				t.Fatalf("endpoint %d: %+v", i, said)
			}
		}
	})
}
