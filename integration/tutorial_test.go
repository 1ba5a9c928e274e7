package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// tutorialHost stands in the place of 127.0.0 in the tutorial's addresses: the test may run beside others.
const tutorialHost = "127.79.0"

// TestTutorial: the blocks of docs/tutorial.md, line by line in one shell, do what the page says.
func TestTutorial(t *testing.T) {
	suite.Long(t)
	for _, needed := range []string{"bash", "python3", "dig"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skipf("needs %s", needed)
		}
	}
	bin := binary(t, false)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(bin, filepath.Join(dir, "fairlead")))
	page, err := os.ReadFile("../docs/tutorial.md")
	require.NoError(t, err)
	script := "set -m\n" + `try() {
  for i in $(seq 90); do
    out=$(eval "$1" 2>&1); code=$?
    # 3 is: not all is well, which the page is about.
    if [ $code = 0 ] || [ $code = 3 ]; then echo "ok: $1"; echo "$out" | head -3; return; fi
    sleep 1
  done
  echo "failed ($code): $1"; echo "$out"; exit 1
}
`
	lines := 0
	for _, m := range regexp.MustCompile(`(?m)^    (\S.*)$`).FindAllStringSubmatch(string(page), -1) {
		line := strings.ReplaceAll(m[1], "127.0.0.", tutorialHost+".")
		if strings.HasPrefix(line, "fairlead init") {
			line += " --listen " + tutorialHost + ".1:5301"
		}
		lines++
		if strings.HasPrefix(line, "fairlead ") || strings.HasPrefix(line, "dig ") {
			line = "try '" + strings.ReplaceAll(line, "'", `'\''`) + "'"
		}
		script += line + "\n"
		if server := regexp.MustCompile(`^python3 .* (\d+) --bind (\S+) .*&$`).FindStringSubmatch(line); server != nil {
			// Who reads is slower than who runs: without it the first probe finds nobody.
			script += "try '(echo > /dev/tcp/" + server[2] + "/" + server[1] + ")'\n"
		}
		if strings.HasPrefix(line, "for n in") && strings.Contains(line, "serve") {
			script += "try 'dig @" + tutorialHost + ".1 -p 5303 www.gslb.example.org +time=1 +tries=1'\n"
		}
	}
	require.Greater(t, lines, 14)
	cmd := exec.Command("bash", "-c", script)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	t.Cleanup(func() { endSession(cmd) })
	err = cmd.Run()
	out, readErr := os.ReadFile(log.Name())
	require.NoError(t, readErr)
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "+short\n"+tutorialHost+".2\n", "the first tier answers")
	require.NotContains(t, string(out), "failed (")
}

// endSession ends every process of the shell's session: each job has a group of its own.
func endSession(cmd *exec.Cmd) {
	if cmd.Process == nil {
		return
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// Behind the name: state, parent, group, session.
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && len(fields) > 3 && fields[3] == strconv.Itoa(cmd.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
