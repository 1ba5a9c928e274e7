package integration

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/health/fleet"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// serveNothing accepts connections on a port of 127.0.0.1 and closes them, until the test ends.
func serveNothing(t *testing.T, port int) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
}

func mkdir(t *testing.T, path string) { require.NoError(t, os.MkdirAll(path, 0o755)) }

// operations are all, in an order in which each finds what it needs: those that make something before those that read or end it.
func operations(p *process) []operation {
	var intent, drill, planned string
	incident := "latest"
	why, over := "client test", api.EndRequest{Actor: "ada", Reason: "over"}
	node := api.NodeRequest{Actor: "ada", Reason: why}
	scope := api.Scope{Kind: "pool", Name: "example.org/web"}
	pool := api.PoolRequest{Actor: "ada", Reason: why}
	keys := func(verb string) api.KeyringRequest {
		return api.KeyringRequest{Actor: "ada", Reason: why, Verb: verb, Key: base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))}
	}
	one := func(id string, do func(context.Context, *client.Client) error, refused ...int) operation {
		return operation{id: id, do: do, refused: refused}
	}
	all := []operation{
		// The other node never runs: without it this one may join, and orders wait for nobody.
		one("postBootstrap", does(func(ctx context.Context, c *client.Client) (*api.Nodes, error) {
			dry := node
			dry.DryRun = true
			return c.Bootstrap(ctx, dry)
		})),
		one("postNodesNodeWaive", does(func(ctx context.Context, c *client.Client) (*api.Nodes, error) { return c.Waive(ctx, "n2", node) })),
		one("postMaxTtl", does(func(ctx context.Context, c *client.Client) (*api.Nodes, error) {
			first := node
			first.MaxTTLSeconds = new(float64)
			return c.NameMaxTTL(ctx, first)
		}), 409),
		one("postNodesNodeStopped", does(func(ctx context.Context, c *client.Client) (*api.Intent, error) {
			return c.DeclareStopped(ctx, "n2", node)
		})),
		one("getReadyz", func(ctx context.Context, c *client.Client) error {
			for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
				e, err := c.Endpoint(ctx, "example.org", "web", "one")
				if _, notReady := c.Readyz(ctx); err == nil && notReady == nil && e.State == "up" || time.Now().After(deadline) {
					return errors.Join(err, notReady)
				}
			}
		}),
		one("postReport", does(func(ctx context.Context, c *client.Client) (*api.ReportRequest, error) {
			return c.PushReport(ctx, api.ReportRequest{Endpoint: "example.org/told/one", State: "up"})
		})),
		one("postIntents", func(ctx context.Context, c *client.Client) error {
			req := api.IntentRequest{Kind: "drain", Scope: scope, Actor: "ada", Reason: why, ForSeconds: clientHour.Seconds()}
			if _, err := c.PreviewIntent(ctx, req); err != nil {
				return err
			}
			made, err := c.Intend(ctx, req)
			if err == nil {
				intent = made.ID
			}
			return err
		}),
		one("getIntentsId", does(func(ctx context.Context, c *client.Client) (*api.Intent, error) { return c.Intent(ctx, intent) })),
		one("getIntents", does(func(ctx context.Context, c *client.Client) (*api.Intents, error) { return c.Intents(ctx) })),
		one("patchIntentsId", does(func(ctx context.Context, c *client.Client) (*api.Intent, error) {
			return c.Extend(ctx, intent, api.ExtendRequest{Actor: "ada", Reason: why, ForSeconds: 2 * clientHour.Seconds()})
		})),
		// No rule suspends it.
		one("postIntentsIdResume", does(func(ctx context.Context, c *client.Client) (*api.Intent, error) {
			return c.Resume(ctx, intent, api.ResumeRequest{Actor: "ada", Reason: why})
		}), 409),
		one("getPlans", func(ctx context.Context, c *client.Client) error {
			for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
				list, err := c.Plans(ctx)
				if err != nil || len(list.Plans) == 1 && list.Plans[0].Foresight != nil || time.Now().After(deadline) {
					return err
				}
			}
		}),
		one("getPlansName", does(func(ctx context.Context, c *client.Client) (*api.Plan, error) { return c.Plan(ctx, "p") })),
		one("postPlansNameStart", func(ctx context.Context, c *client.Client) error {
			req := api.PlanStartRequest{Actor: "ada", Reason: why}
			if _, err := c.ForeseePlan(ctx, "p", req); err != nil {
				return err
			}
			begun, err := c.StartPlan(ctx, "p", req)
			if err == nil {
				planned = begun.ID
			}
			return err
		}),
		one("getRuns", does(func(ctx context.Context, c *client.Client) (*api.Runs, error) { return c.Runs(ctx) })),
		one("getRunsId", func(ctx context.Context, c *client.Client) error {
			for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
				u, err := c.Run(ctx, planned)
				if err != nil || u.Status == "waiting" || time.Now().After(deadline) {
					return err
				}
			}
		}),
		one("postRunsIdApprove", does(func(ctx context.Context, c *client.Client) (*api.Run, error) {
			return c.ApproveRun(ctx, planned, api.RunRequest{Actor: "ada", Step: "word"})
		})),
		one("postRunsIdPause", does(func(ctx context.Context, c *client.Client) (*api.Run, error) {
			return c.PauseRun(ctx, planned, api.RunRequest{Actor: "ada"})
		})),
		one("postRunsIdResume", does(func(ctx context.Context, c *client.Client) (*api.Run, error) {
			return c.ResumeRun(ctx, planned, api.RunRequest{Actor: "ada"})
		})),
		one("getRunsIdEvidence", does(func(ctx context.Context, c *client.Client) (*ledger.Envelope, error) {
			return c.RunEvidence(ctx, planned)
		})),
		one("postRunsIdAbort", does(func(ctx context.Context, c *client.Client) (*api.Run, error) {
			return c.AbortRun(ctx, planned, api.RunRequest{Actor: "ada", Reason: why})
		})),
		one("getSafe", does(func(ctx context.Context, c *client.Client) (*api.Safe, error) { return c.Safe(ctx, scope) })),
		one("getLifeboat", does(func(ctx context.Context, c *client.Client) (*api.Lifeboat, error) { return c.Lifeboat(ctx, scope, "") })),
		one("getStaleness", does(func(ctx context.Context, c *client.Client) (*api.Staleness, error) {
			return c.Staleness(ctx, "www.example.org")
		})),
		one("deleteIntentsId", func(ctx context.Context, c *client.Client) error {
			dry := over
			dry.DryRun = true
			foreseen, err := c.EndIntent(ctx, intent, dry)
			if err != nil || foreseen.Preview == nil {
				return fmt.Errorf("no preview: %w", err)
			}
			_, err = c.EndIntent(ctx, intent, over)
			return err
		}),
		one("postPoolsZonePoolFailback", does(func(ctx context.Context, c *client.Client) (*api.Intent, error) {
			if _, err := c.PreviewFailback(ctx, "example.org", "web", pool); err != nil {
				return nil, err
			}
			return c.Failback(ctx, "example.org", "web", pool)
		})),
		one("postPoolsZonePoolReady", does(func(ctx context.Context, c *client.Client) (*api.Intent, error) {
			if _, err := c.PreviewReady(ctx, "example.org", "cold", pool); err != nil {
				return nil, err
			}
			return c.Ready(ctx, "example.org", "cold", pool)
		})),
		one("deletePoolsZonePoolReady", does(func(ctx context.Context, c *client.Client) (*api.Intents, error) {
			return c.Unready(ctx, "example.org", "cold", over)
		})),
		one("postFreeze", does(func(ctx context.Context, c *client.Client) (*api.Freeze, error) {
			return c.Freeze(ctx, api.FreezeRequest{Actor: "ada", Reason: why})
		})),
		one("postUnfreeze", does(func(ctx context.Context, c *client.Client) (*api.Freeze, error) {
			return c.Unfreeze(ctx, api.FreezeRequest{Actor: "ada"})
		})),
		one("postDrills", func(ctx context.Context, c *client.Client) error {
			req := api.DrillRequest{Scope: scope, ForSeconds: 60, Actor: "ada", Reason: why, AbortIf: []string{api.AbortRule}}
			if _, err := c.PreviewDrill(ctx, req); err != nil {
				return err
			}
			made, err := c.StartDrill(ctx, req)
			if err == nil {
				drill = made.ID
			}
			return err
		}),
		one("getDrills", does(func(ctx context.Context, c *client.Client) (*api.Drills, error) { return c.Drills(ctx) })),
		one("getDrillsId", does(func(ctx context.Context, c *client.Client) (*api.Drill, error) { return c.Drill(ctx, drill) })),
		one("deleteDrillsId", does(func(ctx context.Context, c *client.Client) (*api.Drill, error) { return c.AbortDrill(ctx, drill, over) })),
		one("getIncidents", func(ctx context.Context, c *client.Client) error {
			got, err := c.Incidents(ctx, false)
			if err == nil && len(got.Incidents) > 0 {
				incident = got.Incidents[0].ID
			}
			return err
		}),
		one("getIncidentsId", does(func(ctx context.Context, c *client.Client) (*ledger.Incident, error) {
			return c.Incident(ctx, incident)
		})),
		one("getIncidentsIdReportMd", func(ctx context.Context, c *client.Client) error {
			text, err := c.Report(ctx, incident)
			if err == nil && !strings.HasPrefix(text, "# ") {
				return fmt.Errorf("no Markdown: %q", text)
			}
			return err
		}),
		// What came back is answered.
		one("getIncidentsIdCertificate", does(func(ctx context.Context, c *client.Client) (*ledger.Envelope, error) {
			return c.Certificate(ctx, incident)
		}), 409),
		one("postIncidentsIdLateHits", does(func(ctx context.Context, c *client.Client) (*ledger.Incident, error) {
			return c.AddLateHits(ctx, incident, api.LateHitsRequest{Source: "nginx", Hits: []api.LateHit{{AfterSeconds: 1, Count: 2}}})
		})),
	}
	return append(append(all, readOperations()...), otherOperations(p, node, over, keys)...)
}

