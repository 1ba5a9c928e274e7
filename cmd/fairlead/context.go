package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/config/durable"
)

const (
	// contextEnv names the context when there is no --context, contextsEnv the file of the contexts.
	contextEnv, contextsEnv = "FAIRLEAD_CONTEXT", "FAIRLEAD_CONTEXTS"
	// demoContext is the context that is there while a demo of this user runs.
	demoContext = "demo"
	// contextsVersion is that of the file.
	contextsVersion = 1
)

// A serverContext is a cluster as commands reach it: its nodes, and the login that all of them take.
type serverContext struct {
	// Nodes are the addresses by the nodes' names, as --server takes them. Node is the one that is asked without --node; empty is the
	// first by name.
	Nodes map[string]string `json:"nodes"`
	Node  string            `json:"node,omitempty"`
	// TokenFile, CA, Cert and Key are absolute paths, for https alone.
	TokenFile string `json:"token_file,omitempty"`
	CA        string `json:"ca,omitempty"`
	Cert      string `json:"cert,omitempty"`
	Key       string `json:"key,omitempty"`
}

// node is the node that is asked when none is named.
func (x *serverContext) node() string {
	if x.Node != "" || len(x.Nodes) == 0 {
		return x.Node
	}
	return slices.Sorted(maps.Keys(x.Nodes))[0]
}

// contextFile is the file of the contexts.
type contextFile struct {
	Version int `json:"version"`
	// Current is the context that is meant when none is named; empty is none.
	Current  string                    `json:"current,omitempty"`
	Contexts map[string]*serverContext `json:"contexts"`
}

// contextsPath is where the contexts of this user are.
func contextsPath() (string, error) {
	if path := os.Getenv(contextsEnv); path != "" {
		return path, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "fairlead", "contexts.json"), nil
}

// readContexts are the contexts of this user with that of the demo. Without a home directory, or a file, there are no others.
func readContexts() (*contextFile, error) {
	f := &contextFile{Version: contextsVersion}
	path, err := contextsPath()
	if err == nil {
		err = durable.ReadJSON(path, contextsVersion, f)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, exit.WithHint(fmt.Errorf("contexts: %w", err), "mend or remove the file, or name the node with --server")
		}
	}
	if f.Contexts == nil {
		f.Contexts = map[string]*serverContext{}
	}
	if _, own := f.Contexts[demoContext]; !own {
		if nodes := demoSockets(demoSocket()); len(nodes) > 0 {
			f.Contexts[demoContext] = &serverContext{Nodes: nodes}
		}
	}
	return f, nil
}

// write writes the contexts, but not that of the demo, which is not ours to keep.
func (f *contextFile) write() error {
	path, err := contextsPath()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	kept := *f
	kept.Contexts = maps.Clone(f.Contexts)
	if x := kept.Contexts[demoContext]; x != nil && maps.Equal(x.Nodes, demoSockets(demoSocket())) {
		delete(kept.Contexts, demoContext)
	}
	return durable.WriteJSON(path, &kept)
}

// demoSockets are the sockets of the nodes of the demo whose first node listens at first, by the nodes' names.
func demoSockets(first string) map[string]string {
	nodes := map[string]string{}
	if _, err := os.Stat(first); err == nil {
		nodes["n1"] = "unix:" + first
	}
	for i := 2; i <= demoNodes; i++ {
		name := fmt.Sprintf("n%d", i)
		if path := first + "." + name; exists(path) {
			nodes[name] = "unix:" + path
		}
	}
	return nodes
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// named is the context of a name.
func (f *contextFile) named(name string) (*serverContext, error) {
	if x := f.Contexts[name]; x != nil {
		return x, nil
	}
	err := fmt.Errorf("no context is named %s", name)
	if name == demoContext {
		return nil, exit.WithHint(fmt.Errorf("no demo of this user runs"), "start one with `fairlead demo`")
	}
	if near := exit.Nearest(name, slices.Sorted(maps.Keys(f.Contexts))); near != "" {
		return nil, exit.WithHint(err, "did you mean %s?", near)
	}
	return nil, exit.WithHint(err, "see `fairlead context`, or make one: `fairlead context set %s --node n1=https://HOST:PORT`", name)
}

// resolve fills in from a context what the flags leave open. source is where the server was said; empty if it still is open.
func (a *access) resolve() (source string, err error) {
	if a.server != "" {
		if a.node != "" || a.context != "" {
			return "", &exit.Error{Code: exit.Usage, Err: fmt.Errorf("--server names a node itself: it does not go with --node and --context")}
		}
		return "--server", nil
	}
	name := cmp.Or(a.context, os.Getenv(contextEnv))
	if env := os.Getenv(serverEnv); name == "" && env != "" {
		if a.node != "" {
			return "", exit.WithHint(fmt.Errorf("--node %s: %s names one node, and no context", a.node, serverEnv), "name a context with --context, see `fairlead context`")
		}
		a.server = env
		return serverEnv, nil
	}
	f, err := readContexts()
	if err != nil {
		return "", err
	}
	if name = cmp.Or(name, f.Current); name == "" {
		switch {
		case a.node == "":
			return "", nil
		case exists(systemSocket):
			return "", exit.WithHint(fmt.Errorf("--node %s: this machine's own node is asked, and no context is in use", a.node),
				"make a context with the addresses of the nodes: `fairlead context set NAME --node %s=https://HOST:PORT`", a.node)
		}
		name = demoContext
	}
	x, err := f.named(name)
	if err != nil {
		return "", err
	}
	return a.fill(name, x)
}

// fill takes the server and the login from a context. Flags go before it.
func (a *access) fill(name string, x *serverContext) (source string, err error) {
	node := cmp.Or(a.node, x.node())
	server, ok := x.Nodes[node]
	if !ok {
		err := fmt.Errorf("context %s has no node %s", name, node)
		names := slices.Sorted(maps.Keys(x.Nodes))
		if near := exit.Nearest(node, names); near != "" {
			return "", exit.WithHint(err, "did you mean %s?", near)
		}
		return "", exit.WithHint(err, "it has %s", strings.Join(names, ", "))
	}
	a.server = server
	if strings.HasPrefix(server, "https:") {
		a.tokenFile, a.ca = cmp.Or(a.tokenFile, x.TokenFile), cmp.Or(a.ca, x.CA)
		a.cert, a.key = cmp.Or(a.cert, x.Cert), cmp.Or(a.key, x.Key)
	}
	source = fmt.Sprintf("context %s, node %s", name, node)
	return source, nil
}
