package probe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

func TestDamper(t *testing.T) {
	flap := &config.Flap{Transitions: 2, Window: time.Minute, Hold: 5 * time.Minute}
	begin := time.Now()
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	for _, tt := range []struct {
		name    string
		changes []int
		held    map[int]bool
	}{
		{"no change", nil, map[int]bool{0: false}},
		{"as many as allowed", []int{0, 10}, map[int]bool{10: false, 60: false}},
		{"one more in the window", []int{0, 10, 60}, map[int]bool{59: true, 60: true, 359: true, 360: false}},
		{"one more outside the window", []int{0, 10, 61}, map[int]bool{61: false}},
		{"a further change begins the hold anew", []int{0, 10, 20, 50}, map[int]bool{349: true, 350: false}},
		{"quiet changes later do not", []int{0, 10, 20, 200}, map[int]bool{319: true, 320: false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d damper
			for _, c := range tt.changes {
				d.note(flap, at(c))
			}
			for s, want := range tt.held {
				o := d.apply(flap, health.Observation{State: health.Up, At: at(s)})
				require.Equalf(t, want, o.State == health.Down, "at %d s", s)
				if want {
					require.Equal(t, "flaps: more than 2 changes in 1m0s, held out for 5m0s", o.Reason)
					require.False(t, o.Suspect())
				}
			}
		})
	}
	var none damper
	none.note(nil, begin)
	require.Equal(t, health.Up, none.apply(nil, health.Observation{State: health.Up}).State)
}
