package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUnder: what other names go on answering is forgotten under some names alone, and incidents say so.
func TestUnder(t *testing.T) {
	of := func(services ...string) *Incident {
		i := new(Incident)
		for _, s := range services {
			i.Endpoints = append(i.Endpoints, IncidentEndpoint{Name: "p/e", Service: s})
		}
		return i
	}
	require.Empty(t, of("", "").Under())
	require.Equal(t, " under www.example.org", of("www.example.org.", "", "www.example.org.").Under())
	require.Equal(t, " under a and 2 more names", of("a.", "b.", "c.", "a.").Under())
}
