package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// replicationLag is the lag of docs/dr.md: how old the last commit is that a standby has replayed. It grows while nothing is written, and never says
// less than what is lacking. A standby that has replayed none since its start says nothing: greatest() overlooks null, and would make it 0.
const replicationLag = "select case when not pg_is_in_recovery() then 0 when t is not null then greatest(0, extract(epoch from clock_timestamp() - t)) end from pg_last_xact_replay_timestamp() t"

// A postgres is one server of a pair.
type postgres struct {
	t         testing.TB
	bin, data string
	host      string
	port      int
	as        *syscall.Credential
	cmd       *exec.Cmd
	exited    chan struct{}
}

// newPostgres is a server on a host of its own that has no data yet. PostgreSQL refuses to run as root: there it is the user of the package.
func newPostgres(t testing.TB, host string) *postgres {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	require.NoError(t, err)
	if len(found) == 0 {
		t.Skip("no PostgreSQL: make test-deps")
	}
	p := &postgres{t: t, bin: filepath.Dir(found[len(found)-1]), host: host, port: suite.FreePort(t)}
	dir := t.TempDir()
	p.data = filepath.Join(dir, "data")
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		require.NoError(t, err)
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		for path := dir; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
			require.NoError(t, os.Chmod(path, 0o755))
		}
		require.NoError(t, os.Chown(dir, uid, gid))
	}
	t.Cleanup(func() { p.kill() })
	return p
}

// run runs one of the programs to its end.
func (p *postgres) run(program string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(filepath.Join(p.bin, program), args...)
	cmd.Dir, cmd.SysProcAttr = filepath.Dir(p.data), &syscall.SysProcAttr{Credential: p.as}
	out, err := cmd.CombinedOutput()
	require.NoError(p.t, err, "%s: %s", program, out)
	return strings.TrimSpace(string(out))
}

// begin starts the server on what data it has and waits until it takes connections.
func (p *postgres) begin() {
	p.t.Helper()
	p.cmd = exec.Command(filepath.Join(p.bin, "postgres"), "-D", p.data, "-h", p.host, "-p", strconv.Itoa(p.port), "-k", "", "-c", "fsync=off",
		"-c", "max_wal_senders=8", "-c", "wal_keep_size=256MB", "-c", "shared_buffers=8MB", "-c", "wal_receiver_status_interval=1s", "-c", "autovacuum=off")
	p.cmd.Dir, p.cmd.SysProcAttr = filepath.Dir(p.data), &syscall.SysProcAttr{Credential: p.as}
	log, err := os.Create(filepath.Join(filepath.Dir(p.data), "log"))
	require.NoError(p.t, err)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	require.NoError(p.t, p.cmd.Start())
	exited := make(chan struct{})
	p.exited = exited
	go func() {
		_ = p.cmd.Wait()
		log.Close()
		close(exited)
	}()
	await(p.t, "PostgreSQL on "+p.host, func() bool {
		return exec.Command(filepath.Join(p.bin, "pg_isready"), "-q", "-h", p.host, "-p", strconv.Itoa(p.port)).Run() == nil
	})
}

// primary makes a new cluster that writes.
func (p *postgres) primary() {
	p.run("initdb", "-D", p.data, "-U", "postgres", "--auth=trust", "--no-sync", "--locale=C")
	p.begin()
	p.sql("create table entries (id bigint primary key)")
}

// follow makes the server anew, as a standby of another one, and waits until it has what that has.
func (p *postgres) follow(of *postgres) {
	p.t.Helper()
	p.kill()
	require.NoError(p.t, os.RemoveAll(p.data))
	p.run("pg_basebackup", "-D", p.data, "-h", of.host, "-p", strconv.Itoa(of.port), "-U", "postgres", "-c", "fast", "-R", "-X", "stream", "--no-sync")
	p.begin()
	await(p.t, "replication", func() bool {
		return of.sql("select count(*) from pg_stat_replication where state = 'streaming'") == "1"
	})
}

func (p *postgres) sql(text string) string {
	p.t.Helper()
	return p.run("psql", "-XAtq", "-h", p.host, "-p", strconv.Itoa(p.port), "-U", "postgres", "-c", text)
}

// promote has a standby write from now on.
func (p *postgres) promote() {
	p.t.Helper()
	require.Equal(p.t, "t", p.sql("select pg_promote()"))
}

// stop ends the server once its standby has all that it wrote.
func (p *postgres) stop() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGINT))
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatal("PostgreSQL did not end")
	}
}

