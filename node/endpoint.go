package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/probe"
	"github.com/fairlead-dns/fairlead/plugin/admin"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// endpoints are those of the model in force, by name.
type endpoints struct {
	view   func() *health.View
	prober *probe.Prober
	// probing are the options that prober was made with.
	probing probe.Options
}

// A namedEndpoint is an endpoint that was asked for by name, with what is dialled for it.
type namedEndpoint struct {
	zone     *config.Zone
	pool     *config.Pool
	endpoint *config.Endpoint
}

// find is the endpoint zone/pool/endpoint of the model in force. The zone may lack its final dot.
func (p *endpoints) find(name string) (namedEndpoint, error) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return namedEndpoint{}, fmt.Errorf("%w: %q: want zone/pool/endpoint", admin.ErrInvalid, name)
	}
	zone := strings.ToLower(strings.TrimSuffix(parts[0], ".")) + "."
	for _, z := range p.view().Model.Zones {
		if z.Name != zone {
			continue
		}
		for _, pool := range z.Pools {
			if pool.Name != parts[1] {
				continue
			}
			for _, e := range pool.Endpoints {
				if e.Name == parts[2] {
					return namedEndpoint{z, pool, e}, nil
				}
			}
		}
	}
	return namedEndpoint{}, fmt.Errorf("%w: %s", admin.ErrNoEndpoint, name)
}

// targets are what the checks behind the endpoint dial.
func (e namedEndpoint) targets() []health.Target {
	var targets []health.Target
	checks := e.pool.Watched()
	if e.pool.HasLag {
		checks = append(slices.Clip(checks), e.pool.Lag)
	}
	for _, leaf := range e.zone.Leaves(checks...) {
		targets = append(targets, health.TargetsOf(e.zone.Name, e.zone.Checks[leaf], e.endpoint)...)
	}
	return targets
}

// Probe probes an endpoint at once. The schedule and the verdict know nothing of it.
func (p *endpoints) Probe(ctx context.Context, endpoint string) ([]api.ProbeResult, error) {
	e, err := p.find(endpoint)
	if err != nil {
		return nil, err
	}
	results := []api.ProbeResult{}
	for _, t := range e.targets() {
		if t.Check.Push != nil {
			continue
		}
		r := probe.Once(ctx, t, p.probing)
		out := api.ProbeResult{
			Check: t.Check.Name, Type: string(t.Check.Type), Address: t.Address(), OK: r.OK, Warning: r.Warning,
			ConnectSeconds: r.Phases.Connect.Seconds(), TLSSeconds: r.Phases.TLS.Seconds(),
			FirstByteSeconds: r.Phases.FirstByte.Seconds(), TotalSeconds: r.Phases.Total.Seconds(),
		}
		out.Sent, out.Received = r.Transcript.Sent, r.Transcript.Received
		if !r.OK {
			out.Kind, out.Reason = r.Reason.Kind.String(), r.Reason.Text
		}
		if r.Numbered {
			out.Lag, out.Unit = &r.Number, t.Check.Lag.Unit.String()
		}
		if !r.CertificateExpiry.IsZero() {
			out.CertificateExpires = &r.CertificateExpiry
		}
		results = append(results, out)
	}
	return results, nil
}

// Report hands what an endpoint says of itself to the prober.
func (p *endpoints) Report(req api.ReportRequest) error {
	e, err := p.find(req.Endpoint)
	if err != nil {
		return err
	}
	r := probe.Report{Weight: req.Weight, Lag: req.Lag, Lease: time.Duration(req.LeaseSeconds * float64(time.Second)), Reason: req.Reason}
	if err := r.State.UnmarshalText([]byte(req.State)); err != nil {
		return fmt.Errorf("%w: %w", admin.ErrInvalid, err)
	}
	done := false
	for _, t := range e.targets() {
		if t.Check.Push == nil || (t.Check.Lag != nil) != (req.Lag != nil) || req.Check != "" && t.Check.Name != req.Check {
			continue
		}
		if err := p.prober.Report(t.ID, r); err != nil {
			if errors.Is(err, probe.ErrNotRunning) {
				return err
			}
			return fmt.Errorf("%w: %w", admin.ErrInvalid, err)
		}
		done = true
	}
	if !done {
		return fmt.Errorf("%w: no check of type push, or lag with a lease, %s stands behind %s", admin.ErrNoEndpoint, req.Check, req.Endpoint)
	}
	return nil
}
