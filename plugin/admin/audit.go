package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/fairlead-dns/fairlead/health/audit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// defaultAudit is how many entries a GET without a limit gets.
const defaultAudit = 50

// A Journal keeps what operators asked for and what came of it.
type Journal interface {
	// Reserve makes sure that the next Append has the space that it needs.
	Reserve() error
	// Append returns nil when the entry is on disk for good.
	Append(audit.Entry) error
	// Read returns at most limit entries after a sequence number, Last the latest ones; an *audit.ChainError may come with
	// entries.
	Read(after uint64, limit int) ([]audit.Entry, error)
	Last(limit int) ([]audit.Entry, error)
}

// A record is the entry of a request while it is handled.
//
// The journal is asked for room before anything is done: a disk that is full or read-only refuses the order with 507. The
// entry is appended after the outcome is known, and before the reply. Should that fail all the same, what was done stays
// done, for it may be what ends an outage: the reply is 500 and says so, and the journal counts it. (An entry before and one
// after would be two fsyncs for each order, and a crash between them says no more than a crash between order and entry.)
type record struct {
	audit.Entry
	server *Server
	// held: the server's writes are locked until the entry is on disk, so that the order of the entries is that of the orders.
	held bool
	// dryRun: nothing is done, and nothing is kept.
	dryRun bool
	// keeps is what is recorded instead of a reply that holds a secret.
	keeps any
}

type recordKey struct{}

// recordOf is the record of a request for a route that has an action.
func recordOf(r *http.Request) *record { return r.Context().Value(recordKey{}).(*record) }

// asks notes who asks, and why.
func (rec *record) asks(actor, reason string) { rec.Actor, rec.Reason = actor, reason }

// reserve comes before anything is done. On an error nothing may be.
func (rec *record) reserve() error {
	rec.hold()
	if err := rec.server.opts.Journal.Reserve(); err != nil {
		return fmt.Errorf("nothing was done, for it could not be recorded: %w", err)
	}
	return nil
}

// unrecorded is the reply to an order for which there is no room in the journal.
func unrecorded(err error) (int, any) {
	return http.StatusInsufficientStorage, failure(http.StatusInsufficientStorage, err)
}

func (rec *record) hold() {
	if !rec.held {
		rec.server.writes.Lock()
		rec.held = true
	}
}

func (rec *record) release() {
	if rec.held {
		rec.server.writes.Unlock()
	}
}

// outcome notes what came of it: what a POST made is what is after it, what a DELETE ended is what was before it.
func (rec *record) outcome(method string, body any) {
	p, failed := body.(*api.Problem)
	if rec.keeps != nil && !failed {
		body = rec.keeps
	}
	switch {
	case failed && p.Rule != "":
		rec.Outcome = audit.Refused + p.Rule
	case failed:
		rec.Outcome = audit.Failed + p.Detail
	case method == http.MethodDelete:
		rec.Outcome, rec.Before = audit.OutcomeOK, encoded(body)
	default:
		rec.Outcome, rec.After = audit.OutcomeOK, encoded(body)
	}
}

// encoded is a value of package api, all of which can be encoded.
func encoded(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// recorded handles a request for a route with an action, and records it.
func (s *Server) recorded(rt *route, handle func(*http.Request) (int, any), r *http.Request) (int, any) {
	l := loginOf(r.Context())
	rec := &record{server: s, Entry: audit.Entry{Node: s.opts.Node.Name(), Actor: l.name, From: peerOf(r.Context()), Action: rt.action}}
	defer rec.release()
	var asked bytes.Buffer
	r.Body = teeBody{io.TeeReader(r.Body, &asked), r.Body}
	status, body := handle(r.WithContext(context.WithValue(r.Context(), recordKey{}, rec)))
	if rec.dryRun {
		return status, body
	}
	rec.outcome(rt.method, body)
	if rec.Outcome != audit.OutcomeOK && !rt.hidesBody && json.Valid(asked.Bytes()) {
		rec.Asked = asked.Bytes()
	}
	rec.hold()
	err := s.opts.Journal.Append(rec.Entry)
	if err == nil {
		return status, body
	}
	s.opts.Logger.Error("not recorded", "action", rec.Action, "object", rec.Object, "actor", rec.Actor, "from", rec.From,
		"outcome", rec.Outcome, "err", err)
	if rec.Outcome == audit.OutcomeOK {
		status = http.StatusInternalServerError
		return status, failure(status, fmt.Errorf("done and in force, but not recorded: %w", err))
	}
	return status, body
}

// A teeBody keeps what is read of a request. It is bounded as bodies are.
type teeBody struct {
	io.Reader
	io.Closer
}

// journal answers with a part of the record.
func (s *Server) journal(r *http.Request) (int, any) {
	values, err := query(r, "after", "limit")
	if err != nil {
		return invalid(err)
	}
	limit := defaultAudit
	if text := values.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > api.MaxAudit {
			return invalid(fmt.Errorf("limit %q: want 1 to %d", text, api.MaxAudit))
		}
	}
	var entries []audit.Entry
	if text := values.Get("after"); text == "" {
		entries, err = s.opts.Journal.Last(limit)
	} else {
		after, parseErr := strconv.ParseUint(text, 10, 64)
		if parseErr != nil {
			return invalid(fmt.Errorf("after %q: want a sequence number", text))
		}
		entries, err = s.opts.Journal.Read(after, limit)
	}
	out := api.Audit{Entries: make([]api.AuditEntry, 0, len(entries))}
	for _, e := range entries {
		out.Entries = append(out.Entries, api.AuditEntry(e))
	}
	if broken, ok := errors.AsType[*audit.ChainError](err); ok {
		out.Broken = broken.Error()
	} else if err != nil {
		return http.StatusServiceUnavailable, failure(http.StatusServiceUnavailable, err)
	}
	return http.StatusOK, out
}