// children are the processes of the server but the first.
func (p *postgres) children() (pids []int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.cmd.Process.Pid, p.cmd.Process.Pid))
	for _, f := range strings.Fields(string(b)) {
		pid, _ := strconv.Atoi(f)
		pids = append(pids, pid)
	}
	return pids
}

// stall has what sends to standbys stand still: what is written from now on stays here.
func (p *postgres) stall() {
	for _, pid := range p.children() {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.Contains(string(line), "walsender") {
			_ = syscall.Kill(pid, syscall.SIGSTOP)
		}
	}
}

// kill ends all processes of the server at once, if it runs.
func (p *postgres) kill() {
	if p.cmd == nil {
		return
	}
	select {
	case <-p.exited:
		return
	default:
	}
	pids := p.children()
	_ = p.cmd.Process.Kill()
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.exited
}

// A writer commits one row after the other, each once the one before is acknowledged.
type writer struct {
	mu    sync.Mutex
	acked map[int64]time.Time // guarded by mu
	last  int64
	end   func()
}

// write commits from the row after last on, until the server is gone or end is called.
func write(t testing.TB, p *postgres, last int64) *writer {
	t.Helper()
	w := &writer{acked: make(map[int64]time.Time), last: last}
	cmd := exec.Command(filepath.Join(p.bin, "psql"), "-XAtq", "-h", p.host, "-p", strconv.Itoa(p.port), "-U", "postgres")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ending, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(out)
		for id := last + 1; ; id++ {
			select {
			case <-ending:
				in.Close()
				_, _ = io.Copy(io.Discard, out)
				_ = cmd.Wait()
				return
			default:
			}
			if _, err := fmt.Fprintf(in, "insert into entries values (%d) returning id;\n", id); err != nil || !lines.Scan() || lines.Text() != strconv.FormatInt(id, 10) {
				in.Close()
				_ = cmd.Wait()
				return
			}
			w.mu.Lock()
			w.acked[id], w.last = time.Now(), id
			w.mu.Unlock()
		}
	}()
	var once sync.Once
	w.end = func() { once.Do(func() { close(ending) }); <-done }
	t.Cleanup(w.end)
	return w
}

// count is how many commits were acknowledged.
func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// lost are the acknowledged commits that p lacks, and over how long the primary had acknowledged them: from the first to its last of all.
func (w *writer) lost(p *postgres) (commits int, over time.Duration) {
	has := make(map[int64]bool)
	for _, id := range strings.Fields(p.sql("select id from entries")) {
		n, _ := strconv.ParseInt(id, 10, 64)
		has[n] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, at := range w.acked {
		if !has[id] {
			commits++
			over = max(over, w.acked[w.last].Sub(at))
		}
	}
	return commits, over
}

// What the clock of a busy machine makes of a lag does not hold the service back here: that is tried in package table.
const postgresZone = `zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
checks:
  main: {type: tcp, port: %[2]d, interval: 500ms, timeout: 400ms, fall: 3, rise: 1}
  spare: {type: tcp, port: %[4]d, interval: 500ms, timeout: 400ms, fall: 3, rise: 1}
  behind-main: {type: lag, port: %[2]d, interval: 1s, timeout: 900ms, command: %[5]s}
  behind-spare: {type: lag, port: %[4]d, interval: 1s, timeout: 900ms, command: %[5]s}
pools:
  db-eu: {region: eu, check: main, lag: behind-main, stateful: true, endpoints: [{name: eu, addresses: [%[1]s], az: eu-a}]}
  db-us: {region: us, check: spare, lag: behind-spare, stateful: true, endpoints: [{name: us, addresses: [%[3]s], az: us-a}]}
services:
  db: {tiers: [{db-eu: 1}, {db-us: 1}], ttl: {max: 1s, min: 1s}, rpo: 30s, on_rpo: enter_and_report}
`

// A pair is two PostgreSQL servers that replicate, and a node that answers where to write.
type pair struct {
	t      *testing.T
	eu, us *postgres
	node   *process
	w      *writer
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t, eu: newPostgres(t, "127.71.0.1"), us: newPostgres(t, "127.71.0.2")}
	p.eu.primary()
	p.us.follow(p.eu)
	words, err := json.Marshal([]string{"/usr/bin/psql", "-XAtq", "-h", "{address}", "-p", "{port}", "-U", "postgres", "-c", replicationLag})
	require.NoError(t, err)
	zone := fmt.Sprintf(postgresZone, p.eu.host, p.eu.port, p.us.host, p.us.port, words)
	dir := t.TempDir()
	node := filepath.Join(dir, "node.yaml")
	require.NoError(t, os.WriteFile(node, []byte("probe: {exec: true}\n"), 0o644))
	p.node = startServe(t, false, strings.Replace(corefile, "state DIR/state", "state DIR/state\n\t\tnode "+node, 1), map[string]string{"storm.yaml": zone})
	p.node.awaitHealthy()
	p.node.firstStart()
	p.w = write(t, p.eu, 0)
	p.awaitStandby()
	return p
}

