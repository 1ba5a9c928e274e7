package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
)

// clusterPaths has the directory of zone files take the place of each directory of nodes, as init makes them, and returns the node files
// of these, with what is wrong between them.
func clusterPaths(paths []string) (zones, nodes []string, problems config.Problems) {
	for _, path := range paths {
		files, _ := filepath.Glob(filepath.Join(path, "*", "node.yaml"))
		shared := filepath.Join(path, zonesDir)
		if len(files) == 0 || !isDir(shared) {
			zones = append(zones, path)
			continue
		}
		zones, nodes = append(zones, shared), append(nodes, files...)
		problems = append(problems, compareNodes(files)...)
		for _, file := range files {
			problems = append(problems, compareZones(shared, filepath.Join(filepath.Dir(file), zonesDir))...)
		}
	}
	return zones, nodes, problems
}

// compareNodes says where the nodes of a cluster differ and must not.
func compareNodes(files []string) (problems config.Problems) {
	wrong := func(file, path, format string, args ...any) {
		problems = append(problems, config.Problem{File: file, Path: path, Message: fmt.Sprintf(format, args...)})
	}
	var first *config.Node
	names := make(map[string]string)
	for _, file := range files {
		n, _ := parseNode(file)
		if n == nil {
			continue
		}
		if other, twice := names[n.Name]; twice {
			wrong(file, "name", "%s has the name %q too", other, n.Name)
		}
		names[n.Name] = file
		if n.Cluster == nil {
			continue
		}
		if first == nil {
			first = n
			continue
		}
		if n.Cluster.Name != first.Cluster.Name {
			wrong(file, "cluster.name", "%q here, and %q in %s: they never meet", n.Cluster.Name, first.Cluster.Name, files[0])
		}
		if !slices.EqualFunc(n.Cluster.Nodes, first.Cluster.Nodes, func(a, b config.ClusterNode) bool {
			return a.Name == b.Name && a.Address == b.Address && bytes.Equal(a.PublicKey, b.PublicKey)
		}) {
			wrong(file, "cluster.nodes", "the roster differs from that in %s", files[0])
		}
	}
	return append(problems, compareKeyrings(files)...)
}

// compareKeyrings says which keyring beside a node file is another one than the first.
func compareKeyrings(files []string) (problems config.Problems) {
	var first []byte
	for _, file := range files {
		path := filepath.Join(filepath.Dir(file), "gossip.keys")
		keys, err := os.ReadFile(path)
		switch {
		case err != nil:
		case first == nil:
			first = keys
		case !bytes.Equal(first, keys):
			problems = append(problems, config.Problem{File: path, Message: "another keyring than that of the first node: they cannot read one another"})
		}
	}
	return problems
}

// compareZones says which zone files a node's own directory has otherwise than the shared one; own need not be there.
func compareZones(shared, own string) (problems config.Problems) {
	list, _ := filepath.Glob(filepath.Join(shared, "*.yaml"))
	copies, _ := filepath.Glob(filepath.Join(own, "*.yaml"))
	if len(copies) == 0 {
		return nil
	}
	differs := func(path, format string, args ...any) {
		problems = append(problems, config.Problem{File: path, Severity: config.Warning, Message: fmt.Sprintf(format, args...)})
	}
	for _, path := range list {
		text, err := os.ReadFile(path)
		copied, err2 := os.ReadFile(filepath.Join(own, filepath.Base(path)))
		if err == nil && (err2 != nil || !bytes.Equal(text, copied)) {
			differs(filepath.Join(own, filepath.Base(path)), "it is not what %s has: copy it", path)
		}
	}
	for _, path := range copies {
		if !slices.ContainsFunc(list, func(p string) bool { return filepath.Base(p) == filepath.Base(path) }) {
			differs(path, "%s has no such file", shared)
		}
	}
	return problems
}
