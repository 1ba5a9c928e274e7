package admin

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func TestIdempotencyKey(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca)
	drain := contract["POST /api/v1/intents"].body
	other := strings.Replace(drain, "eu-a", "eu-b", 1)
	had := len(s.node.intents)
	first, made := s.do(c, "POST", api.IntentsPath, drain, s.secrets[operator], idempotencyHeader, "k1")
	require.Equal(t, http.StatusCreated, first.StatusCode, made)
	for _, tt := range []struct {
		name, path, body, key string
		as                    role
		status, more          int
		replayed              bool
	}{
		{"again", api.IntentsPath, drain, "k1", operator, 201, 0, true},
		{"another body", api.IntentsPath, other, "k1", operator, 422, 0, false},
		{"another path", api.FreezePath, drain, "k1", operator, 422, 0, false},
		{"another key", api.IntentsPath, drain, "k2", operator, 201, 1, false},
		{"another login", api.IntentsPath, drain, "k1", administrator, 201, 1, false},
		{"no key", api.IntentsPath, drain, "", operator, 201, 1, false},
		{"a key that is none", api.IntentsPath, drain, "a b", operator, 400, 0, false},
		{"255 octets", api.IntentsPath, drain, strings.Repeat("k", 255), operator, 201, 1, false},
		{"256 octets", api.IntentsPath, drain, strings.Repeat("k", 256), operator, 400, 0, false},
	} {
		entries := len(s.journal.entries)
		before := len(s.node.intents)
		r, body := s.do(c, "POST", tt.path, tt.body, s.secrets[tt.as], idempotencyHeader, tt.key)
		require.Equal(t, tt.status, r.StatusCode, "%s: %s", tt.name, body)
		require.Equal(t, before+tt.more, len(s.node.intents), tt.name)
		require.Len(t, s.journal.entries, entries+tt.more, tt.name)
		require.Equal(t, tt.replayed, r.Header.Get("Idempotency-Replayed") == "true", tt.name)
		if tt.replayed {
			require.Equal(t, made, body)
		}
		if tt.status >= 400 {
			problemIn(t, r, body)
		}
	}
	require.Equal(t, had+5, len(s.node.intents))

	// A refusal is a reply too; a trouble that may pass is not kept.
	s.node.intendErr = fmt.Errorf("no space left")
	r, _ := s.do(c, "POST", api.IntentsPath, drain, s.secrets[operator], idempotencyHeader, "full")
	require.Equal(t, http.StatusInsufficientStorage, r.StatusCode)
	s.node.intendErr = nil
	r, _ = s.do(c, "POST", api.IntentsPath, drain, s.secrets[operator], idempotencyHeader, "full")
	require.Equal(t, http.StatusCreated, r.StatusCode)

	// What holds a secret is kept nowhere: the second one finds the name taken.
	for _, want := range []int{201, 409} {
		r, _ = s.do(c, "POST", api.TokensPath, `{"name":"x","role":"viewer","forever":true}`, s.secrets[administrator], idempotencyHeader, "t")
		require.Equal(t, want, r.StatusCode)
	}
}

func TestReplyTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, ctx := newReplies(), context.Background()
		key := func(i int) replyKey { return replyKey{"ci", fmt.Sprint(i)} }
		request, calls := sha256.Sum256(nil), 0
		ask := func(i, status, size int) encodedReply {
			e, _ := r.once(ctx, key(i), request, func() encodedReply {
				calls++
				return encodedReply{status: status, body: make([]byte, size)}
			})
			return e
		}
		ask(1, 200, 10)
		time.Sleep(replyLife - 1)
		ask(1, 200, 10)
		require.Equal(t, []int{1, 10}, []int{calls, r.octets})
		time.Sleep(time.Nanosecond)
		ask(1, 200, 20)
		require.Equal(t, []int{2, 20}, []int{calls, r.octets}, "a day is over")

		// Two at once: the second waits for the first.
		release, both := make(chan struct{}), make(chan encodedReply)
		for range 2 {
			go func() {
				e, _ := r.once(ctx, key(2), request, func() encodedReply { calls++; <-release; return encodedReply{status: 201} })
				both <- e
			}()
		}
		synctest.Wait()
		require.Equal(t, 3, calls)
		close(release)
		require.Equal(t, []int{201, 201}, []int{(<-both).status, (<-both).status})

		for i := range 2 * maxReplies {
			ask(10+i, 200, 1)
		}
		require.Equal(t, []int{maxReplies, maxReplies}, []int{r.table.Len(), r.octets})
		ask(5000, 200, maxReplyOctets+1)
		require.Equal(t, []int{0, 0}, []int{r.table.Len(), r.octets}, "what is too large is not kept, and nothing else in its stead")
		ask(6000, 507, 5)
		require.Zero(t, r.table.Len())

		require.Panics(t, func() { r.once(ctx, key(7000), request, func() encodedReply { panic("x") }) })
		calls = 0
		ask(7000, 200, 0)
		require.Equal(t, 1, calls, "a panic leaves nothing that others wait for")

		gone, cancel := context.WithCancel(ctx)
		cancel()
		k, mine := r.take(key(8000), request, time.Now())
		require.True(t, mine)
		e, _ := r.once(gone, key(8000), request, nil)
		require.Equal(t, http.StatusServiceUnavailable, e.status)
		r.fill(key(8000), k, func() encodedReply { return encodedReply{status: 200} })
	})
}
