package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// openPages is how many pages are open at once; pagesPhase is for how long each phase of that is measured.
	openPages  = 100
	pagesPhase = 20 * time.Second
	// flipEvery is how often the verdict of an endpoint changes in the busy phase.
	flipEvery = time.Second
	// uiDir holds what drives the browser.
	uiDir = "plugin/admin/ui"
)

// dashboardScale is how many services and endpoints the dashboard has to be of use with.
var dashboardScale = scale{services: 1000, pools: 1000, endpoints: 3, checks: true}

// measureDashboard measures the pages of a node with many services: how soon a browser paints, what a page costs, and what a hundred of
// them cost that are open.
func measureDashboard(binary string) ([]result, error) {
	fmt.Println(dashboardScale)
	b, err := newScaleBed(dashboardScale)
	if err != nil {
		return nil, err
	}
	defer b.close()
	if err := b.start(binary); err != nil {
		return nil, err
	}
	if err := b.until(func() bool { return b.answers(0) != "" }); err != nil {
		return nil, fmt.Errorf("first answer: %w", err)
	}
	w, err := b.watcher()
	if err != nil {
		return nil, err
	}
	if err := b.until(func() bool { s, err := w.api.Status(context.Background()); return err == nil && allKnown(s) }); err != nil {
		return nil, fmt.Errorf("first verdicts: %w", err)
	}
	results, err := w.measureOne()
	if err != nil {
		return nil, err
	}
	paint, err := w.measurePaint(binary)
	if err != nil {
		return results, err
	}
	results = append(results, paint...)
	fan, err := w.measureFanOut()
	return append(results, fan...), err
}

// allKnown tells whether everything has been probed once, but for the first endpoint, which is down.
func allKnown(s *api.Status) bool {
	for _, z := range s.Zones {
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				if e.State == "unknown" {
					return false
				}
			}
		}
	}
	return len(s.Zones) > 0
}

// A watcher looks at the pages of a node as an operator.
type watcher struct {
	bed    *scaleBed
	socket string
	api    *client.Client
	cookie *http.Cookie
	// received counts the octets of streams.
	received atomic.Int64
}

// watcher logs in.
func (b *scaleBed) watcher() (*watcher, error) {
	w := &watcher{bed: b, socket: filepath.Join(b.dir, "state", "admin.sock")}
	var err error
	if w.api, err = client.New(client.Options{Server: "unix:" + w.socket}); err != nil {
		return nil, err
	}
	ctx := context.Background()
	if _, err := w.api.NameMaxTTL(ctx, api.NodeRequest{Actor: "bench", Reason: "first start", MaxTTLSeconds: new(float64)}); err != nil {
		return nil, err
	}
	link, err := w.api.LoginLink(ctx, api.LoginLinkRequest{Actor: "bench", Role: "operator"})
	if err != nil {
		return nil, err
	}
	r, err := w.get(w.client(), link.Path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if len(r.Cookies()) != 1 {
		return nil, fmt.Errorf("login: %s, no cookie", r.Status)
	}
	w.cookie = r.Cookies()[0]
	return w, nil
}

func (w *watcher) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", w.socket)
	}}}
}

func (w *watcher) get(c *http.Client, path string) (*http.Response, error) {
	r, err := http.NewRequest(http.MethodGet, "http://node"+path, nil)
	if err != nil {
		return nil, err
	}
	if w.cookie != nil {
		r.AddCookie(&http.Cookie{Name: w.cookie.Name, Value: w.cookie.Value})
	}
	return c.Do(r)
}

// measureOne measures the overview as it is served.
func (w *watcher) measureOne() ([]result, error) {
	c := w.client()
	var times []float64
	size := 0
	for range 15 {
		begin := time.Now()
		r, err := w.get(c, "/ui/")
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("overview: %s: %w", r.Status, err)
		}
		times, size = append(times, time.Since(begin).Seconds()*1000), len(text)
		// So that each is made anew.
		time.Sleep(time.Second)
	}
	return []result{
		{name: "overview: served, median", value: median(times), unit: "ms", aim: 100},
		{name: "overview: size", value: float64(size) / 1024, unit: "KiB", aim: 200},
	}, nil
}

