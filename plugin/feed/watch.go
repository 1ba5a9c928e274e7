package feed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/feed/wire"
)

const (
	kindHTTP = "http"
	// renewMost is the longest time between two messages to a subscriber: who hears nothing for twice that has lost the node.
	renewMost = 5 * time.Second
	// renewPart is after which part of what a message may be kept the next one comes.
	renewPart = 3
	// maxAck bounds the body of an acknowledgement.
	maxAck = 1024
)

// An encodedChange is a wire.Change whose parts are encoded already.
type encodedChange struct {
	Version string            `json:"version"`
	Given   []json.RawMessage `json:"given"`
}

// A watch is one stream of events.
type watch struct {
	server  *Server
	sub     *subscriber
	client  client
	names   []name
	w       io.Writer
	control *http.ResponseController
	// etags are what was sent last, by name; nil before anything was.
	etags []uint64
	// renewAt is when the next message is due.
	renewAt time.Time
}

// watch streams what is given under some names.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	c, err := clientOf(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	asked := r.URL.Query()["name"]
	if len(asked) == 0 || len(asked) > wire.MaxNames {
		fail(w, http.StatusBadRequest, fmt.Sprintf("%d names, want 1 to %d", len(asked), wire.MaxNames))
		return
	}
	x := &watch{server: s, client: c, w: w, control: http.NewResponseController(w)}
	for _, text := range asked {
		n, err := parseName(text)
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
		x.names = append(x.names, n)
	}
	if status, err := x.check(); err != nil {
		fail(w, status, err.Error())
		return
	}
	if x.sub = s.opts.Hub.join(kindHTTP); x.sub == nil {
		fail(w, http.StatusServiceUnavailable, "too many subscribers")
		return
	}
	defer func() { s.opts.Hub.leave(x.sub, time.Now()) }()
	// The reader has said all it will; ReadTimeout is for the request alone.
	_ = x.control.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	x.run(r)
}

// check tells whether all names can be watched now.
func (x *watch) check() (status int, err error) {
	lease := x.server.opts.Source.Enter(x.client.stripe)
	defer lease.Leave()
	if lease.Snapshot == nil {
		return http.StatusServiceUnavailable, errShut
	}
	for _, n := range x.names {
		q := x.server.question(n, 0, x.client)
		if q.Shut {
			return http.StatusServiceUnavailable, errShut
		}
		if _, ok := lease.Snapshot.Give(&q, time.Now()); !ok {
			return http.StatusNotFound, fmt.Errorf("%s is no service of this node", n.text)
		}
	}
	return 0, nil
}

// run sends until somebody ends it.
func (x *watch) run(r *http.Request) {
	s := x.server
	hello := wire.Hello{Node: s.opts.Source.Name(), Subscriber: x.sub.id, Transit: s.opts.Transit.Seconds()}
	if !x.write(event(wire.EventHello, "", hello)) {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		version, changed := s.opts.Hub.now()
		if reason, ok := x.turn(version, time.Now()); !ok {
			if reason != "" {
				x.write(event(wire.EventEnd, "", wire.End{Reason: reason}))
			}
			return
		}
		timer.Reset(time.Until(x.renewAt))
		select {
		case <-changed:
		case <-timer.C:
		case <-r.Context().Done():
			return
		case <-s.ending:
			x.write(event(wire.EventEnd, "", wire.End{Reason: "this node is stopping: ask another one"}))
			return
		}
	}
}

// turn sends what has changed at a version, or renews what has not if it is time. ok is unset at the end of the stream.
func (x *watch) turn(version uint64, at time.Time) (reason string, ok bool) {
	s := x.server
	lease := s.opts.Source.Enter(x.client.stripe)
	defer lease.Leave()
	snap := lease.Snapshot
	if snap == nil {
		return errShut.Error(), false
	}
	given, reason := x.give(snap, at)
	if reason != "" {
		return reason, false
	}
	var message []byte
	until := at
	for i := range given {
		until = ledger.Later(until, at.Add(time.Duration(given[i].TTL)*time.Second))
	}
	switch change := x.changed(given); {
	case change != nil:
		out := encodedChange{Version: versionText(s.opts.Hub.life, version)}
		keys := make(map[ledger.Key]bool)
		for i := range given {
			given[i].Keys(snap.Ledger(), keys)
		}
		for _, i := range change {
			out.Given = append(out.Given, s.encoder.encode(s, snap, x.names[i], &given[i], at))
		}
		message = event(wire.EventGiven, out.Version, out)
		s.opts.Hub.giving(x.sub, version, keys, until)
		s.metrics.changes.Inc()
	case at.Before(x.renewAt):
		s.opts.Hub.same(x.sub, version, at)
		return "", true
	default:
		s.opts.Hub.same(x.sub, version, at)
		s.opts.Hub.renewed(x.sub, until)
		message = event(wire.EventLease, "", x.renewal(given, at))
	}
	x.renewAt = at.Add(renewAfter(given))
	if _, shut := s.opts.Source.Terms(); shut {
		return errShut.Error(), false
	}
	written := x.write(message)
	// Whatever came of the write.
	s.stampAll(snap.Ledger(), given)
	return "", written
}

