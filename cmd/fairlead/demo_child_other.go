//go:build unix && !linux

package main

import "syscall"

// childAttr: only Linux ends a child with its parent.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
