# Everything a fresh machine with Go and Node needs. `make demo` runs the main job, `make test` passes the tests.

GO        ?= go
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS   := -s -w -X main.version=$(VERSION)
# The Debian packages that the tests use; installed by `make test-deps`.
PACKAGES  := bind9 bind9-dnsutils knot-dnsutils dnsperf iproute2 nftables mandoc unbound chromium prometheus knot-resolver dnsmasq-base pdns-recursor systemd rpm tmux nsd knot postgresql haproxy nginx-light
# What the long tests use besides: the servers whose answers are compared with those of what was imported from them.
LONG      := gdnsd pdns-server pdns-backend-bind
# The servers that `make bench-peers` compares with.
PEERS     := gdnsd pdns-server pdns-backend-geoip pdns-backend-bind knot knot-module-geoip nsd bind9 util-linux
# Random histories of whole clusters that the simulator goes through: 2 s of a core each.
SEEDS     ?= 120
# Where each part of the tests appends how many tests it had, and how many failed, were left out, and were errors of the build.
TOTALS    ?= /dev/null
GOTESTSUM := $(GO) tool gotestsum --format pkgname --hide-summary skipped \
  --post-run-command 'sh -c "echo $$TESTS_TOTAL $$TESTS_FAILED $$TESTS_SKIPPED $$TESTS_ERRORS >>$(TOTALS)"'
SUDO      := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: build ui man demo test lint test-plain test-race test-fast test-long test-deps test-long-deps vet bench bench-peers fuzz release test-deploy test-kube test-upgrade clean

build: ui ## bin/fairlead, which needs no library of the system
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/fairlead ./cmd/fairlead

# What the dashboard takes from npm is copied to where go:embed finds it. Without Node the program is built all the same; its pages do
# not follow by themselves then, and say so.
ui: plugin/admin/ui/node_modules/.package-lock.json ## what the dashboard takes from npm, if there is npm
	@if command -v npm >/dev/null; then cd plugin/admin/ui && npm run --silent build; else echo 'no npm: the dashboard is built without live pages'; fi

plugin/admin/ui/node_modules/.package-lock.json: plugin/admin/ui/package-lock.json
	@if command -v npm >/dev/null; then cd plugin/admin/ui && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json; fi

man: build ## bin/man/man1: a manual page for each command
	bin/fairlead man bin/man/man1

demo: build ## three nodes with real endpoints on 127.0.0.0/8; Ctrl-C ends it
	bin/fairlead demo $(DEMO_FLAGS)

test: test-deps vet test-plain test-race ## everything that is held against a commit: CONTRIBUTING.md has the minutes of each part

test-plain: test-deps ui ## every package without the race detector: whole clusters, SEEDS random histories, the real binary
	FAIRLEAD_SEEDS=$(SEEDS) GOGC=400 $(GOTESTSUM) -- -count=1 -timeout 30m ./...

test-race: ## what needs nothing but Go, with the race detector; large bubbles leave themselves out
	$(GOTESTSUM) -- -race -count=1 -timeout 20m $$($(GO) list ./... | grep -v '/integration$$')

test-fast: vet ## what needs nothing but Go, without the race detector: before each commit
	$(GO) test -short ./...

test-long: test-long-deps ## what takes hours; each line can be given alone
	FAIRLEAD_SEEDS=1000 GOGC=400 $(GO) test -count=1 -timeout 2h -run '^TestSimSeeds$$' ./plugin
	FAIRLEAD_STEADY=1000 GOGC=400 $(GO) test -count=1 -timeout 2h -run '^TestSimSteady$$' ./plugin
	FAIRLEAD_BOUNDS=1000 GOGC=400 $(GO) test -count=1 -timeout 2h -run '^TestSimBounds$$' ./plugin
	FAIRLEAD_PLANS=1000000 $(GO) test -count=1 -timeout 2h -run '^TestTwinAgrees$$' ./plugin/steer
	FAIRLEAD_LONG=1 $(GO) test -v -count=1 -timeout 2h -run '^(TestConvergence|TestTraffic)$$' ./health/gossip
	FAIRLEAD_LONG=1 $(GO) test -v -count=1 -timeout 30m -run '^(TestSession|TestImport|TestTutorial)' ./integration
	FAIRLEAD_TRIALS=20 FAIRLEAD_STORM=50 FAIRLEAD_VALIDATE=120 FAIRLEAD_SWITCHES=30 $(GO) test -v -count=1 -timeout 4h ./integration

# A minute or two once the tools are built, which is seven minutes of a core.
test-deploy: ui test-deps ## makes a release twice and compares it, installs the deb, runs the image, tries chart and manifests
	$(GO) -C deploy/tools vet ./...
	FAIRLEAD_RELEASE=1 $(GOTESTSUM) -- -count=1 -timeout 30m ./integration/deploy

# Two minutes once kube-apiserver, etcd and helm are built, which takes some 25 minutes of a core. What cannot be built is an error among the totals.
test-kube: ## the real binary against a kube-apiserver and an etcd on loopback, through every row of the failure table
	@timeout 20m $(GO) -C deploy/tools/helm build -o ../../../bin/tools/helm helm.sh/helm/v4/cmd/helm || { echo 'helm could not be built' >&2; echo 0 0 0 1 >>$(TOTALS); exit 1; }
	@FAIRLEAD_KUBE=$$(GO=$(GO) integration/kube/build.sh) || { echo 0 0 0 1 >>$(TOTALS); exit 1; }; export FAIRLEAD_KUBE; \
	$(GOTESTSUM) -- -count=1 -timeout 15m -run '^TestKube' ./integration

test-upgrade: ## three nodes from FROM's program to this one, mixed for ten minutes under 2,000 questions a second: make test-upgrade FROM=COMMIT
	FAIRLEAD_UPGRADE_FROM=$(FROM) FAIRLEAD_UPGRADE_SECONDS=600 $(GO) test -v -count=1 -timeout 40m -run '^TestRollingUpgrade$$' ./integration

release: ui ## dist: programs, packages, image, chart, what is in them, checksums; the same octets on every machine
	VERSION=$(VERSION) GO=$(GO) deploy/release.sh

test-deps: ## the Debian packages that the integration tests use
	@missing=; for p in $(PACKAGES); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then $(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; fi

test-long-deps: ## the Debian packages that the long tests use
	@$(MAKE) --no-print-directory test-deps PACKAGES="$(PACKAGES) $(LONG)"

vet:
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "gofmt: $$out"; exit 1; }
	$(GO) vet ./...
	$(GO) mod tidy -diff

# A module file of its own, so that what the linter needs is no dependency of the product; half a minute of a core once it is built.
lint: vet ## what CI holds against a commit before any test: vet, and staticcheck by staticcheck.conf
	$(GO) tool -modfile=.ci/lint.mod staticcheck ./...

bench: build test-deps ## figures against their targets; minutes
	$(GO) test -run '^$$' -bench . -benchtime 2s ./plugin/... ./config/...
	$(GO) run ./integration/bench

bench-peers: build ## answers per CPU second, latencies, memory and loading beside other servers, on two cores; some ten minutes
	@$(MAKE) --no-print-directory test-deps PACKAGES="$(PEERS)"
	$(GO) run ./integration/bench -only peers $(BENCH_FLAGS)

fuzz: ## each fuzz target for FUZZTIME
	@for t in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do d=$$(dirname $$t); \
	  for f in $$(grep -oE '^func Fuzz[A-Za-z]+' $$t | cut -d' ' -f2); do $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(or $(FUZZTIME),30s) ./$$d || exit 1; done; done

clean:
	rm -rf bin dist
