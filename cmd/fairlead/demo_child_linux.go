package main

import "syscall"

// childAttr puts a node into a process group of its own, so that Ctrl-C reaches the demo alone and the demo ends the nodes
// in order, and lets the kernel kill the node when the demo is killed.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
