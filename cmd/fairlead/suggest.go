package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// nearest is the word of a list that was most likely meant: by its beginning, by its last part, or by few letters; empty if none is near.
func nearest(word string, list []string) string {
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

// oneOf is a usage error, with what was likely meant, unless word is one of those that are allowed.
func oneOf(cmd *cobra.Command, word string, allowed []string) error {
	if slices.Contains(allowed, word) {
		return nil
	}
	return meantOne(usagef(cmd, "%q: want %s", word, orList(allowed)), word, allowed)
}

// meantOne is a usage error with what was likely meant as its hint, if anything is near.
func meantOne(err error, word string, allowed []string) error {
	near := nearest(word, allowed)
	if e, ok := errors.AsType[*exitError](err); ok && near != "" {
		e.Hint = "did you mean " + near + "?"
	}
	return err
}

// kindOf is the kind that was typed, as commands that take one thing of a kind name it: ep is endpoint, azs is az.
func kindOf(cmd *cobra.Command, word string, allowed []string) (string, error) {
	if slices.Contains(allowed, word) {
		return word, nil
	}
	if k, ok := kindNamed(kinds(), strings.ToLower(word)); ok && slices.Contains(allowed, k.singular()) {
		return k.singular(), nil
	}
	return "", oneOf(cmd, word, allowed)
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

// meant is a usage error about a command that there is none of, with what was likely meant.
func meant(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := usagef(cmd, "no command %s", args[0])
	if near := nearest(args[0], below(cmd)); near != "" {
		if e, ok := errors.AsType[*exitError](err); ok {
			e.Hint = "did you mean `" + cmd.CommandPath() + " " + near + "`?"
		}
	}
	return err
}

// unknown is the error of a name that the node does not know, with what was likely meant, or where the names stand.
func (c *client) unknown(ctx context.Context, kind, name string) error {
	err := fmt.Errorf("no %s is named %s", kind, name)
	if near := nearest(name, named(strings.ToLower(kind))(ctx, c, nil)); near != "" && near != name {
		return withHint(err, "did you mean %s?", near)
	}
	for _, k := range kinds() {
		if k.word == kind || k.singular() == kind {
			return withHint(err, "see `fairlead get %s`", k.names[0])
		}
	}
	return err
}

// suggest adds to an answer that knows no such thing what was likely meant.
func (c *client) suggest(ctx context.Context, err error, kind, name string) error {
	return suggestOf(err, name, func() []string { return named(kind)(ctx, c, nil) })
}

// suggestOf is suggest with the names that there are.
func suggestOf(err error, name string, names func() []string) error {
	if p, ok := errors.AsType[*api.Problem](err); !ok || p.Status != http.StatusNotFound || name == "" {
		return err
	}
	if near := nearest(name, names()); near != "" && near != name {
		return withHint(err, "did you mean %s?", near)
	}
	return err
}

// flagMistake is a usage error about flags, with the flag that was likely meant.
func flagMistake(cmd *cobra.Command, err error) error {
	out := usagef(cmd, "%w", err)
	_, typed, ok := strings.Cut(err.Error(), "unknown flag: --")
	if !ok {
		return out
	}
	var flags []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
	if near := nearest(typed, flags); near != "" {
		if e, ok := errors.AsType[*exitError](out); ok {
			e.Hint = "did you mean --" + near + "?"
		}
	}
	return out
}

// service is the full name of a service, from the first label of it that was typed; what is not one label alone, and what the node does not
// know, is left as it is.
func (c *client) service(ctx context.Context, name string) (string, error) {
	if name == "" || strings.Contains(strings.TrimSuffix(name, "."), ".") {
		return name, nil
	}
	var found []string
	for _, have := range named("service")(ctx, c, nil) {
		if strings.HasPrefix(have, strings.ToLower(name)+".") {
			found = append(found, have)
		}
	}
	switch len(found) {
	case 0:
		return name, nil
	case 1:
		return found[0], nil
	}
	return "", withHint(fmt.Errorf("service %s is ambiguous", name), "name one of %s", orList(found))
}
