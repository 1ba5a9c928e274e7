package client

import (
	"context"
	"net/http"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// order is the reply to an order.
func order[T any](ctx context.Context, c *Client, method, path string, in any) (*T, error) {
	out := new(T)
	if err := c.Do(ctx, method, path, in, out); err != nil {
		return nil, err
	}
	return out, nil
}

func post[T any](ctx context.Context, c *Client, path string, in any) (*T, error) {
	return order[T](ctx, c, http.MethodPost, path, in)
}

func end[T any](ctx context.Context, c *Client, path string, in api.EndRequest) (*T, error) {
	return order[T](ctx, c, http.MethodDelete, path, in)
}

// Intend drains, changes a weight, or forces an endpoint up or down.
func (c *Client) Intend(ctx context.Context, req api.IntentRequest) (*api.Intent, error) {
	req.DryRun = false
	return post[api.Intent](ctx, c, api.IntentsPath, req)
}

// PreviewIntent is what Intend would do.
func (c *Client) PreviewIntent(ctx context.Context, req api.IntentRequest) (*api.Preview, error) {
	req.DryRun = true
	return post[api.Preview](ctx, c, api.IntentsPath, req)
}

// EndIntent ends an order; with DryRun it says what that would change (Intents.Preview).
func (c *Client) EndIntent(ctx context.Context, id string, req api.EndRequest) (*api.Intents, error) {
	return end[api.Intents](ctx, c, api.IntentPath(id), req)
}

// Extend moves the end of an order to a later time; with DryRun it tells the end that there would be.
func (c *Client) Extend(ctx context.Context, id string, req api.ExtendRequest) (*api.Intent, error) {
	return order[api.Intent](ctx, c, http.MethodPatch, api.IntentPath(id), req)
}

// Resume puts an order in force that a safety rule suspends.
func (c *Client) Resume(ctx context.Context, id string, req api.ResumeRequest) (*api.Intent, error) {
	req.DryRun = false
	return post[api.Intent](ctx, c, api.ResumePath(id), req)
}

// PreviewResume is what Resume would do.
func (c *Client) PreviewResume(ctx context.Context, id string, req api.ResumeRequest) (*api.Preview, error) {
	req.DryRun = true
	return post[api.Preview](ctx, c, api.ResumePath(id), req)
}

// Freeze stops every automatic verdict; with DryRun it says what would be.
func (c *Client) Freeze(ctx context.Context, req api.FreezeRequest) (*api.Freeze, error) {
	return post[api.Freeze](ctx, c, api.FreezePath, req)
}

// Unfreeze lets verdicts move again; with DryRun it says what would be.
func (c *Client) Unfreeze(ctx context.Context, req api.FreezeRequest) (*api.Freeze, error) {
	return post[api.Freeze](ctx, c, api.UnfreezePath, req)
}

// Ready opens the gate of a pool.
func (c *Client) Ready(ctx context.Context, zone, pool string, req api.PoolRequest) (*api.Intent, error) {
	req.DryRun = false
	return post[api.Intent](ctx, c, api.ReadyPath(zone, pool), req)
}

// PreviewReady is what Ready would do.
func (c *Client) PreviewReady(ctx context.Context, zone, pool string, req api.PoolRequest) (*api.Preview, error) {
	req.DryRun = true
	return post[api.Preview](ctx, c, api.ReadyPath(zone, pool), req)
}

// Unready closes the gate of a pool; with DryRun it says what that would change.
func (c *Client) Unready(ctx context.Context, zone, pool string, req api.EndRequest) (*api.Intents, error) {
	return end[api.Intents](ctx, c, api.ReadyPath(zone, pool), req)
}

// Failback lets a pool return.
func (c *Client) Failback(ctx context.Context, zone, pool string, req api.PoolRequest) (*api.Intent, error) {
	req.DryRun = false
	return post[api.Intent](ctx, c, api.FailbackPath(zone, pool), req)
}

// PreviewFailback is what Failback would do.
func (c *Client) PreviewFailback(ctx context.Context, zone, pool string, req api.PoolRequest) (*api.Preview, error) {
	req.DryRun = true
	return post[api.Preview](ctx, c, api.FailbackPath(zone, pool), req)
}

// StartDrill drains something for a time, and ends that earlier if a condition holds.
func (c *Client) StartDrill(ctx context.Context, req api.DrillRequest) (*api.Drill, error) {
	req.DryRun = false
	return post[api.Drill](ctx, c, api.DrillsPath, req)
}

// PreviewDrill is what StartDrill would do.
func (c *Client) PreviewDrill(ctx context.Context, req api.DrillRequest) (*api.Preview, error) {
	req.DryRun = true
	return post[api.Preview](ctx, c, api.DrillsPath, req)
}

// AbortDrill ends a rehearsal before its time.
func (c *Client) AbortDrill(ctx context.Context, id string, req api.EndRequest) (*api.Drill, error) {
	return end[api.Drill](ctx, c, api.DrillPath(id), req)
}

// Probe probes an endpoint at once; no verdict moves.
func (c *Client) Probe(ctx context.Context, endpoint string) (*api.ProbeReply, error) {
	return post[api.ProbeReply](ctx, c, api.ProbePath, api.ProbeRequest{Endpoint: endpoint})
}

// PushReport says how an endpoint is, for checks of type push.
func (c *Client) PushReport(ctx context.Context, req api.ReportRequest) (*api.ReportRequest, error) {
	return post[api.ReportRequest](ctx, c, api.ReportPath, req)
}

// AddLateHits tells an incident how many clients still came to the old place.
func (c *Client) AddLateHits(ctx context.Context, incident string, req api.LateHitsRequest) (*ledger.Incident, error) {
	return post[ledger.Incident](ctx, c, api.IncidentPath(incident)+"/late-hits", req)
}

// Redeliver sends once more what a webhook did not take.
func (c *Client) Redeliver(ctx context.Context, hook string, req api.EndRequest) (*api.Hooks, error) {
	return post[api.Hooks](ctx, c, api.ItemPath(api.HooksPath, hook)+"/redeliver", req)
}

// AcceptDiscovered lets go of the endpoints that a cluster does not name any more.
func (c *Client) AcceptDiscovered(ctx context.Context, cluster string, req api.DiscoveryRequest) (*api.Discovery, error) {
	return post[api.Discovery](ctx, c, api.AcceptPath(cluster), req)
}

// AdoptDiscovered takes the cluster behind the URL for the one that was read.
func (c *Client) AdoptDiscovered(ctx context.Context, cluster string, req api.DiscoveryRequest) (*api.Discovery, error) {
	return post[api.Discovery](ctx, c, api.AdoptPath(cluster), req)
}

// Reload has the node look at its zone files now.
func (c *Client) Reload(ctx context.Context, req api.ReloadRequest) (*api.ReloadResult, error) {
	return post[api.ReloadResult](ctx, c, api.ReloadPath, req)
}

// Rollback has a zone file run in the version before the present one.
func (c *Client) Rollback(ctx context.Context, req api.RollbackRequest) (*api.Config, error) {
	return post[api.Config](ctx, c, api.RollbackPath, req)
}

// Forward ends a rollback.
func (c *Client) Forward(ctx context.Context, req api.RollbackRequest) (*api.Config, error) {
	return post[api.Config](ctx, c, api.ForwardPath, req)
}

// Waive lets the node join without another one's answer; with DryRun it tells whether it would.
func (c *Client) Waive(ctx context.Context, node string, req api.NodeRequest) (*api.Nodes, error) {
	return post[api.Nodes](ctx, c, api.WaivePath(node), req)
}

// Bootstrap lets the node join without anybody's answer.
func (c *Client) Bootstrap(ctx context.Context, req api.NodeRequest) (*api.Nodes, error) {
	return post[api.Nodes](ctx, c, api.BootstrapPath, req)
}

// NameMaxTTL is an operator's word for the greatest TTL that the node gave before its state was lost.
func (c *Client) NameMaxTTL(ctx context.Context, req api.NodeRequest) (*api.Nodes, error) {
	return post[api.Nodes](ctx, c, api.MaxTTLPath, req)
}

// DeclareStopped says that somebody made sure that a node does not run.
func (c *Client) DeclareStopped(ctx context.Context, node string, req api.NodeRequest) (*api.Intent, error) {
	req.DryRun = false
	return post[api.Intent](ctx, c, api.StoppedPath(node), req)
}

// PreviewStopped is what DeclareStopped would do.
func (c *Client) PreviewStopped(ctx context.Context, node string, req api.NodeRequest) (*api.Preview, error) {
	req.DryRun = true
	return post[api.Preview](ctx, c, api.StoppedPath(node), req)
}

// UndeclareStopped takes that back.
func (c *Client) UndeclareStopped(ctx context.Context, node string, req api.EndRequest) (*api.Intents, error) {
	return end[api.Intents](ctx, c, api.StoppedPath(node), req)
}

// DeclareRemoved says that a node is no part of the cluster any more.
func (c *Client) DeclareRemoved(ctx context.Context, node string, req api.NodeRequest) (*api.Intent, error) {
	req.DryRun = false
	return post[api.Intent](ctx, c, api.RemovedPath(node), req)
}

// PreviewRemoved is what DeclareRemoved would do.
func (c *Client) PreviewRemoved(ctx context.Context, node string, req api.NodeRequest) (*api.Preview, error) {
	req.DryRun = true
	return post[api.Preview](ctx, c, api.RemovedPath(node), req)
}

// UndeclareRemoved takes that back.
func (c *Client) UndeclareRemoved(ctx context.Context, node string, req api.EndRequest) (*api.Intents, error) {
	return end[api.Intents](ctx, c, api.RemovedPath(node), req)
}

// Cut cuts the node off from the others for a rehearsal.
func (c *Client) Cut(ctx context.Context, req api.CutRequest) (*api.Nodes, error) {
	return post[api.Nodes](ctx, c, api.CutPath, req)
}

// Heal ends a rehearsal.
func (c *Client) Heal(ctx context.Context, req api.EndRequest) (*api.Nodes, error) {
	// It has no other fields than these.
	return order[api.Nodes](ctx, c, http.MethodDelete, api.CutPath, struct {
		Actor  string `json:"actor,omitempty"`
		Reason string `json:"reason,omitempty"`
	}{req.Actor, req.Reason})
}

// Keyring changes the keys of gossip on every node.
func (c *Client) Keyring(ctx context.Context, req api.KeyringRequest) (*api.KeyringResult, error) {
	return post[api.KeyringResult](ctx, c, api.KeyringPath, req)
}

// CreateToken makes a bearer token; its secret is said this once.
func (c *Client) CreateToken(ctx context.Context, req api.TokenRequest) (*api.TokenCreated, error) {
	return post[api.TokenCreated](ctx, c, api.TokensPath, req)
}

// RevokeToken ends one at once.
func (c *Client) RevokeToken(ctx context.Context, name string, req api.EndRequest) (*api.Token, error) {
	return end[api.Token](ctx, c, api.TokenPath(name), req)
}

// LoginLink makes a link that logs a browser in to the dashboard, once, within a minute.
func (c *Client) LoginLink(ctx context.Context, req api.LoginLinkRequest) (*api.LoginLink, error) {
	return post[api.LoginLink](ctx, c, api.LoginLinkPath, req)
}
