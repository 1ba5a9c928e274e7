package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	idempotencyHeader = "Idempotency-Key"
	// A reply is kept for replyLife, if there are not more than maxReplies or maxReplyOctets in all; then the one that was
	// used least lately goes.
	replyLife      = 24 * time.Hour
	maxReplies     = 1000
	maxReplyOctets = 16 << 20
	// maxIdempotencyKey is in octets; a UUID has 36.
	maxIdempotencyKey = 255
)

// replies are what requests with an idempotency key got, so that a client that lost the reply can ask again without doing it
// again. They are in memory: a restart forgets them.
type replies struct {
	mu sync.Mutex
	// The rest is guarded by mu; octets is the sum of all bodies.
	table  *simplelru.LRU[replyKey, *keptReply]
	octets int
}

// A replyKey is a key of one login: nobody gets what somebody else asked for.
type replyKey struct{ login, key string }

// A keptReply is written before done is closed.
type keptReply struct {
	request [sha256.Size]byte
	at      time.Time
	done    chan struct{}
	// kept is unset when the next one shall try again.
	kept  bool
	reply encodedReply
}

func newReplies() *replies {
	r := new(replies)
	// The size is positive, which is all that could be wrong.
	r.table, _ = simplelru.NewLRU(maxReplies, func(_ replyKey, k *keptReply) { r.octets -= len(k.reply.body) })
	return r
}

var (
	errOtherRequest = errors.New("this Idempotency-Key was used for another request")
	errIdempotency  = errors.New("Idempotency-Key: want 1 to 255 visible characters of ASCII")
)

// once does what a request with an idempotency key asks for, unless that was done already: then it is the reply of that time.
func (r *replies) once(ctx context.Context, key replyKey, request [sha256.Size]byte, do func() encodedReply) (e encodedReply, replayed bool) {
	for {
		k, mine := r.take(key, request, time.Now())
		switch {
		case k == nil:
			return encodeReply(http.StatusUnprocessableEntity, failure(http.StatusUnprocessableEntity, errOtherRequest)), false
		case mine:
			return r.fill(key, k, do), false
		}
		select {
		case <-k.done:
		case <-ctx.Done():
			return encodeReply(http.StatusServiceUnavailable, failure(http.StatusServiceUnavailable, ctx.Err())), false
		}
		if k.kept {
			return k.reply, true
		}
	}
}

// take is the entry of a key, and whether the caller has to fill it; nil if it is that of another request.
func (r *replies) take(key replyKey, request [sha256.Size]byte, now time.Time) (k *keptReply, mine bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.table.Get(key); ok && now.Sub(k.at) < replyLife {
		if k.request != request {
			return nil, false
		}
		return k, false
	}
	r.table.Remove(key)
	k = &keptReply{request: request, at: now, done: make(chan struct{})}
	r.table.Add(key, k)
	return k, true
}

// fill does it and keeps the reply, unless nothing was done for a reason that may pass.
func (r *replies) fill(key replyKey, k *keptReply, do func() encodedReply) encodedReply {
	var e encodedReply
	// A panic leaves nothing behind.
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		current, _ := r.table.Peek(key)
		if k.kept = e.status != 0 && e.status <= http.StatusInternalServerError; !k.kept {
			if current == k {
				r.table.Remove(key)
			}
		} else if k.reply = e; current == k {
			for r.octets += len(e.body); r.octets > maxReplyOctets; {
				r.table.RemoveOldest()
			}
		}
		close(k.done)
	}()
	e = do()
	return e
}

// idempotent is what do answers, or has answered to the same request before.
func (s *Server) idempotent(w http.ResponseWriter, req *http.Request, do func(*http.Request) encodedReply) encodedReply {
	key := req.Header.Get(idempotencyHeader)
	if len(key) > maxIdempotencyKey || len(req.Header.Values(idempotencyHeader)) > 1 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return encodeReply(invalid(errIdempotency))
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return encodeReply(invalid(err))
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	l := loginOf(req.Context())
	request := sha256.Sum256(append([]byte(req.Method+" "+req.URL.RequestURI()+"\n"), body...))
	e, replayed := s.replies.once(req.Context(), replyKey{l.how, key}, request, func() encodedReply { return do(req) })
	if replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	return e
}
