package resolve

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/feed/wire"
)

func TestMain(m *testing.M) { suite.Main(m) }

// TestWatchStop: who stops watching while a word comes does not keep that from being acknowledged.
func TestWatchStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := New(Options{Nodes: []string{"https://n1.example.org"}})
		require.NoError(t, err)
		defer r.Close()
		w := &watched{resolver: r, name: "www.example.org.", changed: make(chan struct{}), heard: make(chan struct{})}
		r.names[w.name] = w
		word := func(etag string) *State {
			s := &State{Given: wire.Given{Name: w.name, ETag: etag}, shared: &w.shared, use: newUse(), told: newUse()}
			w.set(s)
			return s
		}
		word("1")
		hold := make(chan struct{})
		stop := r.Watch(w.name, func(*State) { <-hold })
		synctest.Wait()
		next := word("2")
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			stop()
		}()
		synctest.Wait()
		close(hold)
		<-stopped
		select {
		case <-next.told.quiet():
		default:
			t.Fatal("the word waits for somebody who is gone")
		}
	})
}

// A stubNode says what a feed says of one service, which it renews, over no socket.
type stubNode struct{ name string }

func (n *stubNode) RoundTrip(req *http.Request) (*http.Response, error) {
	name := req.URL.Query().Get("name")
	switch {
	case req.URL.Path == wire.AckPath:
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
	case strings.HasPrefix(name, "silent."):
		return nil, io.ErrUnexpectedEOF
	case name != n.name:
		return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody}, nil
	}
	body, w := io.Pipe()
	go func() {
		fmt.Fprintf(w, "event: given\ndata: {\"version\":\"1\",\"given\":[{\"name\":%q,\"max_age\":30}]}\n\n", n.name)
		for {
			select {
			case <-time.After(5 * time.Second):
				fmt.Fprintf(w, "event: lease\ndata: {\"names\":[{\"name\":%q,\"max_age\":30}]}\n\n", n.name)
			case <-req.Context().Done():
				w.CloseWithError(req.Context().Err())
				return
			}
		}
	}()
	return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
}

// TestForget: names that nobody asks for are forgotten: soon where no node knows them, after a day where one does, never while somebody watches.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := New(Options{Nodes: []string{"https://n1.example.org"}})
		require.NoError(t, err)
		defer r.Close()
		r.http = &http.Client{Transport: &stubNode{"www.example.org."}}
		known := func() (names []string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for n := range r.names {
				names = append(names, n)
			}
			return names
		}
		for i := range 100 {
			_, err = r.Lookup(t.Context(), fmt.Sprintf("host%d.example.net", i))
			require.ErrorIs(t, err, ErrNoService)
		}
		_, err = r.Lookup(t.Context(), "silent.example.net")
		require.ErrorIs(t, err, ErrNoWord)
		_, err = r.Lookup(t.Context(), "www.example.org")
		require.NoError(t, err)
		require.Len(t, known(), 102)
		time.Sleep(unknownFor + retryMost)
		require.Equal(t, []string{"www.example.org."}, known())
		time.Sleep(knownFor - time.Minute)
		require.Len(t, known(), 1)
		stop := r.Watch("www.example.org", func(*State) {})
		time.Sleep(2 * knownFor)
		require.Len(t, known(), 1)
		stop()
		time.Sleep(knownFor - time.Minute)
		require.Len(t, known(), 1)
		time.Sleep(2 * time.Minute)
		require.Empty(t, known())
		_, err = r.Lookup(t.Context(), "www.example.org")
		require.NoError(t, err)
	})
}