// awaitStandby waits until the node knows that the standby is within the rpo.
func (p *pair) awaitStandby() {
	p.t.Helper()
	await(p.t, "the standby", func() bool {
		s := p.node.status()
		return s != nil && s.Zones[0].Pools[1].Lag.Known && s.Zones[0].Pools[1].RPO[0].State == "within" && allUp(s)
	})
}

// answers tells where the node sends writers.
func (p *pair) answers(of *postgres) bool {
	m, _, err := ask("udp", p.node.dns, "db.storm.example.org.", dns.TypeA)
	return err == nil && len(m.Answer) == 1 && m.Answer[0].(*dns.A).A.String() == of.host
}

func (p *pair) command(args ...string) (string, int) {
	return run(p.t, p.node.bin, append(args, "--server", "unix:"+p.node.socket)...)
}

// loss is the latest that an incident prints for the service.
func (p *pair) loss(after time.Time) (found *ledger.Loss) {
	out, _ := p.command("incidents", "-o", "json")
	var list struct{ Incidents []*ledger.Incident }
	if json.Unmarshal([]byte(out), &list) != nil {
		return nil
	}
	for _, i := range list.Incidents {
		for _, s := range i.Services {
			if s.Loss != nil && s.Loss.Until.After(after) {
				found = s.Loss
			}
		}
	}
	return found
}

// dies kills the primary after its sender has stood still for a time, and returns what was lost beside what the node prints.
func (p *pair) dies(stalled time.Duration) (commits int, over time.Duration, printed *ledger.Loss) {
	p.t.Helper()
	written := p.w.count()
	await(p.t, "commits", func() bool { return p.w.count() > written+20 })
	p.eu.stall()
	time.Sleep(stalled) // how long replication stands still is what is tried
	killed := time.Now()
	p.eu.kill()
	p.w.end()
	await(p.t, "the standby's turn", func() bool { return p.answers(p.us) })
	p.us.promote()
	await(p.t, "an incident", func() bool { printed = p.loss(killed); return printed != nil })
	commits, over = p.w.lost(p.us)
	p.w = write(p.t, p.us, p.w.last)
	return commits, over, printed
}

// returns makes the dead primary anew as a standby and moves the service back as it is planned: let in, stopped, promoted. It returns what was
// lost.
func (p *pair) returns() (commits int) {
	p.t.Helper()
	p.eu.follow(p.us)
	await(p.t, "the old primary to wait for a person", func() bool {
		s := p.node.status()
		return s != nil && s.Zones[0].Pools[0].WaitsFor == "failback" && s.Zones[0].Pools[0].Lag.Known
	})
	written := p.w.count()
	await(p.t, "commits", func() bool { return p.w.count() > written+20 })
	out, code := p.command("failback", "db-eu", "--reason", "replication caught up")
	require.Zero(p.t, code, out)
	await(p.t, "the way back", func() bool { return p.answers(p.eu) })
	p.us.stop()
	p.w.end()
	p.eu.promote()
	commits, _ = p.w.lost(p.eu)
	last := p.w.last
	p.us.follow(p.eu)
	p.w = write(p.t, p.eu, last)
	p.awaitStandby()
	return commits
}

// TestPostgres: with a pair of PostgreSQL servers planned moves lose nothing, and what a death loses stays within the window that the incident
// prints. FAIRLEAD_SWITCHES says how many of each.
func TestPostgres(t *testing.T) {
	waits(t)
	rounds := 2
	if n, err := strconv.Atoi(os.Getenv("FAIRLEAD_SWITCHES")); err == nil {
		rounds = n
	}
	p := newPair(t)
	for round := range rounds {
		stalled := time.Duration(rand.Int64N(int64(1500 * time.Millisecond)))
		commits, over, printed := p.dies(stalled)
		require.NotNil(t, printed.WindowSeconds, "%+v", printed)
		t.Logf("kill %2d: stalled %4d ms, lost %4d commits of %.3f s; %s", round+1, stalled.Milliseconds(), commits, over.Seconds(), printed.Text())
		require.GreaterOrEqual(t, *printed.WindowSeconds, over.Seconds())
		back := p.returns()
		t.Logf("back %2d: lost %d commits", round+1, back)
		require.Zero(t, back)
	}
}
