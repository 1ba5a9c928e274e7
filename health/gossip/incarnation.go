package gossip

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/fairlead-dns/fairlead/config/durable"
)

// ErrDamaged is what is wrong with an incarnation that is no number.
var ErrDamaged = errors.New("not a number")

// NextIncarnation reads the incarnation in the file at path, writes the next one, and returns it when it is on disk. A file
// that does not exist counts as 0. Any other trouble is an error and changes nothing, ErrDamaged where the file is not a number: an
// incarnation that was used before makes the others take this node's rounds for old ones.
func NextIncarnation(path string) (uint64, error) {
	return RaiseIncarnation(path, 0)
}

// RaiseIncarnation is NextIncarnation for an incarnation above the given one.
func RaiseIncarnation(path string, above uint64) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("incarnation: %w", err)
	}
	var last uint64
	if err == nil {
		if last, err = strconv.ParseUint(strings.TrimSuffix(string(b), "\n"), 10, 63); err != nil {
			return 0, fmt.Errorf("incarnation: %s: %w", path, ErrDamaged)
		}
	}
	next := max(last, above) + 1
	if err := durable.WriteFile(path, fmt.Appendf(nil, "%d\n", next)); err != nil {
		return 0, fmt.Errorf("incarnation: %w", err)
	}
	return next, nil
}