// measurePaint has a browser paint it.
func (w *watcher) measurePaint(binary string) ([]result, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("node"); err != nil {
		fmt.Println("first paint: not measured, there is no Node")
		return nil, nil
	}
	if _, err := os.Stat(filepath.Join(uiDir, "node_modules", "playwright-core")); err != nil {
		fmt.Println("first paint: not measured without what `make ui` installs")
		return nil, nil
	}
	cmd := exec.Command("node", filepath.Join(uiDir, "e2e", "paint.mjs"))
	cmd.Env = append(os.Environ(), "FAIRLEAD_BIN="+binary, "FAIRLEAD_SOCKET="+w.socket)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("browser: %w", err)
	}
	var got struct{ First, Follows, Least []float64 }
	if err := json.Unmarshal(text, &got); err != nil || len(got.First) == 0 {
		return nil, fmt.Errorf("browser: %w: %s", err, text)
	}
	return []result{
		{name: "overview: first paint, median", value: median(got.First), unit: "ms", aim: 500, limit: 1000, explanation: fmt.Sprintf("%d times, nothing cached, the slowest %.0f; an all but empty page %.0f", len(got.First), slices.Max(got.First), median(got.Least))},
		{name: "overview: until it follows, median", value: median(got.Follows), unit: "ms", aim: 1000},
	}, nil
}

// measureFanOut measures what open pages cost the node: nothing open, then a hundred times the overview, then a hundred pages of services;
// each in peace and while verdicts change.
func (w *watcher) measureFanOut() ([]result, error) {
	var results []result
	services := make([]string, openPages)
	for i := range services {
		services[i] = fmt.Sprintf("/ui/live/services/s%d.%s", i, scaleZone)
	}
	overviews := slices.Repeat([]string{"/ui/live/"}, openPages)
	// Without a page it is measured before and after: the mean is what the node costs by itself.
	flips := make(map[bool]float64)
	for _, paths := range []struct {
		name string
		list []string
	}{{"", nil}, {"100 overviews open", overviews}, {"100 services open", services}, {"", nil}} {
		close, err := w.open(paths.list)
		if err != nil {
			return results, err
		}
		for _, busy := range []bool{false, true} {
			cpu, received, err := w.phase(busy)
			if err != nil {
				close()
				return results, err
			}
			if paths.list == nil {
				flips[busy] += cpu / 2
				continue
			}
			name := paths.name + ", in peace"
			if busy {
				name = paths.name + ", a change a second"
			}
			results = append(results, result{name: name, value: cpu * 100, unit: "%", aim: 5, limit: 10, explanation: fmt.Sprintf("%.0f kB/s", received/1000)})
		}
		close()
	}
	for i := range results {
		alone := flips[i%2 == 1] * 100
		results[i].value -= alone
		results[i].explanation = fmt.Sprintf("of a core beside %.1f %% without; %s", alone, results[i].explanation)
	}
	return results, nil
}

// open opens streams, until close is called.
func (w *watcher) open(paths []string) (end func(), err error) {
	c := w.client()
	var bodies []io.Closer
	var wg sync.WaitGroup
	end = func() {
		for _, b := range bodies {
			b.Close()
		}
		wg.Wait()
		c.CloseIdleConnections()
	}
	for _, path := range paths {
		r, err := w.get(c, path)
		if err != nil {
			end()
			return nil, err
		}
		bodies = append(bodies, r.Body)
		if r.StatusCode != http.StatusOK {
			end()
			return nil, fmt.Errorf("%s: %s", path, r.Status)
		}
		wg.Go(func() {
			in := bufio.NewReader(r.Body)
			for {
				line, err := in.ReadSlice('\n')
				w.received.Add(int64(len(line)))
				if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
					return
				}
			}
		})
	}
	return end, nil
}

// phase is the part of a core that the node takes, and what it sends to the open pages in octets a second.
func (w *watcher) phase(busy bool) (cpu, received float64, err error) {
	var l net.Listener
	defer func() {
		if l != nil {
			l.Close()
		}
	}()
	// What was opened has been rendered.
	time.Sleep(settle)
	before, err := w.bed.cpuSeconds()
	if err != nil {
		return 0, 0, err
	}
	was, begin := w.received.Load(), time.Now()
	for i := 1; time.Since(begin) < pagesPhase; i++ {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * flipEvery)))
		if !busy {
			continue
		}
		if l != nil {
			l.Close()
			l = nil
			continue
		}
		if l, err = net.Listen("tcp", w.bed.toggle); err != nil {
			return 0, 0, err
		}
		go acceptAll(l)
	}
	after, err := w.bed.cpuSeconds()
	took := time.Since(begin).Seconds()
	return (after - before) / took, float64(w.received.Load()-was) / took, err
}
