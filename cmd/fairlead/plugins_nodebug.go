//go:build !debugplugins

package main

const debugPlugins = false
