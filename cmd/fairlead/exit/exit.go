package exit

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// The exit codes, the same for every command.
const (
	OK       = 0
	Failed   = 1
	Usage    = 2
	Degraded = 3
	// Refused: a safety rule says no. Conflict: nothing is in the state that the order wants to change.
	Refused  = 4
	Conflict = 5
	// Unconfirmed: accepted, and in force where it was accepted, but not known to be everywhere in time.
	Unconfirmed = 6
)

// The end of the help text of a command for which a node either does or does not do what is asked, and of one that works on this machine alone.
const (
	ReadHelp  = "Exit codes: 0 done, 1 the node cannot be reached, refuses or knows no such thing, 2 wrong usage."
	LocalHelp = "Exit codes: 0 done, 1 it failed, 2 wrong usage."
)

// An Error ends the program with a code of its own. main prints Err, then Hint; without Err nothing is printed,
// because the command has already said what is the matter.
type Error struct {
	Code int
	Err  error
	// Hint says what to do about it; may be empty.
	Hint string
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Silent ends the program with code and says nothing.
func Silent(code int) error { return &Error{Code: code} }

// WithHint makes err end the program with Failed and a hint.
func WithHint(err error, format string, args ...any) error {
	return &Error{Code: Failed, Err: err, Hint: fmt.Sprintf(format, args...)}
}

// Usagef is a mistake in the command line of cmd.
func Usagef(cmd *cobra.Command, format string, args ...any) error {
	return &Error{Code: Usage, Err: fmt.Errorf(format, args...), Hint: fmt.Sprintf("see `%s --help`", cmd.CommandPath())}
}

// Args makes the complaint of an argument checker a usage error. Of a command that has others below it the first argument may have
// been meant as one of these.
func Args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		switch {
		case err == nil:
			return nil
		case len(args) > 0 && Nearest(args[0], below(cmd)) != "":
			return Meant(cmd, args)
		}
		return Usagef(cmd, "%w", err)
	}
}

// Choice makes sure that the value of a flag is one of those allowed.
func Choice(cmd *cobra.Command, flag, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return MeantOne(Usagef(cmd, "--%s %q: want %s", flag, value, OrList(allowed)), value, allowed)
}

// OrList is "a", "a or b", "a, b or c".
func OrList(words []string) string {
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

// CodeOf is what main ends with, and the hint to print.
func CodeOf(err error) (code int, hint string) {
	if err == nil {
		return OK, ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code, e.Hint
	}
	return Failed, ""
}

// OrBackground is for commands that were started without a context.
func OrBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}
