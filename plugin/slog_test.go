package fairlead

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogAttributes(t *testing.T) {
	h := newLogger().With("zone", "example.org.").WithGroup("g").With("n", 1).Handler().(*logHandler)
	require.Equal(t, " zone=example.org. g.n=1", h.attrs)
	var b strings.Builder
	appendAttr(&b, h.group, slog.Group("in", slog.String("cause", `connection "refused"`), slog.String("empty", "")))
	require.Equal(t, ` g.in.cause="connection \"refused\"" g.in.empty=""`, b.String())
	b.Reset()
	appendAttr(&b, "", slog.String("file", "a\x1b[2J.yaml"))
	require.Equal(t, ` file="a\x1b[2J.yaml"`, b.String())
}
