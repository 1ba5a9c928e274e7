package integration

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scrape is the metrics text of a node; empty while it does not answer.
func scrape(address string) string {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get("http://" + address + "/metrics")
	if err != nil {
		return ""
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	return string(b)
}

// metric is the sum of all series that begin with prefix.
func metric(t testing.TB, text, prefix string) float64 {
	t.Helper()
	var sum float64
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && strings.HasPrefix(f[0], prefix) {
			v, err := strconv.ParseFloat(f[1], 64)
			require.NoError(t, err, line)
			sum += v
		}
	}
	return sum
}

func goroutines(t testing.TB, address string) int {
	t.Helper()
	return int(metric(t, scrape(address), "go_goroutines"))
}
