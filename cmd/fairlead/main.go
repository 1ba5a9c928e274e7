// Command fairlead steers traffic by DNS: `fairlead serve` runs a node, `fairlead demo` shows one, the other commands ask
// one or look at its files.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"

	// The roots of certificates for where the system has none, as in an image of this program and nothing else.

	_ "golang.org/x/crypto/x509roots/fallback"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

// run runs the command line and says what went wrong: the error, then what to do about it.
func run(args []string, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(longFlags(args))
	err := root.Execute()
	code, hint := exit.CodeOf(err)
	if err != nil && !isSilent(err) {
		fmt.Fprintf(stderr, "error: %v\n", err)
		if hint != "" {
			fmt.Fprintf(stderr, "hint: %s\n", hint)
		}
	}
	return code
}
