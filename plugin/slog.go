package fairlead

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"

	clog "github.com/coredns/coredns/plugin/pkg/log"

	"github.com/fairlead-dns/fairlead/config"
)

// jsonLog is where records go as JSON; nil while CoreDNS's log is text.
var jsonLog atomic.Pointer[slog.Logger]

// LogJSON has the records of the packages below written to w as JSON, with their attributes as keys, for a program whose log is JSON: CoreDNS
// itself takes no attributes. It comes before the start.
func LogJSON(w io.Writer) {
	handler := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: jsonLevel{}, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			a.Value = slog.TimeValue(a.Value.Time().UTC())
		}
		return a
	}})
	jsonLog.Store(slog.New(handler).With("plugin", pluginName))
}

// jsonLevel leaves debug output to the plugin `debug`.
type jsonLevel struct{}

func (jsonLevel) Level() slog.Level {
	if clog.D.Value() {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// newLogger is the logger for the packages below: slog in, CoreDNS's log out, so that there is one log with one format.
func newLogger() *slog.Logger {
	if l := jsonLog.Load(); l != nil {
		return l
	}
	return slog.New(&logHandler{})
}

// A logHandler writes records as `message key=value …` to CoreDNS's log. It is immutable.
type logHandler struct {
	// attrs are those of With, already rendered; group is the prefix of keys.
	attrs, group string
}

// Enabled leaves debug output to the plugin `debug`.
func (h *logHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || clog.D.Value()
}

// Handle writes one line.
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(config.Printable(r.Message))
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		appendAttr(&b, h.group, a)
		return true
	})
	switch {
	case r.Level >= slog.LevelError:
		log.Error(b.String())
	case r.Level >= slog.LevelWarn:
		log.Warning(b.String())
	case r.Level >= slog.LevelInfo:
		log.Info(b.String())
	default:
		log.Debug(b.String())
	}
	return nil
}

// WithAttrs adds attributes to every line.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		appendAttr(&b, h.group, a)
	}
	return &logHandler{attrs: b.String(), group: h.group}
}

// WithGroup puts name before the keys that follow.
func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{attrs: h.attrs, group: h.group + name + "."}
}

func appendAttr(b *strings.Builder, group string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, inner := range v.Group() {
			appendAttr(b, group+a.Key+".", inner)
		}
		return
	}
	if a.Key == "" {
		return
	}
	text := v.String()
	if text == "" || strings.ContainsAny(text, " \"=") || config.Printable(text) != text {
		text = strconv.Quote(text)
	}
	b.WriteString(" " + group + a.Key + "=" + text)
}
