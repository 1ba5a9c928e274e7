package fairlead

import (
	"context"
	"sync/atomic"

	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/node"
	"github.com/fairlead-dns/fairlead/plugin/abuse"
	"github.com/fairlead-dns/fairlead/plugin/explain"
	"github.com/fairlead-dns/fairlead/plugin/fastlane"
	"github.com/fairlead-dns/fairlead/plugin/secondary"
)

// A backend is what a Handler answers from; a *node.Node is one.
type backend interface {
	fastlane.Node
	// Explainer explains what is served.
	Explainer() (*explain.Explainer, error)
	// Guards are the cookies and the limits, Secondaries the zones that are transferred, nil for none.
	Guards() abuse.Guards
	Secondaries() *secondary.Zones
	// Ready is nil while queries are answered from live evidence.
	Ready() error
}

// A Handler answers for one server block. It implements plugin.Handler, ready.Readiness and cache.ZoneBypasser.
type Handler struct {
	Next plugin.Handler

	directive *directive
	// from is what answers; set at OnStartup, before the listeners open.
	from atomic.Pointer[backend]
	// files is the prefix of the zone files that this block serves; empty when there is one block alone.
	// Set at OnStartup.
	files string
}

// Name is the directive.
func (h *Handler) Name() string { return pluginName }

// serve has the handler answer from b.
func (h *Handler) serve(b backend) { h.from.Store(&b) }

// backend is what answers; nil before OnStartup.
func (h *Handler) backend() backend {
	if b := h.from.Load(); b != nil {
		return *b
	}
	return nil
}

// ServeDNS answers from the snapshot in force.
func (h *Handler) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	if r.Response {
		// An answer to an answer could go on for ever.
		return dns.RcodeSuccess, nil
	}
	if len(r.Question) != 1 {
		// RFC 9619.
		return dns.RcodeFormatError, nil
	}
	if r.Opcode != dns.OpcodeQuery {
		return dns.RcodeNotImplemented, nil
	}
	if r.IsTsig() != nil {
		// The plugin tsig takes off what it knows.
		return refuseTSIG(w, r)
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if !s.read(w, r) {
		return dns.RcodeFormatError, nil
	}
	ours, err := h.reply(w, r, s)
	switch {
	case err != nil:
		return dns.RcodeServerFailure, err
	case ours:
		// Whatever the RCODE in it: a reply was written.
		return dns.RcodeSuccess, nil
	}
	if h.directive.fall.Through(r.Question[0].Name) {
		return plugin.NextOrFailure(pluginName, h.Next, ctx, w, r)
	}
	return dns.RcodeRefused, nil
}

// reply writes the answer to the question in s. ours is unset, and nothing written, when the name is in no zone of ours.
func (h *Handler) reply(w dns.ResponseWriter, r *dns.Msg, s *scratch) (ours bool, err error) {
	n := h.backend()
	if n == nil {
		return false, plugin.Error(pluginName, node.ErrNoSnapshot)
	}
	s.question.Files, s.question.Issued = h.files, &s.issued
	s.question.Locator, s.question.Shut = n.Terms()
	lease := n.Enter(s.question.Stripe)
	defer lease.Leave()
	if lease.Snapshot == nil {
		return false, plugin.Error(pluginName, node.ErrNoSnapshot)
	}
	if h.directive.explains(&s.question) {
		return h.explain(n, w, r, &s.question)
	}
	book := lease.Snapshot.Ledger()
	worker := book.Worker(&s.worker)
	s.question.Past = worker.Last()
	guards := n.Guards()
	s.show(guards, r)
	packed, info, ours := lease.Snapshot.Append(s.reply[:0], &s.question)
	if !ours {
		return false, nil
	}
	if _, shut := n.Terms(); shut && !s.question.Shut {
		// The lease ended while the answer was made, in a process that stood still.
		s.question.Shut = true
		packed, info, _ = lease.Snapshot.Append(packed[:0], &s.question)
	}
	var drop bool
	if packed, drop = s.bound(guards, packed, &info, book.Now); drop {
		return true, nil
	}
	s.reply = packed[:0]
	// A write that fails is the client's loss: it asks again. There is nobody to tell, and it may have gone out all the same.
	_ = write(w, packed, info.RCode)
	if !s.issued.Empty() {
		// Before the lease ends: who waits for that finds everything stamped.
		s.issued.Stamp(worker, book.Now())
	}
	return true, nil
}

// CacheBypassZones keeps the plugin `cache` from holding answers longer than their TTL promised. Zones come and go while
// the server runs, so these are the names of the server block, which all zones are at or below.
func (h *Handler) CacheBypassZones() []string { return h.directive.origins }

// Ready is the plugin `ready`: a snapshot is served and the prober turns. Whom the node hears plays no part in it; it is not
// ready while it joins the cluster, or while it is drained.
func (h *Handler) Ready() bool {
	n := h.backend()
	return n != nil && n.Ready() == nil
}
