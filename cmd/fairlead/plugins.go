package main

import (
	"slices"

	"github.com/coredns/coredns/core/dnsserver"

	// The plugins of CoreDNS that the operator of an authoritative server needs. All of them would make the program
	// twice as large. Left out on purpose: rewrite and dnssec (they break the bound), loadbalance (it breaks the weights),
	// forward and everything else that resolves or asks a cloud. pprof and chaos tell strangers about the process: they
	// are in builds with the tag debugplugins alone.
	_ "github.com/coredns/coredns/plugin/acl"
	_ "github.com/coredns/coredns/plugin/any"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/bufsize"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/cancel"
	_ "github.com/coredns/coredns/plugin/debug"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/file"
	_ "github.com/coredns/coredns/plugin/header"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/local"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/metadata"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/minimal"
	_ "github.com/coredns/coredns/plugin/multisocket"
	_ "github.com/coredns/coredns/plugin/nsid"
	_ "github.com/coredns/coredns/plugin/proxyproto"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/root"
	_ "github.com/coredns/coredns/plugin/shed"
	_ "github.com/coredns/coredns/plugin/timeouts"
	_ "github.com/coredns/coredns/plugin/tls"
	_ "github.com/coredns/coredns/plugin/transfer"
	_ "github.com/coredns/coredns/plugin/tsig"
	_ "github.com/coredns/coredns/plugin/view"
	_ "github.com/coredns/coredns/plugin/whoami"

	_ "github.com/fairlead-dns/fairlead/plugin"
)

// directives are those that a Corefile may use, in the order in which a query passes them: CoreDNS's order
// (dnsserver/zdirectives.go), with ours before `file`.
var directives = []string{
	"root", "metadata", "cancel", "proxyproto", "timeouts", "multisocket", "reload", "nsid", "bufsize", "bind", "debug",
	"ready", "health", "pprof", "shed", "prometheus", "errors", "log", "local", "any", "chaos", "acl", "tsig", "cache", "header",
	"tls", "minimal", "transfer", "fairlead", "file", "whoami", "view",
}

// debugDirectives are those of the build tag debugplugins.
var debugDirectives = []string{"pprof", "chaos"}

func selectPlugins() error {
	return dnsserver.SetDirectives(slices.DeleteFunc(slices.Clone(directives), func(d string) bool { return !debugPlugins && slices.Contains(debugDirectives, d) }))
}
