package main

import (
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// A checkDocument is what `check -o json` prints.
type checkDocument struct {
	OK         bool            `json:"ok"`
	Errors     int             `json:"errors"`
	Warnings   int             `json:"warnings"`
	Notices    int             `json:"notices"`
	Allowances checkAllowances `json:"allowances"`
	Problems   config.Problems `json:"problems"`
	Zones      []checkZone     `json:"zones"`
	// Clusters are those that were asked.
	Clusters []checkedCluster `json:"clusters,omitempty"`
	// Plans are the plan files without errors.
	Plans []checkPlan `json:"plans,omitempty"`
}

type checkPlan struct {
	Name  string `json:"name"`
	File  string `json:"file"`
	Steps int    `json:"steps"`
}

type checkAllowances struct {
	Gossip   float64 `json:"gossip_seconds"`
	Quiesce  float64 `json:"quiesce_seconds"`
	Transit  float64 `json:"transit_seconds"`
	ProbeLag float64 `json:"probe_lag_seconds"`
}

type checkZone struct {
	Name      string         `json:"name"`
	File      string         `json:"file"`
	Hash      string         `json:"hash"`
	Pools     int            `json:"pools"`
	Endpoints int            `json:"endpoints"`
	Services  []checkService `json:"services"`
}

// A checkService is one service with the terms of its bound. Without a check S, D and F are null: nothing bounds them.
type checkService struct {
	Name string `json:"name"`
	Line int    `json:"line"`
	// Check makes the bound the worst.
	Check string `json:"check,omitempty"`
	// Monitored is unset when an endpoint has no check.
	Monitored   bool     `json:"monitored"`
	S           *float64 `json:"s_seconds"`
	D           *float64 `json:"d_seconds"`
	F           *float64 `json:"f_seconds"`
	G           float64  `json:"g_seconds"`
	Q           float64  `json:"q_seconds"`
	X           float64  `json:"x_seconds"`
	Mode        string   `json:"mode"`
	TTLMin      uint32   `json:"ttl_min_seconds"`
	TTLMax      uint32   `json:"ttl_max_seconds"`
	PeaceTTL    uint32   `json:"peace_ttl_seconds"`
	QueryFactor float64  `json:"query_factor"`
	Target      *float64 `json:"target_seconds"`
	// WithinTarget is null without a target.
	WithinTarget *bool `json:"within_target"`
	// Island is when, after a region is cut off, its caches have forgotten the others' pools; null without an island.
	Island *float64 `json:"island_seconds,omitempty"`
	// RTO and WithinRTO are the same for staleness.rto.
	RTO       *float64 `json:"rto_seconds"`
	WithinRTO *bool    `json:"within_rto"`
}

func (r *checkResult) document() checkDocument {
	all := r.problems()
	if all == nil {
		all = config.Problems{}
	}
	d := checkDocument{
		OK: !all.HasErrors(), Errors: all.Count(config.Error), Warnings: all.Count(config.Warning), Notices: all.Count(config.Notice),
		Allowances: checkAllowances{Gossip: r.allowances.Gossip.Seconds(), Quiesce: r.allowances.Quiesce.Seconds(),
			Transit: r.allowances.Transit.Seconds(), ProbeLag: r.allowances.ProbeLag.Seconds()},
		Clusters: r.clusters, Problems: all, Zones: []checkZone{},
	}
	for _, c := range r.zones {
		z := checkZone{Name: terminal.Display(c.zone.Name), File: c.zone.File, Hash: c.zone.Hash.String(), Pools: len(c.zone.Pools), Services: []checkService{}}
		for _, p := range c.zone.Pools {
			z.Endpoints += len(p.Endpoints)
		}
		for i, svc := range c.zone.Services {
			z.Services = append(z.Services, serviceDocument(svc, c.bounds[i]))
		}
		d.Zones = append(d.Zones, z)
	}
	for _, p := range r.plans {
		d.Plans = append(d.Plans, checkPlan{Name: p.Name, File: p.File, Steps: len(p.Steps)})
	}
	return d
}

func serviceDocument(svc *config.Service, b steer.Bound) checkService {
	s := checkService{
		Name: terminal.Display(svc.Name), Line: svc.Line, Check: b.Check, Monitored: b.Monitored,
		G: b.Gossip.Seconds(), Q: b.Quiesce.Seconds(), X: b.Transit.Seconds(), Mode: modeName(b.Mode),
		TTLMin: b.Min, TTLMax: b.Max, PeaceTTL: b.PeaceTTL, QueryFactor: b.QueryFactor(),
	}
	if by := steer.IslandOf(svc, b.Allowances); by > 0 {
		s.Island = new(by.Seconds())
	}
	if b.Check != "" {
		s.S, s.D, s.F = new(b.S.Seconds()), new(b.D.Seconds()), new(b.F.Seconds())
	}
	if target := svc.Staleness.Target; target > 0 {
		s.Target, s.WithinTarget = new(target.Seconds()), new(b.Check != "" && b.S <= target)
	}
	if rto := svc.Staleness.RTO; rto > 0 {
		s.RTO, s.WithinRTO = new(rto.Seconds()), new(b.Check != "" && b.S <= rto)
	}
	return s
}
