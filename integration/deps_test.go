package integration

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/fairlead-dns/fairlead/"

// rows are those of docs/architecture.md: an import goes to a lower row, any distance; never up, never sideways.
var rows = map[string]int{
	// Below everything: it knows files, nothing of ours.
	"config/durable": -1, "docs": -1, "deploy/systemd": -1,
	"config": 0, "health/gossip": 0, "plugin/admin/api": 0, "plugin/stream": 0, "plugin/feed/wire": 0,
	"config/foreign": 1, "config/zonedir": 1, "config/diff": 1, "health": 1, "health/event": 1, "health/fleet": 1, "health/counter": 1, "health/loop": 1, "discover": 1,
	"health/judge": 2, "health/probe": 2, "health/intent": 2, "health/ledger": 2, "health/audit": 2, "health/hook": 2, "health/history": 2,
	"plugin/steer": 2, "plugin/geo": 2, "plugin/geo/geomake": 2, "plugin/admin/token": 2, "plugin/admin/door": 2, "plugin/admin/oidc": 2, "plugin/admin/openapi": 2, "plugin/admin/headline": 2, "discover/kube": 2, "discover/dnsname": 2,
	"health/report": 2, "health/run": 2, "plugin/abuse": 2,
	"health/round": 3, "health/departure": 3, "health/incident": 4, "health/latehit": 3, "health/table": 3, "health/state": 3, "client": 3, "client/resolve": 1, "client/grpcresolve": 2,
	"lifeboat": 4, "health/cluster": 4, "health/vantage": 4, "health/reload": 4, "health/gone": 4, "plugin/answer": 4, "plugin/admin/ui": 4,
	"health/order": 5, "health/staleness": 5, "plugin/fastlane": 5, "plugin/explain": 5, "plugin/secondary": 5, "plugin/rollover": 5, "plugin/feed": 5,
	"plugin/admin": 6, "health/engine": 6, "plugin/drill": 6, "plugin/runner": 6,
	"node":         7,
	"plugin":       8,
	"cmd/fairlead": 9,
	// Rooms of the command, each as low as what it needs.
	"cmd/fairlead/terminal": 2, "cmd/fairlead/exit": 3,
	"cmd/fairlead/delegation": 4, "cmd/fairlead/dnssec": 5,
}

// A fence keeps a library where one package at a time has to know it.
type fence struct {
	library string
	allowed []string
	why     string
}

