package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What came back before it was certain is told as that, and never as something that caches are yet to confirm.
func TestCameBack(t *testing.T) {
	at := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	timeline := func(i *Incident) (text string) {
		for _, m := range i.Timeline() {
			text += m.What + "\n"
		}
		return text
	}
	for _, tt := range []struct {
		name string
		i    Incident
		back bool
		want string
	}{
		{"out", Incident{SafeAt: at}, false, "last honest cache forgets, if nobody answers it again"},
		{"back too early", Incident{SafeAt: at, ReturnedAt: at.Add(-time.Second)}, true, "answered again, before it was certain"},
		{"back after it was certain", Incident{SafeAt: at, ForgottenAt: at, ReturnedAt: at.Add(time.Second)}, false, "last honest cache has forgotten"},
		{"no file has it", Incident{SafeAt: at, ReturnedAt: at, Endpoints: []IncidentEndpoint{{Removed: true}}}, false, "last honest cache forgets"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.back, tt.i.CameBack())
			require.Contains(t, timeline(&tt.i), tt.want)
			require.Equal(t, tt.back, !strings.Contains(timeline(&tt.i), "last honest cache"))
		})
	}
}
