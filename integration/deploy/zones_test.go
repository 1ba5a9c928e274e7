package deploy

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dns/fairlead/config"
)

const zonesHead = `# The kind Zone, whose spec is a zone file, and what a node needs that reads it: get, list and watch of zones, and patch of their status. Off by
# default: a node reads them where its node file says ` + "`zones`" + ` for a cluster (docs/kubernetes.md).
# Made from ` + "`fairlead schema crd`" + ` by ` + "`go test ./integration/deploy -run ZonesManifest -update`" + `.
`

const zonesRole = `---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: fairlead-zones
rules:
  - apiGroups: [fairlead.dev]
    resources: [zones]
    verbs: [get, list, watch]
  - apiGroups: [fairlead.dev]
    resources: [zones/status]
    verbs: [patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: fairlead-zones
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: fairlead-zones
subjects:
  - kind: ServiceAccount
    name: fairlead-reader
    namespace: kube-system
`

// TestZonesManifest: the manifest has the CRD of this program.
func TestZonesManifest(t *testing.T) {
	crd, err := yaml.JSONToYAML(config.CRD())
	require.NoError(t, err)
	want := zonesHead + string(crd) + zonesRole
	const path = "../../deploy/kubernetes/zones.yaml"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}
