package lifeboat

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// nftTimeout is how long nft may take over one change.
const nftTimeout = 5 * time.Second

// A diversion hands new connections for some ports to the boat's own, by a table of nftables. The table is owned by a process nft that ends with
// this one, and the kernel removes the table with its owner: no rule outlives a crash.
//
// TCP goes by tproxy: the first packet of a connection is given to the boat's socket, and what follows finds its socket by itself. Redirection
// (DNAT) would hang on conntrack, which takes the first packet of a client's port that was used a moment ago for one of the old connection, and
// hands it to the application that is gone (4 of 15,096 arrivals on trial); and would take established connections for new where it begins to
// track. Datagrams have nothing but that, since their answers must leave from the port that was asked.
type diversion struct {
	name  string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	// gone is closed when the process has ended, and the table with it.
	gone chan struct{}
	turn int

	mu     sync.Mutex
	stderr bytes.Buffer // guarded by mu
}

// Write collects what nft complains of.
func (d *diversion) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stderr.Write(b)
}

// complaint is what nft said since the last change, on one line.
func (d *diversion) complaint() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	first, _, _ := strings.Cut(strings.TrimSpace(d.stderr.String()), "\n")
	d.stderr.Reset()
	return strings.TrimPrefix(first, "Error: ")
}

// newDiversion makes the table, with no rule in it. The name is its own: two boats of one machine have two tables.
func newDiversion(name string) (*diversion, error) {
	path, err := exec.LookPath("nft")
	if err != nil {
		return nil, errors.New("no program nft: install nftables")
	}
	d := &diversion{name: name, cmd: exec.Command(path, "-i"), lines: make(chan string, 1000), gone: make(chan struct{})}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	d.cmd.Stderr = d
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(d.gone)
		defer close(d.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			d.lines <- s.Text()
		}
	}()
	create := fmt.Sprintf("add table inet %[1]s { flags owner; }; add chain inet %[1]s steer { type filter hook prerouting priority mangle - 10; policy accept; }"+
		"; add chain inet %[1]s arrive { type nat hook prerouting priority dstnat - 10; policy accept; }", name)
	if _, err = io.WriteString(d.in, create+"\n"); err == nil {
		err = d.divert(nil, nil)
	}
	if err != nil {
		d.end()
		return nil, fmt.Errorf("nftables: %w", err)
	}
	return d, nil
}

// divert has new connections that come to the address and port of each gate handed to where the gate listens, but those of probers and those
// that were forwarded before. It is one transaction.
func (d *diversion) divert(gates []*gate, probers []netip.Prefix) error {
	d.turn++
	var b strings.Builder
	fmt.Fprintf(&b, "flush chain inet %[1]s steer; flush chain inet %[1]s arrive", d.name)
	for _, chain := range []string{"steer", "arrive"} {
		rule := fmt.Sprintf("; add rule inet %s %s ", d.name, chain)
		fmt.Fprintf(&b, "%sip dscp %d accept%[1]sip6 dscp %[2]d accept", rule, mark)
		for _, p := range probers {
			fmt.Fprintf(&b, "%s%s saddr %s accept", rule, ipWord(p.Addr()), p)
		}
	}
	for _, g := range gates {
		to, ip := netip.AddrPortFrom(g.address, g.at.Port()), ipWord(g.address)
		if g.port.UDP {
			fmt.Fprintf(&b, "; add rule inet %s arrive %s daddr %s udp dport %d counter dnat %[2]s to %[5]s", d.name, ip, g.address, g.port.Number, to)
			continue
		}
		fmt.Fprintf(&b, "; add rule inet %s steer %s daddr %s tcp flags & (fin | syn | rst | ack) == syn tcp dport %d counter tproxy %[2]s to %[5]s accept",
			d.name, ip, g.address, g.port.Number, to)
	}
	// The last rule says which change the kernel has.
	fmt.Fprintf(&b, "; add rule inet %[1]s arrive counter comment \"turn %[2]d\"\nlist table inet %[1]s\n", d.name, d.turn)
	d.complaint()
	if _, err := io.WriteString(d.in, b.String()); err != nil {
		return fmt.Errorf("nft has ended: %w", err)
	}
	return d.await(fmt.Sprintf("comment \"turn %d\"", d.turn))
}

func ipWord(a netip.Addr) string {
	if a.Is6() {
		return "ip6"
	}
	return "ip"
}

// await reads what nft lists until it lists the change.
func (d *diversion) await(sign string) error {
	end := time.NewTimer(nftTimeout)
	defer end.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case line, ok := <-d.lines:
			if !ok {
				return fmt.Errorf("nft has ended: %s", d.complaint())
			}
			if strings.Contains(line, sign) {
				return nil
			}
		case <-look.C:
			if why := d.complaint(); why != "" {
				return errors.New(why)
			}
		case <-end.C:
			return fmt.Errorf("nft did not answer within %s", nftTimeout)
		}
	}
}

// end removes the table.
func (d *diversion) end() {
	d.in.Close()
	kill := time.AfterFunc(nftTimeout, func() { _ = d.cmd.Process.Kill() })
	defer kill.Stop()
	for range d.lines {
		// Until it has ended.
	}
	_ = d.cmd.Wait()
}
