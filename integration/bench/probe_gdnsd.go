package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// perResource is how many addresses gdnsd has in one resource.
const perResource = 50

// measurePeer runs gdnsd's http_status monitor on the same targets, interval, timeout and threshold. How late its probes
// are, it does not say; CPU, memory and what the responders heard can be compared.
func (b probeBed) measurePeer(responders *child) (f probeFigure, err error) {
	dir, err := os.MkdirTemp("", "fairlead-gdnsd-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	for _, d := range []string{"zones", "run", "state"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return f, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "config"), b.peerConfig(dir), 0o644); err != nil {
		return f, err
	}
	var log bytes.Buffer
	cmd := exec.Command("gdnsd", "-c", dir, "start")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		return f, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	time.Sleep(probeWarm)
	before, err := count(responders)
	if err != nil {
		return f, err
	}
	cpu, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		return f, fmt.Errorf("gdnsd: %w: %s", err, log.String())
	}
	begin := time.Now()
	time.Sleep(probeLength)
	f.Seconds = time.Since(begin).Seconds()
	after, err := count(responders)
	if err != nil {
		return f, err
	}
	spent, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		return f, err
	}
	f.CPU, f.Heard, f.Distinct = spent-cpu, after.Answered-before.Answered, after.Distinct
	if f.RSSMiB, err = peakMiB(cmd.Process.Pid); err != nil || f.Heard == 0 {
		// The log may be read: gdnsd has ended, or says nothing more.
		err = fmt.Errorf("gdnsd probed nothing: %w: %.2000s", err, log.String())
	}
	return f, err
}

func (b probeBed) peerConfig(dir string) []byte {
	var c bytes.Buffer
	fmt.Fprintf(&c, "options => { listen => 127.0.0.1:5399, run_dir => %s/run, state_dir => %s/state }\n", dir, dir)
	fmt.Fprintf(&c, "service_types => { bench => { plugin => http_status, port => %d, interval => %d, timeout => %d, "+
		"up_thresh => 1, ok_thresh => 1, down_thresh => %d } }\n",
		probePort, int(probeInterval.Seconds()), int(probeTimeout.Seconds()), probeFall)
	c.WriteString("plugins => { multifo => { service_types => bench\n")
	for i := range b.Healthy + b.Dead {
		var a netip.Addr
		if a = healthyAt(i); i >= b.Healthy {
			a = deadAt(i - b.Healthy)
		}
		if i%perResource == 0 {
			if i > 0 {
				c.WriteString(" }\n")
			}
			fmt.Fprintf(&c, "r%d => {", i/perResource)
		}
		fmt.Fprintf(&c, " a%d => %v", i, a)
	}
	c.WriteString(" }\n} }\n")
	return c.Bytes()
}