// give is what is given under all names; reason says why the stream ends instead.
func (x *watch) give(snap *answer.Snapshot, at time.Time) (given []answer.Given, reason string) {
	given = make([]answer.Given, len(x.names))
	for i, n := range x.names {
		q := x.server.question(n, 0, x.client)
		if q.Shut {
			return nil, errShut.Error()
		}
		var ok bool
		if given[i], ok = snap.Give(&q, at); !ok {
			return nil, n.text + " is no service of this node any more"
		}
	}
	return given, ""
}

// changed are the names under which something else is given than was sent last, and notes it as sent.
func (x *watch) changed(given []answer.Given) (names []int) {
	first := x.etags == nil
	if first {
		x.etags = make([]uint64, len(given))
	}
	for i := range given {
		if first || x.etags[i] != given[i].Hash {
			names, x.etags[i] = append(names, i), given[i].Hash
		}
	}
	return names
}

// renewal renews what is given.
func (x *watch) renewal(given []answer.Given, at time.Time) wire.Lease {
	var out wire.Lease
	for i := range given {
		out.Names = append(out.Names, wire.Renewal{Name: x.names[i].text, MaxAge: given[i].TTL, ExpiresAt: expiry(at, given[i].TTL)})
	}
	return out
}

// renewAfter is after which time the next message is due: before anything expires, with time for it to arrive.
func renewAfter(given []answer.Given) time.Duration {
	wait := renewMost
	for i := range given {
		wait = min(wait, time.Duration(given[i].TTL)*time.Second/renewPart)
	}
	return max(wait, 100*time.Millisecond)
}

// stampAll notes that all of it has been written.
func (s *Server) stampAll(book *ledger.Ledger, given []answer.Given) {
	s.workers.use(book, func(w *ledger.Worker) {
		now := book.Now()
		for i := range given {
			given[i].Stamp(w, now, given[i].TTL)
		}
	})
}

// write writes an event; what is not taken in time ends the stream.
func (x *watch) write(message []byte) bool {
	_ = x.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := x.w.Write(message); err != nil {
		return false
	}
	return x.control.Flush() == nil
}

// event is one as it is written.
func event(kind, id string, data any) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", kind)
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	b.WriteString("data: ")
	// Our own types encode; Encode ends the line, and JSON has none in it.
	_ = json.NewEncoder(&b).Encode(data)
	b.WriteByte('\n')
	return b.Bytes()
}

// versionText is a version as it is acknowledged.
func versionText(life string, version uint64) string {
	return life + "-" + strconv.FormatUint(version, 10)
}

// parseVersion reads what versionText wrote; ok is unset for that of another life.
func parseVersion(life, text string) (version uint64, ok bool) {
	digits, ok := strings.CutPrefix(text, life+"-")
	if !ok {
		return 0, false
	}
	version, err := strconv.ParseUint(digits, 10, 64)
	return version, err == nil
}

// ack takes an acknowledgement.
func (s *Server) ack(w http.ResponseWriter, r *http.Request) {
	var a wire.Ack
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAck)).Decode(&a); err != nil {
		fail(w, http.StatusBadRequest, "want an acknowledgement: "+`{"subscriber": "…", "version": "…"}`)
		return
	}
	version, ours := parseVersion(s.opts.Hub.life, a.Version)
	known, sent := false, false
	if ours {
		known, sent = s.opts.Hub.ackFrom(a.Subscriber, version, time.Now())
	}
	switch {
	case !known:
		fail(w, http.StatusNotFound, "no such subscriber or version here: the stream has ended, or is of another node")
	case !sent:
		s.metrics.lies.Inc()
		s.opts.Logger.Warn("a subscriber acknowledges what it was not sent: it is not believed any more", "from", r.RemoteAddr, "version", version)
		fail(w, http.StatusConflict, "that version was not sent to this subscriber: it counts as unconfirmed from now on")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}
