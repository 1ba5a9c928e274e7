package probe

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A checker probes by one check definition. All targets of the check share it, so it holds nothing of one probe.
type checker interface {
	// probe asks target once and fills r. It returns when ctx ends, whatever the peer does. A probe that records no
	// failure has succeeded.
	probe(ctx context.Context, target health.Target, r *Result)
}

// A maker builds the checker of a check once, when the check is first seen.
type maker func(check *config.Check, dial *dialer) (checker, error)

// makers has one line for each type that can be probed. A new type is one file and one line here.
var makers = map[config.CheckType]maker{
	config.CheckHTTP:  newHTTPChecker,
	config.CheckHTTPS: newHTTPChecker,
	config.CheckTCP:   newTCPChecker,
	config.CheckTLS:   newTCPChecker,
	config.CheckGRPC:  newGRPCChecker,
	config.CheckDNS:   newDNSChecker,
	config.CheckICMP:  newICMPChecker,
	config.CheckExec:  newExecChecker,
	config.CheckPush:  newPushChecker,
	config.CheckLag:   newLagChecker,
	config.CheckFleet: newFleetChecker,
}

// types lists what can be probed, for labels.
func types() []config.CheckType {
	list := make([]config.CheckType, 0, len(makers))
	for t := range makers {
		list = append(list, t)
	}
	return list
}

// makeChecker builds the checker of check, or says why it cannot be probed.
func makeChecker(check *config.Check, dial *dialer) (checker, error) {
	m, ok := makers[check.Type]
	if !ok {
		return nil, fmt.Errorf("check type %s is not probed", check.Type)
	}
	return m(check, dial)
}

// Once probes target one time with all its phases and what was said, outside any schedule.
func Once(ctx context.Context, target health.Target, opts Options) Result {
	var r Result
	c, err := makeChecker(target.Check, newDialer(opts))
	if err != nil {
		r.fail(because(Unsupported, "%v", err))
		return r
	}
	var rec scribe
	r = probeOnce(withScribe(ctx, &rec), c, target)
	r.Transcript = rec.get()
	return r
}

// probeOnce runs one probe within the check's timeout.
func probeOnce(ctx context.Context, c checker, target health.Target) (r Result) {
	ctx, cancel := context.WithTimeout(ctx, target.Check.Timeout)
	defer cancel()
	start := time.Now()
	defer func() {
		if v := recover(); v != nil {
			r.Reason = because(Panic, "internal fault of the prober: %v", v)
			r.stack = debug.Stack()
		}
		r.Phases.Total = time.Since(start)
		r.OK = r.Reason.Kind == None
	}()
	c.probe(ctx, target, &r)
	return r
}
