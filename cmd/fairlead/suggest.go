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

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// oneOf is a usage error, with what was likely meant, unless word is one of those that are allowed.
func oneOf(cmd *cobra.Command, word string, allowed []string) error {
	if slices.Contains(allowed, word) {
		return nil
	}
	return exit.MeantOne(exit.Usagef(cmd, "%q: want %s", word, exit.OrList(allowed)), word, allowed)
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

// unknown is the error of a name that the node does not know, with what was likely meant, or where the names stand.
func (c *client) unknown(ctx context.Context, kind, name string) error {
	err := fmt.Errorf("no %s is named %s", kind, name)
	if near := exit.Nearest(name, named(strings.ToLower(kind))(ctx, c, nil)); near != "" && near != name {
		return exit.WithHint(err, "did you mean %s?", near)
	}
	for _, k := range kinds() {
		if k.word == kind || k.singular() == kind {
			return exit.WithHint(err, "see `fairlead get %s`", k.names[0])
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
	if near := exit.Nearest(name, names()); near != "" && near != name {
		return exit.WithHint(err, "did you mean %s?", near)
	}
	return err
}

// flagMistake is a usage error about flags, with the flag that was likely meant.
func flagMistake(cmd *cobra.Command, err error) error {
	out := exit.Usagef(cmd, "%w", err)
	_, typed, ok := strings.Cut(err.Error(), "unknown flag: --")
	if !ok {
		return out
	}
	var flags []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
	if near := exit.Nearest(typed, flags); near != "" {
		if e, ok := errors.AsType[*exit.Error](out); ok {
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
	return "", exit.WithHint(fmt.Errorf("service %s is ambiguous", name), "name one of %s", exit.OrList(found))
}
