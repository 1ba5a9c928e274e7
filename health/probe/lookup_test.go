package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

func addrs(list ...string) (to []netip.Addr) {
	for _, a := range list {
		to = append(to, netip.MustParseAddr(a))
	}
	return to
}

func TestLookupsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs strings.Builder
		asked := 0
		var has []netip.Addr
		var fails error
		l := newLookups(resolverFunc(func(context.Context, string) ([]netip.Addr, error) {
			asked++
			return has, fails
		}), slog.New(slog.NewTextHandler(&logs, nil)))
		for i, step := range []struct {
			name  string
			after time.Duration
			has   []netip.Addr
			fails error
			want  []netip.Addr
			asked int
		}{
			{"first", 0, addrs("192.0.2.1", "192.0.2.2"), nil, addrs("192.0.2.1", "192.0.2.2"), 1},
			{"kept", 29 * time.Second, addrs("192.0.2.9"), nil, addrs("192.0.2.1", "192.0.2.2"), 1},
			{"another order is no change", time.Second, addrs("192.0.2.2", "192.0.2.1"), nil, addrs("192.0.2.1", "192.0.2.2"), 2},
			{"a change", 30 * time.Second, addrs("192.0.2.9"), nil, addrs("192.0.2.9"), 3},
			{"a failure is not kept, nor what was", 30 * time.Second, nil, errors.New("odd"), nil, 4},
			{"so it is asked again", 0, addrs("::ffff:192.0.2.9"), nil, addrs("192.0.2.9"), 5},
			{"at most four", 30 * time.Second, addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"), nil,
				addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"), 6},
			{"the fifth is known all the same", 30 * time.Second,
				addrs("192.0.2.5", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"), nil,
				addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"), 7},
		} {
			time.Sleep(step.after)
			has, fails = step.has, step.fails
			got, err := l.addresses(t.Context(), "www.example.org.")
			assert.Equal(t, step.fails != nil, err != nil, "step %d: %s", i, step.name)
			assert.Equal(t, step.want, got, "step %d: %s", i, step.name)
			assert.Equal(t, step.asked, asked, "step %d: %s", i, step.name)
		}
		assert.Equal(t, 2, strings.Count(logs.String(), "address of a named target changed"))
		assert.Contains(t, logs.String(), `host=www.example.org. old="[192.0.2.1 192.0.2.2]" new=[192.0.2.9]`)
	})
}

func TestLookupsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLookups(giving("192.0.2.1"), nil)
		for i := range namesFull {
			_, err := l.addresses(t.Context(), fmt.Sprintf("n%d.example.org.", i))
			require.NoError(t, err)
		}
		time.Sleep(time.Hour)
		_, err := l.addresses(t.Context(), "last.example.org.")
		require.NoError(t, err)
		assert.Len(t, l.known, 1)
	})
}

func TestNamedTarget(t *testing.T) {
	address := netip.MustParseAddrPort(listen(t, hang))
	hurried := tcpCheck(func(c *config.Check) { c.Timeout = 500 * time.Millisecond })
	for _, test := range []struct {
		name    string
		resolve resolverFunc
		kind    Kind
		text    string
	}{
		{"resolves", func(context.Context, string) ([]netip.Addr, error) { return addrs("127.0.0.1"), nil }, None, ""},
		{"second address answers", func(context.Context, string) ([]netip.Addr, error) {
			return addrs("127.0.0.2", "127.0.0.1"), nil
		}, None, ""},
		{"does not exist", func(_ context.Context, host string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}, NoAddress, "no address for the name edge.example.net"},
		{"has no address", func(context.Context, string) ([]netip.Addr, error) { return nil, nil },
			NoAddress, "no address for the name edge.example.net"},
		{"server failure", func(_ context.Context, host string) ([]netip.Addr, error) {
			return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
		}, NoAddress, "look-up of edge.example.net: server misbehaving"},
		{"resolver hangs", func(ctx context.Context, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, NoAddress, "timeout after 500ms in the look-up of edge.example.net"},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			got := Once(t.Context(), target(hurried, "edge.example.net.", address.Port()), Options{Resolver: test.resolve})
			assert.Equal(t, Reason{test.kind, test.text}, got.Reason)
			assert.Less(t, time.Since(start), hurried.Timeout+time.Second)
		})
	}
}
