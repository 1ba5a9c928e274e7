package node

import (
	"context"
	"log/slog"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/rollover"
)

// resignInterval is how often it is looked whether signatures are to be made anew: a look costs nothing, and the instants of keys are
// kept to the minute.
const resignInterval = time.Minute

// resign makes signatures anew, in the background, until ctx ends.
func resign(ctx context.Context, record *rollover.Record, compiler *answer.Compiler, current *answer.Current, logger *slog.Logger) error {
	return every(ctx, resignInterval, func(now time.Time) {
		zones := 0
		record.Around(func() <-chan struct{} {
			zones = compiler.Resign(current.Load(), now)
			return current.Renew()
		})
		if zones > 0 {
			logger.Info("zones signed anew", "zones", zones, "seconds", time.Since(now).Seconds())
		}
	})
}
