package config

import (
	"fmt"
	"slices"
)

// MaxKubeClusters is how many clusters one node can read; each costs a connection for each kind of object.
const MaxKubeClusters = 64

// A KubeCluster is a cluster of Kubernetes that the node reads.
type KubeCluster struct {
	Name string
	// InCluster uses the service account of the pod. Otherwise Kubeconfig is a path, and Context one of its contexts; empty for the current one.
	InCluster           bool
	Kubeconfig, Context string
	// Region and AZ say where addresses stand of which the cluster does not say it; empty for unknown.
	Region, AZ string
	// Zones has the cluster's objects of the kind Zone written as zone files; nil for not.
	Zones *KubeZones
	// Expose are the addresses that clients reach in the place of those that the cluster knows.
	Expose []Expose
}

// KubeZones says which objects of the kind Zone are zone files of this node.
type KubeZones struct {
	// Namespace is where they are; empty for all.
	Namespace string
	// Directory is where they are written: one that a Corefile names as zones.
	Directory string
}

func kubernetesShape() *shape {
	zones := object(
		optional("namespace", text("a namespace", labelValue)).or("all").says("Only the objects of this namespace."),
		required("directory", text("a path", lineText)).says("Where they are written, as zone files: a directory that the Corefile names as zones."),
	)
	cluster := object(
		optional("in_cluster", boolean()).or(false).says("Read by the service account of the pod. Either this or `kubeconfig`."),
		optional("kubeconfig", text("a path", lineText)).says("How the cluster is read from outside."),
		optional("context", text("a context of the kubeconfig", lineText)).or("the current one").says("Which context of the kubeconfig."),
		optional("region", text("a region name", parseIdentifier)).or("unknown").says("Of addresses of which the cluster does not say one."),
		optional("az", text("an AZ name", parseIdentifier)).or("unknown").says("Of addresses of which the cluster does not say one."),
		optional("zones", zones).or("none are read").says("Objects of the kind Zone (fairlead.dev/v1alpha1) are zone files of this node."),
		optional("expose", dict("prefix", prefix())).or("as the cluster has them").says("Prefixes of addresses in the cluster, and those under which clients reach them, 1:1."),
	)
	return object(required("clusters", dict("cluster", cluster)).says("The clusters, by the names that `from` of pools uses; at most 64."))
}

// kubernetes reads which clusters the node reads.
func (n *Node) kubernetes(r *report, section *yamlNode) {
	root := (*yamlPath)(nil).child("kubernetes").child("clusters")
	count := 0
	for k, v := range entries(field(section, "clusters")) {
		at := root.child(k.Value)
		count++
		if err := clusterName(k.Value); err != nil {
			r.node(k, Error, at.String(), err.Error(), "")
		}
		c := KubeCluster{
			Name: k.Value, InCluster: boolOf(field(v, "in_cluster")), Kubeconfig: stringOf(field(v, "kubeconfig")), Context: stringOf(field(v, "context")),
			Region: stringOf(field(v, "region")), AZ: stringOf(field(v, "az")),
		}
		if z := field(v, "zones"); z != nil {
			c.Zones = &KubeZones{Namespace: stringOf(field(z, "namespace")), Directory: stringOf(field(z, "directory"))}
		}
		switch {
		case c.InCluster && c.Kubeconfig != "":
			r.node(field(v, "kubeconfig"), Error, at.child("kubeconfig").String(), "a kubeconfig and in_cluster", "one of the two says how the cluster is read")
		case !c.InCluster && c.Kubeconfig == "":
			r.node(k, Error, at.String(), "how the cluster is read is missing", "in_cluster: true, or kubeconfig: PATH")
		case c.Context != "" && c.InCluster:
			r.node(field(v, "context"), Error, at.child("context").String(), "a context without a kubeconfig", "")
		}
		for from, to := range entries(field(v, "expose")) {
			c.Expose = append(c.Expose, exposed(r, from, to, at.child("expose").child(from.Value))...)
		}
		// The longest prefix comes first.
		slices.SortFunc(c.Expose, func(a, b Expose) int { return b.Inside.Bits() - a.Inside.Bits() })
		n.Kubernetes = append(n.Kubernetes, c)
	}
	if count > MaxKubeClusters {
		r.node(section, Error, root.String(), fmt.Sprintf("%d clusters, at most %d", count, MaxKubeClusters), "")
	}
}

// exposed reads one line of `expose`; none if there is something wrong with it.
func exposed(r *report, from, to *yamlNode, at *yamlPath) []Expose {
	inside, err := parsePrefix(from.Value)
	if err != nil {
		r.node(from, Error, at.String(), err.Error(), "")
		return nil
	}
	outside, err := parsePrefix(stringOf(to))
	if err != nil {
		// The shape has said so.
		return nil
	}
	if inside.Bits() != outside.Bits() || inside.Addr().Is4() != outside.Addr().Is4() {
		r.node(to, Error, at.String(), fmt.Sprintf("%s is not as large as %s", outside, inside), "each address has its own outside")
		return nil
	}
	return []Expose{{Inside: inside, Outside: outside}}
}
