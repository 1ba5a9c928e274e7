package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/fairlead-dns/fairlead/config/durable"
)

const (
	headName = "audit.head"
	// seqDigits is the width of the sequence number in the head: its size never changes, so that it lies in one sector and
	// is overwritten in place as a whole or not at all.
	seqDigits = 20
	headSize  = seqDigits + 1 + hashLen + 1
)

// errBadHead is a head that nobody wrote so.
var errBadHead = errors.New("not what was written: want a sequence number and a hash")

func headPath(dir string) string { return filepath.Join(dir, headName) }

func (l link) head() []byte { return fmt.Appendf(nil, "%0*d %s\n", seqDigits, l.seq, l.hash) }

// makeHead makes or replaces the head, for good when it returns.
func makeHead(dir string, l link) error { return durable.WriteFile(headPath(dir), l.head()) }

// moveHead writes the head in place, without fsync: it is never ahead of what is on disk, and may be behind it after a power
// failure.
func moveHead(dir string, l link) error {
	f, err := os.OpenFile(headPath(dir), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(l.head(), 0)
	return errors.Join(err, f.Close())
}

// readHead reads the head. No file is fs.ErrNotExist.
func readHead(dir string) (link, error) {
	b, err := os.ReadFile(headPath(dir))
	if err != nil {
		return link{}, err
	}
	if len(b) != headSize {
		return link{}, errBadHead
	}
	seq, err := strconv.ParseUint(string(b[:seqDigits]), 10, 64)
	l := link{seq, string(b[seqDigits+1 : headSize-1])}
	if err != nil || string(l.head()) != string(b) {
		return link{}, errBadHead
	}
	return l, nil
}
