package main

import (
	"fmt"
	"io"
	"log"
	"sync"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"

	fairlead "github.com/fairlead-dns/fairlead/plugin"
)

// The formats of the log.
const (
	logText = "text"
	logJSON = "json"
)

// logTime is how lines begin: UTC, in milliseconds.
const logTime = "2006-01-02T15:04:05.000Z "

// openLog has the log of CoreDNS, of the plugins and of the standard library go to out, in a format: lines with the time before them, or
// JSON objects with their attributes as keys.
func openLog(format string, out io.Writer) error {
	log.SetFlags(0)
	switch format {
	case logText:
		return clog.Configure("text", &stamped{out: out, now: time.Now})
	case logJSON:
		out = &whole{out: out}
		fairlead.LogJSON(out)
		return clog.Configure("json", out)
	}
	return fmt.Errorf("log format %q: want text or json", format)
}

// A stamped writer puts the time before each line. The log writes one line at a time.
type stamped struct {
	out io.Writer
	now func() time.Time
	// mu is held while a line is written.
	mu sync.Mutex
}

func (s *stamped) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.out.Write(append(s.now().UTC().AppendFormat(nil, logTime), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// A whole writer writes one line at a time for several loggers.
type whole struct {
	out io.Writer
	mu  sync.Mutex
}

func (w *whole) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(line)
}
