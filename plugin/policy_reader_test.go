package fairlead

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// A policyFile is one file of testdata/policy: what it shows (comments), a zone in YAML, a line "---", then rows.
//
//	locate PREFIX [CONTINENT] [COUNTRY] [SUBDIVISION...] [ASN] [LATITUDE,LONGITUDE]
//	ask NAME TYPE [from ADDRESS] [ecs PREFIX] [when STATE, STATE...] -> WANT
//
// NAME is relative to the zone, @ is the apex. A STATE is a departure from a world in which all is up:
//
//	down|gone|suspect|pending|drained WHO  down: just now, gone: an hour ago
//	back WHO SECONDS [admitted|reloaded]   on its way back for so long; let in by a person, by a new file
//	gate POOL                              its gate is closed
//	weight WHO N                           an operator's override
//	reduced WHO PERCENT                    what the endpoint asks to be relieved of
//
// WHO is POOL, POOL/ENDPOINT, az=AZ or *; "for SERVICE" behind drained and weight leaves it to that service. WANT is all that the
// replies hold over a whole period of the sequence, with weights where they differ, the TTL, and on what ground it is answered.
type policyFile struct {
	path string
	// head is everything up to and with the line "---".
	head, zone string
	locator    policyLocator
	rows       []policyRow
}

// A policyRow is one line; text is what stands there when it is no question.
type policyRow struct {
	text        string
	line        int
	name, qtype string
	client      netip.Addr
	ecs         netip.Prefix
	states      []string
	want        string
}

// policyLocator knows networks; of several the last one counts.
type policyLocator []locatedNet

type locatedNet struct {
	prefix   netip.Prefix
	location *steer.Location
}

func (l policyLocator) Locate(a netip.Addr) *steer.Location {
	found := new(steer.Location)
	for _, n := range l {
		if n.prefix.Contains(a) {
			found = n.location
		}
	}
	return found
}

var continents = map[string]bool{"AF": true, "AN": true, "AS": true, "EU": true, "NA": true, "OC": true, "SA": true}

// locate reads a line "locate"; country codes that are also continents (NA, AF) cannot be told apart, and are taken for those.
func (f *policyFile) locate(words []string) error {
	prefix, err := netip.ParsePrefix(words[0])
	if err != nil {
		return err
	}
	l := &steer.Location{Bits: prefix.Bits()}
	for _, w := range words[1:] {
		lat, lon, point := strings.Cut(w, ",")
		asn, notNumber := strconv.ParseUint(w, 10, 32)
		switch {
		case point:
			l.HasPoint = true
			if _, err := fmt.Sscan(lat+" "+lon, &l.Latitude, &l.Longitude); err != nil {
				return err
			}
		case notNumber == nil:
			l.ASN = uint32(asn)
		case continents[w]:
			l.Continent = w
		case strings.Contains(w, "-"):
			l.Subdivisions = append(l.Subdivisions, w)
		case len(w) == 2:
			l.Country = w
		default:
			return fmt.Errorf("what is %q?", w)
		}
	}
	f.locator = append(f.locator, locatedNet{prefix, l})
	return nil
}

func (r *policyRow) parse(line string) (err error) {
	line, want, ok := strings.Cut(line, " ->")
	if !ok {
		return fmt.Errorf("a question has ->")
	}
	r.want = strings.TrimSpace(want)
	line, states, _ := strings.Cut(line, " when ")
	for s := range strings.SplitSeq(states, ",") {
		if s = strings.TrimSpace(s); s != "" {
			r.states = append(r.states, s)
		}
	}
	words := strings.Fields(line)
	if len(words) < 3 || words[0] != "ask" || len(words)%2 == 0 {
		return fmt.Errorf("want: ask NAME TYPE [from ADDRESS] [ecs PREFIX] [when STATE, STATE...] -> WANT")
	}
	r.name, r.qtype = words[1], words[2]
	for i := 3; i < len(words) && err == nil; i += 2 {
		switch words[i] {
		case "from":
			r.client, err = netip.ParseAddr(words[i+1])
		case "ecs":
			r.ecs, err = netip.ParsePrefix(words[i+1])
		default:
			err = fmt.Errorf("what is %q?", words[i])
		}
	}
	return err
}

func readPolicy(t *testing.T, path string) *policyFile {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	zone, rows, ok := strings.Cut(string(b), "\n---\n")
	require.True(t, ok, "%s: no line ---", path)
	f := &policyFile{path: path, head: zone + "\n---\n", zone: zone}
	first := strings.Count(f.head, "\n") + 1
	for i, line := range strings.Split(strings.TrimSuffix(rows, "\n"), "\n") {
		row := policyRow{text: line, line: first + i}
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "locate "):
			require.NoError(t, f.locate(strings.Fields(line)[1:]), "%s:%d: %s", path, row.line, line)
		default:
			require.NoError(t, row.parse(line), "%s:%d: %s", path, row.line, line)
		}
		f.rows = append(f.rows, row)
	}
	return f
}

// write puts the file back with the wanted values of its rows.
func (f *policyFile) write(t *testing.T) {
	t.Helper()
	var b strings.Builder
	b.WriteString(f.head)
	for _, r := range f.rows {
		if r.name != "" {
			before, _, _ := strings.Cut(r.text, " ->")
			r.text = before + " -> " + r.want
		}
		b.WriteString(r.text + "\n")
	}
	require.NoError(t, os.WriteFile(f.path, []byte(b.String()), 0o644))
}

func policies(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/policy/*.txt")
	require.NoError(t, err)
	return paths
}