// readOperations read what there is.
func readOperations() []operation {
	ready := func(path string) api.Question { return api.Question{Name: path} }
	return []operation{
		{id: "getHealthz", do: does(func(ctx context.Context, c *client.Client) (*client.Life, error) { return c.Healthz(ctx) })},
		{id: "getStatus", do: does(func(ctx context.Context, c *client.Client) (*api.Status, error) { return c.Status(ctx) })},
		// What a node says of itself is of its last second: it may have been joining then.
		{id: "getFleet", refused: []int{503}, do: does(func(ctx context.Context, c *client.Client) (*fleet.SignedSummary, error) {
			return c.Fleet(ctx, "www.example.org", strings.Repeat("0f", fleet.NonceSize))
		})},
		{id: "getServicesNameCellsLabel", refused: []int{400}, do: does(func(ctx context.Context, c *client.Client) (*api.Cell, error) {
			return c.Cell(ctx, "www.example.org", "17", api.Assumptions{})
		})},
		{id: "getExplain", do: does(func(ctx context.Context, c *client.Client) (*api.Explanation, error) {
			return c.Explain(ctx, ready("www.example.org"))
		})},
		{id: "getWhatIf", do: does(func(ctx context.Context, c *client.Client) (*api.WhatIf, error) {
			return c.WhatIf(ctx, api.Assumptions{Down: []string{"pool=web"}, Drain: []string{"az=us-a"}, Weight: []string{"told=3"}})
		})},
		{id: "postProbe", do: does(func(ctx context.Context, c *client.Client) (*api.ProbeReply, error) {
			return c.Probe(ctx, "example.org/web/one")
		})},
		{id: "getAudit", do: does(func(ctx context.Context, c *client.Client) (*api.Audit, error) {
			if got, err := c.Audit(ctx, 10); err != nil || len(got.Entries) == 0 {
				return nil, fmt.Errorf("nothing recorded: %w", err)
			}
			return c.AuditAfter(ctx, 1, 10)
		})},
		{id: "getZones", do: does(func(ctx context.Context, c *client.Client) (*api.Zones, error) {
			return c.Zones(ctx, client.Page{Limit: 1})
		})},
		{id: "getZonesZoneKeys", do: does(func(ctx context.Context, c *client.Client) (*api.ZoneKeys, error) {
			return c.ZoneKeys(ctx, "example.org")
		})},
		{id: "getZonesZone", do: does(func(ctx context.Context, c *client.Client) (*api.ZoneDetail, error) {
			return c.Zone(ctx, "example.org")
		})},
		{id: "getServices", do: does(func(ctx context.Context, c *client.Client) (*api.Services, error) {
			return c.Services(ctx, client.Page{})
		})},
		{id: "getServicesName", do: does(func(ctx context.Context, c *client.Client) (*api.ServiceDetail, error) {
			return c.Service(ctx, "www.example.org")
		})},
		{id: "getPools", do: does(func(ctx context.Context, c *client.Client) (*api.Pools, error) { return c.Pools(ctx, client.Page{}) })},
		{id: "getPoolsZonePool", do: does(func(ctx context.Context, c *client.Client) (*api.PoolDetail, error) {
			return c.Pool(ctx, "example.org", "web")
		})},
		{id: "getEndpoints", do: does(func(ctx context.Context, c *client.Client) (*api.Endpoints, error) {
			return c.Endpoints(ctx, client.Page{})
		})},
		{id: "getEndpointsZonePoolEndpoint", do: does(func(ctx context.Context, c *client.Client) (*api.EndpointDetail, error) {
			return c.Endpoint(ctx, "example.org", "web", "one")
		})},
		{id: "getRegions", do: does(func(ctx context.Context, c *client.Client) (*api.Regions, error) {
			return c.Regions(ctx, client.Page{})
		})},
		{id: "getRegionsName", do: does(func(ctx context.Context, c *client.Client) (*api.AreaDetail, error) { return c.Region(ctx, "eu") })},
		{id: "getAzs", do: does(func(ctx context.Context, c *client.Client) (*api.AZs, error) { return c.AZs(ctx, client.Page{}) })},
		{id: "getAzsName", do: does(func(ctx context.Context, c *client.Client) (*api.AreaDetail, error) { return c.AZ(ctx, "eu-a") })},
		{id: "getConfig", do: does(func(ctx context.Context, c *client.Client) (*api.Config, error) { return c.Config(ctx) })},
		{id: "getConfigZonesZone", do: does(func(ctx context.Context, c *client.Client) (*api.RunningZone, error) {
			return c.RunningZone(ctx, "example.org")
		})},
		{id: "getEvents", do: does(func(ctx context.Context, c *client.Client) (*api.Events, error) {
			return c.Events(ctx, client.EventQuery{Limit: 5})
		})},
		{id: "getHooks", do: does(func(ctx context.Context, c *client.Client) (*api.Hooks, error) { return c.Hooks(ctx) })},
		{id: "getHooksNameDead", do: does(func(ctx context.Context, c *client.Client) (*api.DeadLetters, error) {
			return c.DeadLetters(ctx, "pager")
		})},
		{id: "getDiscovery", do: does(func(ctx context.Context, c *client.Client) (*api.Discovery, error) { return c.Discovery(ctx) })},
		{id: "getNodes", do: does(func(ctx context.Context, c *client.Client) (*api.Nodes, error) { return c.Nodes(ctx) })},
		{id: "getHistory", do: does(func(ctx context.Context, c *client.Client) (*api.History, error) {
			return c.History(ctx, api.HistoryState, 1)
		})},
		{id: "getMetrics", do: func(ctx context.Context, c *client.Client) error {
			text, err := c.Metrics(ctx)
			if err == nil && !strings.Contains(text, "fairlead_build_info") {
				return fmt.Errorf("no metrics: %q", text)
			}
			return err
		}},
		{id: "getOpenapiJson", do: func(ctx context.Context, c *client.Client) error {
			_, err := c.OpenAPI(ctx)
			return err
		}},
	}
}

