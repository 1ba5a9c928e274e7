package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// The exit codes, the same for every command.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2
	exitDegraded = 3
	// exitRefused: a safety rule says no. exitConflict: nothing is in the state that the order wants to change.
	exitRefused  = 4
	exitConflict = 5
	// exitUnconfirmed: accepted, and in force where it was accepted, but not known to be everywhere in time.
	exitUnconfirmed = 6
)

// The end of the help text of a command for which a node either does or does not do what is asked, and of one that works on this machine alone.
const (
	readExits  = "Exit codes: 0 done, 1 the node cannot be reached, refuses or knows no such thing, 2 wrong usage."
	localExits = "Exit codes: 0 done, 1 it failed, 2 wrong usage."
)

// An exitError ends the program with a code of its own. main prints Err, then Hint; without Err nothing is printed,
// because the command has already said what is the matter.
type exitError struct {
	Code int
	Err  error
	// Hint says what to do about it; may be empty.
	Hint string
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

// silent ends the program with code and says nothing.
func silent(code int) error { return &exitError{Code: code} }

// withHint makes err end the program with exitFailed and a hint.
func withHint(err error, format string, args ...any) error {
	return &exitError{Code: exitFailed, Err: err, Hint: fmt.Sprintf(format, args...)}
}

// usagef is a mistake in the command line of cmd.
func usagef(cmd *cobra.Command, format string, args ...any) error {
	return &exitError{Code: exitUsage, Err: fmt.Errorf(format, args...), Hint: fmt.Sprintf("see `%s --help`", cmd.CommandPath())}
}

// usageArgs makes the complaint of an argument checker a usage error. Of a command that has others below it the first argument may have
// been meant as one of these.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		switch {
		case err == nil:
			return nil
		case len(args) > 0 && nearest(args[0], below(cmd)) != "":
			return meant(cmd, args)
		}
		return usagef(cmd, "%w", err)
	}
}

// choice makes sure that the value of a flag is one of those allowed.
func choice(cmd *cobra.Command, flag, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return meantOne(usagef(cmd, "--%s %q: want %s", flag, value, orList(allowed)), value, allowed)
}

// orList is "a", "a or b", "a, b or c".
func orList(words []string) string {
	s := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			s += " or "
		default:
			s += ", "
		}
		s += w
	}
	return s
}

// exitCode is what main ends with, and the hint to print.
func exitCode(err error) (code int, hint string) {
	if err == nil {
		return exitOK, ""
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.Code, e.Hint
	}
	return exitFailed, ""
}
