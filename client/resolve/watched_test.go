package resolve

import (
	"testing"
	"testing/synctest"

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
