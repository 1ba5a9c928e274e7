//go:build !linux

package main

import (
	"errors"
	"os"

	"github.com/coredns/caddy"

	"github.com/fairlead-dns/fairlead/config"
	fairlead "github.com/fairlead-dns/fairlead/plugin"
)

// leaveRoot refuses what it cannot do here, rather than to go on as root.
func leaveRoot(corefile caddy.Input) error {
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := fairlead.AccountOf(corefile)
	if err == nil && account.User != (config.User{}) {
		err = errors.New("node file: user: root's powers are dropped on Linux alone: start the node as that user")
	}
	return err
}
