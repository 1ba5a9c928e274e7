package round

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// What is told of services comes over, never with less time than remains, and a later telling takes the place of the earlier one.
func TestServicesRoundTrip(t *testing.T) {
	hash := config.Hash{3}
	var heard ServicesBy
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		said := make(map[pair]ServiceIssued)
		var all []ServiceIssued
		for n := 0; len(all) < int(seed)*3; n += 1 + rng.IntN(50) {
			s := ServiceIssued{Service: n / 10, Endpoint: n, Issued: Issued{
				Left: true, Remaining: time.Duration(rng.Int64N(int64(time.Hour))), Age: time.Duration(rng.Int64N(int64(time.Hour))), Epoch: Epoch{7, rng.Uint64N(1 << 40)},
			}}
			all = append(all, s)
			said[pair{s.Service, s.Endpoint}] = s
		}
		part := EncodeServices(hash, 7, all)
		shards := (len(part) + BlockSize - 1) / BlockSize
		at := time.Now()
		for i := range shards {
			if err := heard.Take(i, shards, part[i*BlockSize:min(len(part), (i+1)*BlockSize)], at); err != nil {
				t.Fatalf("seed %d: block %d of %d: %v", seed, i, shards, err)
			}
		}
		for n := range 300 * 50 {
			want, told := said[pair{n / 10, n}]
			got, when, ok := heard.Look(hash, n/10, n)
			if ok != told || ok && (!when.Equal(at) || got.Remaining < want.Remaining || got.Remaining > want.Remaining+issuedStep || got.Age > want.Age || got.Epoch != want.Epoch) {
				t.Fatalf("seed %d: endpoint %d: got %+v (%v), want %+v (%v)", seed, n, got, ok, want, told)
			}
			if _, _, ok := heard.Look(hash, n/10+1, n); ok {
				t.Fatalf("seed %d: endpoint %d is known of another service", seed, n)
			}
			if _, _, ok := heard.Look(config.Hash{1}, n/10, n); ok {
				t.Fatalf("seed %d: endpoint %d is known under another configuration", seed, n)
			}
		}
	}
}

func FuzzServices(f *testing.F) {
	f.Add(EncodeServices(config.Hash{1}, 7, []ServiceIssued{{Service: 3, Endpoint: 4, Issued: Issued{Left: true, Age: time.Second}}}), 0, 1)
	f.Add([]byte{version, 0, 0}, 1, 1)
	f.Fuzz(func(t *testing.T, b []byte, shard, shards int) {
		var heard ServicesBy
		if err := heard.Take(shard, shards, b, time.Now()); err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatal(err)
			}
			if len(heard.blocks) > 0 {
				t.Fatal("half of it was taken")
			}
		}
	})
}
