package feed

import (
	"os"
	"regexp"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/xds"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"
)

// TestDocumentedBootstraps: Envoy's own messages take the example for it, with all that they validate, and grpc-go the one for gRPC but for its
// files, which are not there.
func TestDocumentedBootstraps(t *testing.T) {
	page, err := os.ReadFile("../../docs/two-speed.md")
	require.NoError(t, err)
	m := regexp.MustCompile("(?s)```yaml\n(node: \\{id: envoy.*?)```").FindSubmatch(page)
	require.NotNil(t, m)
	asJSON, err := yaml.YAMLToJSON(m[1])
	require.NoError(t, err)
	var b bootstrapv3.Bootstrap
	require.NoError(t, protojson.Unmarshal(asJSON, &b))
	require.NoError(t, b.ValidateAll())

	m = regexp.MustCompile("(?s)```json\n(\\{\n  \"xds_servers\".*?)```").FindSubmatch(page)
	require.NotNil(t, m)
	_, err = xds.NewXDSResolverWithConfigForTesting(m[1])
	require.NoError(t, err)
}
