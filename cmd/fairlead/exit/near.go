package exit

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
)

// Nearest is the word of a list that was most likely meant: by its beginning, by its last part, or by few letters; empty if none is near.
func Nearest(word string, list []string) string {
	best, least := "", len(word)/3+2
	for _, have := range list {
		if strings.EqualFold(have, word) {
			return have
		}
		for _, part := range []string{have, have[strings.LastIndex(have, "/")+1:]} {
			d := distance(strings.ToLower(word), strings.ToLower(part))
			if strings.HasPrefix(strings.ToLower(part), strings.ToLower(word)) {
				d = min(d, 1)
			}
			if d < least {
				best, least = have, d
			}
		}
	}
	return best
}

// below are the commands below cmd.
func below(cmd *cobra.Command) (names []string) {
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return names
}

// Meant is a usage error about a command that there is none of, with what was likely meant.
func Meant(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := Usagef(cmd, "no command %s", args[0])
	if near := Nearest(args[0], below(cmd)); near != "" {
		if e, ok := errors.AsType[*Error](err); ok {
			e.Hint = "did you mean `" + cmd.CommandPath() + " " + near + "`?"
		}
	}
	return err
}

// MeantOne is a usage error with what was likely meant as its hint, if anything is near.
func MeantOne(err error, word string, allowed []string) error {
	near := Nearest(word, allowed)
	if e, ok := errors.AsType[*Error](err); ok && near != "" {
		e.Hint = "did you mean " + near + "?"
	}
	return err
}

// distance is how many letters have to be put in, left out, replaced, or swapped with their neighbour, to make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last := make([]int, len(y)+1), make([]int, len(y)+1)
	for k := range last {
		last[k] = k
	}
	for i := range x {
		now := make([]int, len(y)+1)
		now[0] = i + 1
		for k := range y {
			cost := 1
			if x[i] == y[k] {
				cost = 0
			}
			now[k+1] = min(last[k+1]+1, now[k]+1, last[k]+cost)
			if i > 0 && k > 0 && x[i] == y[k-1] && x[i-1] == y[k] {
				now[k+1] = min(now[k+1], before[k-1]+1)
			}
		}
		before, last = last, now
	}
	return last[len(y)]
}
