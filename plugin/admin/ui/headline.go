package ui

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// maxCauses is how many causes the headline has; the API has them all.
const maxCauses = 5

// A headline says how things stand: the causes of the API, the worst first.
type headline struct {
	Mark mark
	saying
	// More are further causes, Hidden counts those that are not listed.
	More   []saying
	Hidden int
	// Effect says what clients get all the same, Caches when caches forget what left the answers, in the API's words.
	Effect string
	Caches *api.Forgetting
}

// A saying is a cause as a page says it. Since when it is so stands beside the text, which then is the same for as long as that is: a page
// that says how many seconds it has been would be another one each second, for all that look at it.
type saying struct {
	Text, State string
	Since       *time.Time
}

// sinceWords end a text that says for how long.
var sinceWords = regexp.MustCompile(` since \d+[a-z0-9 ]*$`)

func sayingOf(c *api.Cause) saying {
	s := saying{Text: sentence(c.Text), State: c.State}
	if at := sinceWords.FindStringIndex(c.Text); at != nil && c.Since != nil {
		s.Text, s.Since = strings.TrimSuffix(sentence(c.Text[:at[0]]), "."), c.Since
	}
	return s
}

// headlineOf says what an operator has to know first.
func headlineOf(l *look, rows []serviceRow) headline {
	s := l.Status
	h := headline{Mark: mark{"up", ""}, Effect: effectOf(rows), Caches: s.Caches}
	if len(s.Causes) == 0 {
		// Behind its shape, which is drawn.
		_, text, _ := strings.Cut(s.Headline, " ")
		h.Text = sentence(text)
		return h
	}
	h.Mark.Shape, h.saying = markOf(s.Causes[0].State).Shape, sayingOf(&s.Causes[0])
	if s.Causes[0].State == "up" {
		h.Mark.Shape = "up"
	}
	more := s.Causes[1:]
	h.Hidden = max(0, len(more)-maxCauses)
	for i := range more[:len(more)-h.Hidden] {
		h.More = append(h.More, sayingOf(&more[i]))
	}
	return h
}

// sentence begins with a capital letter, unless it begins with a name, and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	first, _, _ := strings.Cut(text, " ")
	if !strings.ContainsAny(first, "./-0123456789") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return strings.TrimSuffix(text, ".") + "."
}

// effectOf says which services answer without endpoints of theirs that are down.
func effectOf(rows []serviceRow) string {
	var without []string
	for i := range rows {
		left := slices.ContainsFunc(rows[i].stale().Departures, func(d api.DepartureStaleness) bool { return d.State == "down" })
		if left && rows[i].Severity < sevLastResort {
			without = append(without, display(rows[i].Name))
		}
	}
	if len(without) == 0 {
		return ""
	}
	return some(without) + " " + verb(len(without), "answers", "answer") + " without what is down."
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// some names up to three.
func some(names []string) string {
	names = slices.Clone(names)
	switch n := len(names); {
	case n == 1:
		return names[0]
	case n <= 3:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	default:
		return fmt.Sprintf("%s, %s and %d more", names[0], names[1], n-2)
	}
}
