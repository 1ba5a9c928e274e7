package node

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fairlead-dns/fairlead/config"
)

// maxNodeFile bounds what is read of a node file.
const maxNodeFile = 1 << 20

// ReadFile reads and parses the node file at path; an empty path is the node without one.
func ReadFile(path string) (*config.Node, config.Problems, error) {
	if path == "" {
		return config.DefaultNode(), nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, cause(err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxNodeFile+1))
	if err != nil {
		return nil, nil, cause(err)
	}
	if len(content) > maxNodeFile {
		return nil, nil, fmt.Errorf("more than %d octets", maxNodeFile)
	}
	n, problems := config.ParseNode(path, content)
	return n, problems, nil
}

// changedNode says which keys of a node file cannot change while the process runs.
func changedNode(old, next *config.Node) error {
	var errs []error
	for _, k := range []struct {
		key      string
		old, new any
	}{
		{"name", old.Name, next.Name},
		{"user", old.User, next.User},
		{"admin.socket", old.Admin.Socket, next.Admin.Socket},
		{"hooks", hooksOf(old), hooksOf(next)},
		{"caches.transit", old.Caches.Transit, next.Caches.Transit},
		{"admin.listen", old.Admin.Listen, next.Admin.Listen},
		{"admin.tls", old.Admin.TLS.String(), next.Admin.TLS.String()},
		{"admin.oidc", old.Admin.OIDC.String(), next.Admin.OIDC.String()},
		{"references", fmt.Sprint(old.References), fmt.Sprint(next.References)},
		{"probe", fmt.Sprint(old.Probe), fmt.Sprint(next.Probe)},
		{"feed", old.Feed.String(), next.Feed.String()},
		{"cluster", fixedCluster(old), fixedCluster(next)},
	} {
		if k.old != k.new {
			errs = append(errs, fmt.Errorf("node file: %s: %v cannot become %v while the process runs: start it anew", k.key, k.old, k.new))
		}
	}
	return errors.Join(errs...)
}

// hooksOf says all of the webhooks; what is in them may be secret, and is not shown.
func hooksOf(n *config.Node) string {
	sum := sha256.Sum256(fmt.Append(nil, n.Hooks))
	return fmt.Sprintf("%d hooks (%x)", len(n.Hooks), sum[:4])
}
