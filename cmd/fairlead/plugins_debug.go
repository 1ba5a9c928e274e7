//go:build debugplugins

package main

import (
	_ "github.com/coredns/coredns/plugin/chaos"
	_ "github.com/coredns/coredns/plugin/pprof"
)

const debugPlugins = true
