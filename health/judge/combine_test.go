package judge

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestCombine gives leaves a, b and c a letter each: U up, S suspect, D down, ? unknown, s unknown and stale, u up but stale.
func TestCombine(t *testing.T) {
	leaf := func(n string) *config.Check { return &config.Check{Name: n} }
	composite := func(op config.CompositeOp, n int, of ...int) *config.Check {
		return &config.Check{Name: "c", Composite: &config.Composite{Op: op, N: n, Of: of}}
	}
	// Checks 0, 1, 2 and 8 are the leaves; 8 waits for reports.
	z := &config.Zone{Checks: []*config.Check{
		leaf("a"), leaf("b"), leaf("c"),
		3: composite(config.OpAll, 0, 0, 1, 2), 4: composite(config.OpAny, 0, 0, 1, 2), 5: composite(config.OpNot, 0, 0),
		6: composite(config.OpAtLeast, 2, 0, 1, 2), 7: composite(config.OpAll, 0, 4, 5),
		8: {Name: "push", Push: new(config.PushCheck)}, 9: composite(config.OpAny, 0, 0, 8), 10: composite(config.OpAtLeast, 2, 0, 1, 8), 11: composite(config.OpAll, 0, 0, 8),
	}}
	for _, tt := range []struct {
		name   string
		check  int
		needs  []int
		leaves string
		want   string
		reason string
	}{
		{"a leaf up", 0, nil, "U??", "up", ""},
		{"a leaf down", 0, nil, "DUU", "down", "refused"},
		{"all up", 3, nil, "UUU", "up", ""},
		{"all with one down", 3, nil, "UD?", "down", "b: refused"},
		{"all with one unknown", 3, nil, "U?U", "unknown", ""},
		{"all with one suspect", 3, nil, "USU", "suspect", "b: refused"},
		{"any with one up", 4, nil, "DDU", "up", ""},
		{"any with none up and one unknown", 4, nil, "D?D", "unknown", "a: refused; c: refused"},
		{"any down", 4, nil, "DDD", "down", "a: refused; b: refused; c: refused"},
		{"any: a suspect beside one that is up changes nothing", 4, nil, "SUD", "up", ""},
		{"any: the last one is suspect", 4, nil, "DDS", "suspect", "a: refused; b: refused; c: refused"},
		{"not of down", 5, nil, "DUU", "up", ""},
		{"not of up", 5, nil, "UUU", "down", "a passes"},
		{"not of unknown", 5, nil, "?UU", "unknown", ""},
		{"two of three", 6, nil, "UUD", "up", ""},
		{"two of three, undecided", 6, nil, "UD?", "unknown", "b: refused"},
		{"two of three, out of reach", 6, nil, "DD?", "down", "a: refused; b: refused"},
		{"two of three, one suspect of two", 6, nil, "USD", "suspect", "b: refused; c: refused"},
		{"nested", 7, nil, "DUU", "up", ""},
		{"nested, contradicted", 7, nil, "UUU", "down", "a passes"},
		{"needs up", 0, []int{1}, "UU?", "up", ""},
		{"needs down", 0, []int{1}, "UD?", "down", "b: refused"},
		{"needs suspect", 0, []int{1}, "US?", "suspect", "b: refused"},
		{"needs alone", -1, []int{1}, "?D?", "down", "b: refused"},
		{"any: who never reported saves nobody", 9, nil, "D       ?", "down", "a: refused"},
		{"any: who never reported does no harm", 9, nil, "U       ?", "up", ""},
		{"any: nobody knows", 9, nil, "?       ?", "unknown", ""},
		{"any: who reported once may be up yet", 9, nil, "D       s", "unknown", "a: refused"},
		{"two of three, of which one never reported", 10, nil, "UD      ?", "down", "b: refused"},
		{"all: who never reported is waited for", 11, nil, "U       ?", "unknown", ""},
		{"stale shows", 0, nil, "u??", "up stale", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &config.Pool{Check: tt.check, Needs: tt.needs}
			v := Combine(z, p, func(check int) health.Verdict {
				l := tt.leaves[check]
				v := health.Verdict{State: map[byte]health.State{'U': health.Up, 'u': health.Up, 'S': health.Suspect, 'D': health.Down, '?': health.Unknown}[l], Stale: l == 'u' || l == 's'}
				if strings.ContainsRune("SD", rune(l)) {
					v.Reason = "refused"
				}
				return v
			})
			got := v.State.String()
			if v.Stale && v.State != health.Unknown {
				got += " stale"
			}
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.reason, v.Reason)
		})
	}
	require.Equal(t, []int{0, 1, 2}, Leaves(z, &config.Pool{Check: 7, Needs: []int{2}}))
	require.Equal(t, []int{1}, Leaves(z, &config.Pool{Check: -1, Needs: []int{1}}))
	require.Empty(t, Leaves(z, &config.Pool{Check: -1}))
}
