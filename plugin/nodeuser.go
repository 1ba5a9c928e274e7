package fairlead

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/coredns/caddy"
	"github.com/coredns/caddy/caddyfile"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/node"
)

// An Account is as whom a node runs, and the state directory that is to be this user's.
type Account struct {
	User  config.User
	State string
}

// AccountOf reads, from a Corefile and the node file that it names, as whom the node is to run. It is for who starts a node as root,
// before anything is opened, so it changes nothing and logs nothing. Without a node file the User is the zero one.
func AccountOf(corefile caddy.Input) (Account, error) {
	blocks, err := caddyfile.Parse(corefile.Path(), bytes.NewReader(corefile.Body()), nil)
	if err != nil {
		return Account{}, err
	}
	for _, b := range blocks {
		tokens, ok := b.Tokens[pluginName]
		if !ok {
			continue
		}
		c := &caddy.Controller{Dispenser: caddyfile.NewDispenserTokens(corefile.Path(), tokens), ServerBlockKeys: b.Keys}
		d, err := parseDirective(c)
		if err != nil {
			return Account{}, err
		}
		if root := b.Tokens["root"]; len(root) > 1 {
			d.below(root[1].Text)
		}
		// All blocks name the same node file and the same state directory: the start refuses others.
		n, problems, err := node.ReadFile(d.node)
		if err := errors.Join(err, problems.Err()); err != nil {
			return Account{}, fmt.Errorf("node file %s:\n%w", d.node, err)
		}
		return Account{User: n.User, State: d.state}, nil
	}
	return Account{}, nil
}
