package fairlead

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A scenario is one file of testdata/timeline: what it shows (comments), a zone in YAML, a line "---", then rows.
//
//	at SECONDS ok|fail|silent WHO...     what probes find from now on: WHO is POOL, POOL/ENDPOINT, reference or *, a
//	                                     trailing @CHECK leaves one check of several
//	at SECONDS freeze|unfreeze|stop|start
//	at SECONDS config OLD => NEW         the zone file changes: OLD, which stands in it once, becomes NEW
//	at SECONDS ask NAME TYPE -> WANT     all records that 60 replies hold, with their weights where they differ, the TTL
//	                                     and on what ground they answer
//	at SECONDS state POOL -> WANT        each endpoint's state
//	at SECONDS share POOL -> WANT        what each service gives the pool, and its AZs, that are on their way back, in percent
//	at SECONDS drained NAME -> WANT      the endpoints that intents keep out of the service's answers
//	at SECONDS weights NAME -> WANT      the weights of the service's pools, and the overrides of its endpoints
//	at SECONDS intents -> WANT           what operators asked for, with its state
//
// Orders go to the engine; without -> they must be carried out:
//
//	at SECONDS ready|unready|failback POOL [-> WANT]
//	at SECONDS drain KIND NAME [for SECONDS|forever] [service NAME] [override RULE] [-> WANT]
//	at SECONDS weight POOL[/ENDPOINT] N [for ...] [service ...] [override ...] [-> WANT]
//	at SECONDS undrain KIND NAME         ends every drain of it; KIND weight ends its weights
//
// Probes run from 0.1 s on, an interval apart; a vantage that has a reference says so by a line "with reference".
type scenario struct {
	path string
	// head is everything up to and with the line "---".
	head, zone string
	reference  bool
	rows       []scenarioRow
}

// A scenarioRow is one line; text is what stands there when it is no row but a comment or empty.
type scenarioRow struct {
	text string
	line int
	at   time.Duration
	verb string
	args []string
	want string
	// asked is set when the row says what it wants.
	asked bool
}

// readScenario reads a file; what it does not understand fails the test.
func readScenario(t *testing.T, path string) *scenario {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	zone, rows, ok := strings.Cut(string(b), "\n---\n")
	require.True(t, ok, "%s: no line ---", path)
	s := &scenario{path: path, head: zone + "\n---\n", zone: zone}
	first := strings.Count(s.head, "\n") + 1
	for i, line := range strings.Split(strings.TrimSuffix(rows, "\n"), "\n") {
		row := scenarioRow{text: line, line: first + i}
		switch {
		case line == "with reference":
			s.reference = true
		case line != "" && !strings.HasPrefix(line, "#"):
			require.NoError(t, row.parse(line), "%s:%d: %s", path, row.line, line)
		}
		s.rows = append(s.rows, row)
	}
	return s
}

// verbs are the rows with the least number of arguments that each takes; those in questions have a wanted value.
var (
	verbs = map[string]int{
		"ok": 1, "fail": 1, "silent": 1, "freeze": 0, "unfreeze": 0, "stop": 0, "start": 0, "config": 3, "ask": 2, "state": 1,
		"share": 1, "drained": 1, "weights": 1, "intents": 0,
		"ready": 1, "unready": 1, "failback": 1, "drain": 2, "weight": 2, "undrain": 2, "force": 2,
	}
	questions = map[string]bool{"ask": true, "state": true, "share": true, "drained": true, "weights": true, "intents": true}
	orders    = map[string]bool{"ready": true, "unready": true, "failback": true, "drain": true, "weight": true, "undrain": true, "force": true}
)

func (r *scenarioRow) parse(line string) error {
	line, want, asked := strings.Cut(line, " ->")
	r.want, r.asked = strings.TrimSpace(want), asked
	words := strings.Fields(line)
	if len(words) < 3 || words[0] != "at" {
		return fmt.Errorf("want: at SECONDS EVENT")
	}
	seconds, err := strconv.ParseFloat(words[1], 64)
	if err != nil {
		return err
	}
	// Rows stand at tenths of a second: float64 is exact enough to round to them.
	r.at = time.Duration(seconds*10+0.5) * (time.Second / 10)
	r.verb, r.args = words[2], words[3:]
	least, known := verbs[r.verb]
	switch {
	case !known:
		return fmt.Errorf("unknown event %q", r.verb)
	case len(r.args) < least:
		return fmt.Errorf("%s takes %d arguments", r.verb, least)
	case asked != questions[r.verb] && !orders[r.verb]:
		return fmt.Errorf("%s: a question has ->, an event has not", r.verb)
	}
	if r.verb == "config" {
		_, change, _ := strings.Cut(line, "config ")
		old, new, ok := strings.Cut(change, " => ")
		if !ok {
			return fmt.Errorf("want: config OLD => NEW")
		}
		r.args = []string{strings.TrimSpace(old), strings.TrimSpace(new)}
	}
	return nil
}

// write puts the scenario back with the wanted values of its rows.
func (s *scenario) write(t *testing.T) {
	t.Helper()
	var b strings.Builder
	b.WriteString(s.head)
	for _, r := range s.rows {
		if r.asked {
			before, _, _ := strings.Cut(r.text, " ->")
			r.text = before + " -> " + r.want
		}
		b.WriteString(r.text + "\n")
	}
	require.NoError(t, os.WriteFile(s.path, []byte(b.String()), 0o644))
}

func TestScenarioRowsAreRead(t *testing.T) {
	for line, want := range map[string]string{
		"at 1":                         "want: at SECONDS EVENT",
		"at x fail eu":                 `strconv.ParseFloat: parsing "x": invalid syntax`,
		"at 1 explode eu":              `unknown event "explode"`,
		"at 1 ask www":                 "ask takes 2 arguments",
		"at 1 ask www A":               "ask: a question has ->, an event has not",
		"at 1 fail eu -> down":         "fail: a question has ->, an event has not",
		"at 1 config weight: 1 gone":   "want: config OLD => NEW",
		"at 0.3 ask www A -> NODATA":   "",
		"at 1 config weight: 1 => x":   "",
		"at 12.7 silent eu/a@db us *":  "",
		"at 5 state eu -> a up, b low": "",
		"at 5 drain az":                "drain takes 2 arguments",
		"at 5 drain az eu-a":           "",
		"at 5 drain az eu-a -> done":   "",
	} {
		var r scenarioRow
		if err := r.parse(line); want == "" {
			require.NoError(t, err, line)
		} else {
			require.EqualError(t, err, want, line)
		}
	}
	var r scenarioRow
	require.NoError(t, r.parse("at 12.7 ask www A -> 192.0.2.1 ttl 2"))
	require.Equal(t, scenarioRow{at: 12700 * time.Millisecond, verb: "ask", args: []string{"www", "A"}, want: "192.0.2.1 ttl 2", asked: true}, r)
}

// scenarios are all files of testdata/timeline.
func scenarios(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/timeline/*.txt")
	require.NoError(t, err)
	return paths
}