var fences = []fence{
	{"github.com/coredns/", []string{"plugin", "plugin/fastlane", "cmd/fairlead"}, "everything below the plugin must run without a DNS server"},
	{"github.com/hashicorp/memberlist", []string{"health/gossip"}, "state by key is all that the others know of gossip"},
	{"gopkg.in/yaml.v3", []string{"config", "config/foreign"}, "one strict decoder"},
	{"go.yaml.in/", nil, "one strict decoder"},
	{"sigs.k8s.io/yaml", []string{"cmd/fairlead/terminal"}, "it prints documents of the API, by their JSON names; what is read goes through the strict decoder"},
	{"github.com/miekg/dns", []string{"plugin", "plugin/answer", "plugin/secondary", "plugin/explain", "plugin/feed", "plugin/fastlane", "cmd/fairlead/delegation", "cmd/fairlead/dnssec", "health/probe", "discover/dnsname", "config", "config/foreign"}, "decisions know no DNS wire; dnsname asks other resolvers"},
	{"google.golang.org/grpc", []string{"client/grpcresolve", "plugin/feed"}, "calls go by HTTP; xDS alone is spoken in gRPC, and clients of it resolve by us"},
	{"github.com/envoyproxy/", []string{"plugin/feed"}, "a Given is all that the others know of xDS"},
	{"github.com/oschwald/maxminddb-golang", []string{"plugin/geo"}, "a Place is all that the others know of geo databases"},
	{"github.com/maxmind/mmdbwriter", []string{"plugin/geo/geomake"}, "databases are made by command, and for tests"},
	{"k8s.io/", []string{"discover/kube"}, "a Set is all that the others know of clusters"},
	{"github.com/theory/jsonpath", []string{"config", "health/counter"}, "a number is all that the others know of what endpoints count"},
	{"github.com/coreos/go-oidc", []string{"plugin/admin/oidc"}, "a Login is all that the others know of tokens of issuers"},
	{"golang.org/x/oauth2", []string{"plugin/admin/oidc"}, "so it is with their logins"},
	{"github.com/spf13/cobra", []string{"cmd/fairlead", "cmd/fairlead/exit", "cmd/fairlead/delegation", "cmd/fairlead/dnssec"}, "a command line is for the command"},
	{module + "plugin", []string{"client", "client/resolve", "lifeboat", "node", "plugin", "plugin/steer", "plugin/abuse", "plugin/secondary", "plugin/rollover", "plugin/feed", "plugin/feed/wire", "plugin/answer", "plugin/explain", "plugin/drill", "plugin/runner", "plugin/fastlane", "plugin/geo", "plugin/geo/geomake", "plugin/admin", "plugin/admin/api", "plugin/admin/token", "plugin/admin/door", "plugin/admin/oidc", "plugin/admin/openapi", "plugin/admin/headline", "plugin/admin/ui", "cmd/fairlead", "cmd/fairlead/dnssec"}, "health never imports plugin: there is one writer"},
	{"log", []string{"cmd/fairlead"}, "logs go through slog, or through CoreDNS's logger in plugin"},
}

type goPackage struct {
	ImportPath   string
	Dir          string
	Imports      []string
	TestGoFiles  []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,TestGoFiles,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	var list []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		require.NoError(t, err)
		list = append(list, p)
	}
}

// exempt packages are tests, tools and helpers for tests.
func exempt(path string) bool {
	return strings.HasPrefix(path, "integration") || strings.HasSuffix(path, "test")
}

func TestRows(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		if exempt(from) {
			continue
		}
		row, ok := rows[from]
		if !ok {
			t.Errorf("package %s has no row: give it one here and in docs/architecture.md", from)
			continue
		}
		for _, i := range p.Imports {
			to, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			if exempt(to) {
				t.Errorf("%s imports %s, which is for tests", from, to)
			} else if rows[to] >= row {
				t.Errorf("%s (row %d) imports %s (row %d): imports go to a lower row; ask for what you need with an interface of your own", from, row, to, rows[to])
			}
		}
	}
}

func TestFences(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		if exempt(from) {
			continue
		}
		for _, i := range p.Imports {
			for _, f := range fences {
				if f.covers(i) && !slices.Contains(f.allowed, from) {
					t.Errorf("%s imports %s: %s", from, i, f.why)
				}
			}
		}
	}
}

// TestBubbles: where tests run in bubbles, TestMain keeps two threads out of the race detector's context; see suite.OneThread.
func TestBubbles(t *testing.T) {
	guards := regexp.MustCompile(`\bsuite\.(Main|OneThread)\(`)
	bubbles := 0
	for _, p := range packages(t) {
		if !slices.Contains(slices.Concat(p.TestImports, p.XTestImports), "testing/synctest") {
			continue
		}
		bubbles++
		guarded := slices.ContainsFunc(p.TestGoFiles, func(name string) bool {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			require.NoError(t, err)
			return guards.Match(text)
		})
		if !guarded {
			t.Errorf("%s has tests in bubbles, and no TestMain that calls suite.Main or suite.OneThread: the race detector will crash", p.ImportPath)
		}
	}
	require.Positive(t, bubbles)
}

// covers tells whether path is the library or a package below it; packages below those of the standard library are others.
func (f fence) covers(path string) bool {
	library := strings.TrimSuffix(f.library, "/")
	return path == library || strings.Contains(library, ".") && strings.HasPrefix(path, library+"/")
}
