package client

import (
	"context"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// Plans are the plans of the node, and what a run of each would come to.
func (c *Client) Plans(ctx context.Context) (*api.Plans, error) {
	return get[api.Plans](ctx, c, api.PlansPath, nil)
}

// Plan is one plan.
func (c *Client) Plan(ctx context.Context, name string) (*api.Plan, error) {
	return get[api.Plan](ctx, c, api.PlanPath(name), nil)
}

// StartPlan begins a run of a plan.
func (c *Client) StartPlan(ctx context.Context, name string, req api.PlanStartRequest) (*api.Run, error) {
	req.DryRun = false
	return post[api.Run](ctx, c, api.PlanStartPath(name), req)
}

// ForeseePlan is what StartPlan would come to.
func (c *Client) ForeseePlan(ctx context.Context, name string, req api.PlanStartRequest) (*api.PlanForesight, error) {
	req.DryRun = true
	return post[api.PlanForesight](ctx, c, api.PlanStartPath(name), req)
}

// Runs are the runs of plans of the whole cluster, the latest first.
func (c *Client) Runs(ctx context.Context) (*api.Runs, error) {
	return get[api.Runs](ctx, c, api.RunsPath, nil)
}

// Run is one run of a plan.
func (c *Client) Run(ctx context.Context, id string) (*api.Run, error) {
	return get[api.Run](ctx, c, api.RunPath(id), nil)
}

// ApproveRun lets a run go on that waits for a person.
func (c *Client) ApproveRun(ctx context.Context, id string, req api.RunRequest) (*api.Run, error) {
	return post[api.Run](ctx, c, api.RunPath(id)+"/approve", req)
}

// PauseRun has a run do nothing more until it is resumed.
func (c *Client) PauseRun(ctx context.Context, id string, req api.RunRequest) (*api.Run, error) {
	return post[api.Run](ctx, c, api.RunPath(id)+"/pause", req)
}

// ResumeRun has a run go on that is paused, or whose step has failed.
func (c *Client) ResumeRun(ctx context.Context, id string, req api.RunRequest) (*api.Run, error) {
	return post[api.Run](ctx, c, api.RunPath(id)+"/resume", req)
}

// AbortRun has what a run did undone, the last step first.
func (c *Client) AbortRun(ctx context.Context, id string, req api.RunRequest) (*api.Run, error) {
	return post[api.Run](ctx, c, api.RunPath(id)+"/abort", req)
}

// RunEvidence is what a run did and how long it took, signed by the node.
func (c *Client) RunEvidence(ctx context.Context, id string) (*ledger.Envelope, error) {
	return get[ledger.Envelope](ctx, c, api.RunPath(id)+"/evidence", nil)
}
