package probe

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strconv"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	number "github.com/fairlead-dns/fairlead/health/counter"
)

// maxLag bounds a number that is read: a float64 has each whole number up to it.
const maxLag = 1 << 53

// A lagChecker reads how far something is behind: from a Prometheus server or a JSON document, as late hits are read, or from what a program
// prints. A probe that reads no number has failed, which says nothing of what is up.
type lagChecker struct {
	check  *config.LagCheck
	reader *number.Reader
	exec   *execChecker
}

func newLagChecker(check *config.Check, dial *dialer) (checker, error) {
	switch {
	case check.Lag == nil:
		return nil, errors.New("check has no lag part")
	case check.Push != nil:
		return pushChecker{}, nil
	case check.Lag.Source != nil:
		return &lagChecker{check: check.Lag, reader: number.New(dial.context)}, nil
	}
	run, err := newExecChecker(check, dial)
	if err != nil {
		return nil, err
	}
	return &lagChecker{check: check.Lag, exec: run.(*execChecker)}, nil
}

func (c *lagChecker) probe(ctx context.Context, target health.Target, r *Result) {
	if c.reader != nil {
		n, err := c.reader.Read(ctx, c.check.For(target.Host))
		if err != nil {
			r.fail(because(NoNumber, "no lag: %v", err))
			return
		}
		r.Number, r.Numbered = n, true
		return
	}
	var out, says tail
	c.exec.run(ctx, target, r, &out, &says)
	if r.Reason.Kind != None {
		return
	}
	text := string(bytes.TrimSpace(out.kept))
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsNaN(n):
		r.fail(because(NoNumber, "no lag: the program printed %q, want one number", clip(text, 60)))
	case n < 0:
		// Two clocks that differ: how much is lacking cannot be told.
		r.fail(because(NoNumber, "no lag: %v is less than 0", n))
	case n > maxLag:
		r.fail(because(NoNumber, "no lag: %v is too much", n))
	default:
		r.Number, r.Numbered = n, true
	}
}