// otherOperations are orders about files, nodes and logins.
func otherOperations(p *process, node api.NodeRequest, over api.EndRequest, keys func(verb string) api.KeyringRequest) []operation {
	file := api.RollbackRequest{File: "a.yaml", Actor: "ada", Reason: "x"}
	unknown := api.DiscoveryRequest{Actor: "ada", Reason: "x"}
	return []operation{
		{id: "postReload", do: func(ctx context.Context, c *client.Client) error {
			z, err := c.RunningZone(ctx, "example.org")
			if err != nil {
				return err
			}
			p.writeZone("a.yaml", string(z.Content)+"# another version\n")
			got, err := c.Reload(ctx, api.ReloadRequest{Actor: "ada", Reason: "x"})
			if err == nil && (len(got.Files) != 1 || got.Files[0].Outcome != api.ReloadTakenUp) {
				return fmt.Errorf("not taken up: %+v", got.Files)
			}
			return err
		}},
		{id: "postConfigRollback", do: does(func(ctx context.Context, c *client.Client) (*api.Config, error) { return c.Rollback(ctx, file) })},
		{id: "postConfigForward", do: does(func(ctx context.Context, c *client.Client) (*api.Config, error) { return c.Forward(ctx, file) })},
		{id: "postHooksNameRedeliver", do: does(func(ctx context.Context, c *client.Client) (*api.Hooks, error) {
			return c.Redeliver(ctx, "pager", over)
		})},
		// No cluster of Kubernetes is configured.
		{id: "postDiscoveryClusterAccept", refused: []int{404}, do: does(func(ctx context.Context, c *client.Client) (*api.Discovery, error) {
			return c.AcceptDiscovered(ctx, "eu-1", unknown)
		})},
		{id: "postDiscoveryClusterAdopt", refused: []int{404}, do: does(func(ctx context.Context, c *client.Client) (*api.Discovery, error) {
			return c.AdoptDiscovered(ctx, "eu-1", unknown)
		})},
		{id: "postKeyring", do: does(func(ctx context.Context, c *client.Client) (*api.KeyringResult, error) {
			return c.Keyring(ctx, keys("add"))
		})},
		{id: "postCut", do: does(func(ctx context.Context, c *client.Client) (*api.Nodes, error) {
			return c.Cut(ctx, api.CutRequest{Actor: "ada", Reason: "x", ForSeconds: 60})
		})},
		{id: "deleteCut", do: does(func(ctx context.Context, c *client.Client) (*api.Nodes, error) { return c.Heal(ctx, over) })},
		{id: "getTokens", do: does(func(ctx context.Context, c *client.Client) (*api.Tokens, error) { return c.Tokens(ctx) })},
		{id: "postTokens", do: does(func(ctx context.Context, c *client.Client) (*api.TokenCreated, error) {
			return c.CreateToken(ctx, api.TokenRequest{Name: "ci", Role: "viewer", Actor: "ada", ForSeconds: 60})
		})},
		{id: "deleteTokensName", do: does(func(ctx context.Context, c *client.Client) (*api.Token, error) { return c.RevokeToken(ctx, "ci", over) })},
		{id: "postUiLinks", do: does(func(ctx context.Context, c *client.Client) (*api.LoginLink, error) {
			return c.LoginLink(ctx, api.LoginLinkRequest{Actor: "ada", Role: "viewer"})
		})},
		{id: "deleteNodesNodeStopped", do: does(func(ctx context.Context, c *client.Client) (*api.Intents, error) {
			return c.UndeclareStopped(ctx, "n2", over)
		})},
		{id: "postNodesNodeRemoved", do: does(func(ctx context.Context, c *client.Client) (*api.Intent, error) {
			if _, err := c.PreviewRemoved(ctx, "n2", node); err != nil {
				return nil, err
			}
			return c.DeclareRemoved(ctx, "n2", node)
		})},
		{id: "deleteNodesNodeRemoved", do: does(func(ctx context.Context, c *client.Client) (*api.Intents, error) {
			return c.UndeclareRemoved(ctx, "n2", over)
		})},
	}
}
