package admin

import (
	"errors"
	"net/http"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// ErrNoCluster says that neither a zone file nor the node file names a cluster.
var ErrNoCluster = errors.New("nothing here names the cluster")

func (s *Server) discoveryRoutes() []route {
	const cluster = api.DiscoveryPath + "/{cluster}"
	return []route{
		{method: http.MethodGet, path: api.DiscoveryPath, role: viewer, doc: "What clusters of Kubernetes, and host names, give the pools.", reply: api.Discovery{}, handle: s.discovery},
		{
			method: http.MethodPost, path: cluster + "/accept", role: operator, action: "discovery accept", doc: "Lets go of the endpoints that a cluster does not name any more.",
			body: api.DiscoveryRequest{}, reply: api.Discovery{}, handle: s.acceptDiscovery,
		},
		{
			method: http.MethodPost, path: cluster + "/adopt", role: operator, action: "discovery adopt", doc: "Takes the cluster behind the URL for the one that was read.",
			body: api.DiscoveryRequest{}, reply: api.Discovery{}, handle: s.adoptDiscovery,
		},
	}
}

func (s *Server) discovery(*http.Request) (int, any) {
	return http.StatusOK, s.discovered()
}

func (s *Server) discovered() *api.Discovery {
	return &api.Discovery{Node: s.opts.Node.Name(), Clusters: s.opts.Node.Discovery.Status(), Hosts: s.opts.Node.hosts()}
}

// hosts are the host names that are resolved.
func (n Node) hosts() []api.ResolvedHost {
	if n.Resolved == nil {
		return nil
	}
	return n.Resolved.Status()
}

func (s *Server) acceptDiscovery(r *http.Request) (int, any) {
	return s.orderDiscovery(r, s.opts.Node.Discovery.Accept)
}

func (s *Server) adoptDiscovery(r *http.Request) (int, any) {
	return s.orderDiscovery(r, s.opts.Node.Discovery.Adopt)
}

func (s *Server) orderDiscovery(r *http.Request, do func(cluster string) error) (int, any) {
	req, rec, err := asked[api.DiscoveryRequest](r)
	if err != nil {
		return invalid(err)
	}
	rec.Object = "cluster " + r.PathValue("cluster")
	if req.Reason == "" {
		return invalid(errors.New("reason: required, endpoints leave by it"))
	}
	if err := health.ValidateWords(req.Actor, req.Reason); err != nil {
		return invalid(err)
	}
	if err := rec.reserve(); err != nil {
		return unrecorded(err)
	}
	if err := do(r.PathValue("cluster")); errors.Is(err, ErrNoCluster) {
		return http.StatusNotFound, failure(http.StatusNotFound, err)
	} else if err != nil {
		return http.StatusConflict, failure(http.StatusConflict, err)
	}
	return http.StatusOK, s.discovered()
}
