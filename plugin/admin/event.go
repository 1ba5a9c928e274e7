package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	defaultEvents = 100
	// maxStreams bounds how many clients follow at once.
	maxStreams = 64
	// heartbeat is how often a stream on which nothing happens says that it lives.
	heartbeat = 15 * time.Second
	// streamTimeout is how long one write to a stream may take: who is slower is dropped, and asks again from where it was.
	streamTimeout = 5 * time.Second
)

// eventStream is the media type of server-sent events (WHATWG HTML section 9.2).
const eventStream = "text/event-stream"

func (s *Server) eventRoutes() []route {
	return []route{{
		method: http.MethodGet, path: api.EventsPath, role: viewer, doc: "What happened; with Accept: text/event-stream as it happens.", reply: api.Events{},
		query: []parameter{
			{"after", "a number: events after it, oldest first; without it the latest ones"}, {"limit", "1 to 1000"},
			{"type", "a type, or the beginning of one with * behind; may be given again and again"}, {"subject", "a part of the subject"},
		},
		handle: s.events, stream: s.streamEvents,
	}}
}

// An eventQuery is what a client wants to see.
type eventQuery struct {
	after  uint64
	since  bool
	limit  int
	filter event.Filter
}

func eventQueryOf(r *http.Request) (q eventQuery, err error) {
	values, err := query(r, "after", "limit", "type", "subject")
	if err != nil {
		return q, err
	}
	q.limit, q.filter = defaultEvents, event.Filter{Types: values["type"], Subject: values.Get("subject")}
	if text := values.Get("limit"); text != "" {
		if q.limit, err = strconv.Atoi(text); err != nil || q.limit < 1 || q.limit > api.MaxEvents {
			return q, fmt.Errorf("limit %q: want 1 to %d", text, api.MaxEvents)
		}
	}
	text := values.Get("after")
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		text = id
	}
	if q.since = text != ""; q.since {
		if q.after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return q, fmt.Errorf("after %q: want the number of an event", text)
		}
	}
	return q, nil
}

func (s *Server) events(r *http.Request) (int, any) {
	q, err := eventQueryOf(r)
	if err != nil {
		return invalid(err)
	}
	out := api.Events{Events: []api.Event{}}
	var list []event.Event
	if q.since {
		list, out.Next, out.Missed, _ = s.opts.Events.After(q.after, q.limit, q.filter)
	} else {
		list, out.Next = s.opts.Events.Last(q.limit, q.filter), s.opts.Events.Seq()
	}
	for i := range list {
		out.Events = append(out.Events, api.Event(list[i]))
	}
	return http.StatusOK, out
}

// streamEvents sends events as they happen until the client goes away or the node ends.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) {
	q, err := eventQueryOf(r)
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	if s.streams.Add(1) > maxStreams {
		s.streams.Add(-1)
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable, fmt.Sprintf("%d clients follow already", maxStreams))
		return
	}
	defer s.streams.Add(-1)
	if !q.since {
		q.after = s.opts.Events.Seq()
	}
	out := streamWriter{w: w, control: http.NewResponseController(w)}
	w.Header().Set("Content-Type", eventStream)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_ = out.control.SetReadDeadline(time.Time{})
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		list, next, missed, more := s.opts.Events.After(q.after, api.MaxEvents, q.filter)
		if missed {
			out.text(": some events before are not kept any more\n\n")
		}
		for i := range list {
			out.event(&list[i])
		}
		q.after = next
		if out.flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.ending:
			return
		case <-more:
		case <-beat.C:
			out.text(": alive\n\n")
		}
	}
}

// A streamWriter writes with a deadline for each part; the first error stays.
type streamWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (s *streamWriter) text(t string) {
	if s.err != nil {
		return
	}
	if s.err = s.control.SetWriteDeadline(time.Now().Add(streamTimeout)); s.err == nil {
		_, s.err = s.w.Write([]byte(t))
	}
}

func (s *streamWriter) event(e *event.Event) {
	b, err := json.Marshal(api.Event(*e))
	if err != nil {
		return
	}
	s.text(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.Seq, strings.ReplaceAll(e.Type, "\n", " "), b))
}

func (s *streamWriter) flush() error {
	if s.err == nil {
		s.err = s.control.Flush()
	}
	return s.err
}
