package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// reportEvery is how often the directory of reports is looked at.
	reportEvery = time.Second
	// maxReport bounds one report file, in octets.
	maxReport = 64 << 10
)

// A reportDir takes reports on endpoints with checks of type push from files: DIR/*.json, each an api.ReportRequest. Whoever
// writes a file again, or touches it, renews its lease, which runs from the file's mtime. One goroutine may use it.
type reportDir struct {
	path   string
	logger *slog.Logger
	// report hands a report on.
	report func(api.ReportRequest) error
	// lease is the lease of the check of type push behind an endpoint, where the report names none.
	lease func(endpoint string) time.Duration
	// seen is when the version of each file was written that was read last.
	seen map[string]time.Time
}

// run looks until ctx ends.
func (d *reportDir) run(ctx context.Context) error {
	d.look(time.Now())
	return every(ctx, reportEvery, d.look)
}

// look reads the files that changed. A file that cannot be used is logged once for each of its versions.
func (d *reportDir) look(now time.Time) {
	files, err := filepath.Glob(filepath.Join(d.path, "*.json"))
	if err != nil {
		return // only a bad pattern, and ours is none
	}
	seen := make(map[string]time.Time, len(files))
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(filepath.Base(path), ".") {
			continue
		}
		seen[path] = info.ModTime()
		if d.seen[path].Equal(info.ModTime()) {
			continue
		}
		if err := d.take(path, now.Sub(info.ModTime())); err != nil {
			d.logger.Warn("report file not used", "file", path, "err", err)
		}
	}
	d.seen = seen
}

// take hands on the report in a file that was written age ago.
func (d *reportDir) take(path string, age time.Duration) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	decoder := json.NewDecoder(io.LimitReader(f, maxReport))
	decoder.DisallowUnknownFields()
	var r api.ReportRequest
	if err := decoder.Decode(&r); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value, or longer than 64 KiB")
	}
	lease := time.Duration(r.LeaseSeconds * float64(time.Second))
	if lease == 0 {
		lease = d.lease(r.Endpoint)
	}
	// A file from the future counts as written now.
	if lease -= max(age, 0); lease <= 0 {
		return fmt.Errorf("its lease ended %v ago", -lease)
	}
	r.LeaseSeconds = lease.Seconds()
	return d.report(r)
}

// pushLease is the shortest lease of the checks of type push behind an endpoint; 0 if there are none.
func (p *endpoints) pushLease(endpoint string) time.Duration {
	var least time.Duration
	e, err := p.find(endpoint)
	if err != nil {
		return 0
	}
	for _, t := range e.targets() {
		if t.Check.Type == config.CheckPush && (least == 0 || t.Check.Push.Lease < least) {
			least = t.Check.Push.Lease
		}
	}
	return least
}
