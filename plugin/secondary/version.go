package secondary

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// maxSteps is how many changes of a zone are kept for IXFR, and maxStepRecords how many records they have together.
const (
	maxSteps       = 200
	maxStepRecords = 100_000
)

// A zone is one view, with its serial. It is not changed once it is handed out.
type zone struct {
	Serial uint32   `json:"serial"`
	Hash   [32]byte `json:"hash"`
	// soa and rrs are nil until the zone has been looked at since the process began.
	soa *dns.SOA
	rrs []dns.RR
	// steps are the latest changes, the oldest first.
	steps []step
}

// A step is what changed from one serial to the next.
type step struct {
	from, to      *dns.SOA
	removed, more []dns.RR
}

// next is the view of a zone in s. z is the one before; nil for none.
func (z *zone) next(s *answer.Snapshot, cfg *config.Zone, now time.Time) *zone {
	soa, rrs := s.Transfer(cfg.Name)
	texts := make([]string, len(rrs))
	byText := make(map[string]dns.RR, len(rrs))
	for i, rr := range rrs {
		texts[i] = rr.String()
		byText[texts[i]] = rr
	}
	slices.Sort(texts)
	h := sha256.New()
	soa.Serial = 0
	fmt.Fprintln(h, soa)
	for _, text := range texts {
		fmt.Fprintln(h, text)
	}
	out := &zone{Hash: [32]byte(h.Sum(nil)), soa: soa, rrs: rrs}
	switch {
	case z != nil && z.Hash == out.Hash && greaterSerial(z.Serial, cfg.SOA.Serial, !cfg.SOA.SerialMade) == z.Serial:
		out.Serial, out.steps = z.Serial, z.steps
	case z == nil:
		out.Serial = greaterSerial(uint32(now.Unix()), cfg.SOA.Serial, !cfg.SOA.SerialMade)
	default:
		out.Serial = z.Serial + 1
		if clock := uint32(now.Unix()); newerSerial(clock, out.Serial) {
			out.Serial = clock
		}
		out.Serial = greaterSerial(out.Serial, cfg.SOA.Serial, !cfg.SOA.SerialMade)
	}
	soa.Serial = out.Serial
	if z != nil && z.soa != nil && z.Serial != out.Serial {
		out.steps = append(slices.Clone(z.steps), stepOf(z, out, byText))
		out.forget()
	}
	return out
}

// greaterSerial is the greater of serial and, where the file gives one, that.
func greaterSerial(serial, file uint32, given bool) uint32 {
	if given && newerSerial(file, serial) {
		return file
	}
	return serial
}

// newerSerial tells whether a is newer than b (RFC 1982).
func newerSerial(a, b uint32) bool { return int32(a-b) > 0 }

// stepOf is what changed from was to is, whose records are byText.
func stepOf(was, is *zone, byText map[string]dns.RR) step {
	s := step{from: was.soa, to: is.soa}
	had := make(map[string]bool, len(was.rrs))
	for _, rr := range was.rrs {
		text := rr.String()
		if had[text] = true; byText[text] == nil {
			s.removed = append(s.removed, rr)
		}
	}
	for _, rr := range is.rrs {
		if !had[rr.String()] {
			s.more = append(s.more, rr)
		}
	}
	return s
}

// forget drops the oldest steps beyond what is kept.
func (z *zone) forget() {
	records, at := 0, len(z.steps)
	for at > 0 && len(z.steps)-at < maxSteps {
		s := &z.steps[at-1]
		if records += len(s.removed) + len(s.more); records > maxStepRecords {
			break
		}
		at--
	}
	z.steps = z.steps[at:]
}

// records are what somebody gets who has a serial; 0 for nothing.
func (z *zone) records(serial uint32) []dns.RR {
	switch {
	case serial != 0 && !newerSerial(z.Serial, serial):
		return []dns.RR{z.soa}
	case serial != 0:
		for i := range z.steps {
			if z.steps[i].from.Serial != serial {
				continue
			}
			// RFC 1995 section 4.
			out := []dns.RR{z.soa}
			for _, s := range z.steps[i:] {
				out = append(append(append(append(out, s.from), s.removed...), s.to), s.more...)
			}
			return append(out, z.soa)
		}
	}
	return append(append([]dns.RR{z.soa}, z.rrs...), z.soa)
}
