#!/usr/bin/env bash
# Builds kube-apiserver and etcd from the Go module proxy into a cache outside of the repository, once per version and processor, and prints the
# directory that holds them. Building takes some 20 minutes of a core; a directory that stands is used as it is. Where the proxy is out of reach, or
# does not answer, it ends and says so. The CRDs of what else
# pools take endpoints from are put beside them.
#   integration/kube/build.sh [DIRECTORY]
set -euo pipefail
# A proxy that takes connections and says nothing would be waited for without end.
limit=${FAIRLEAD_KUBE_LIMIT:-40m}
failed() {
  echo "kube-apiserver and etcd could not be had: $1. They are built from the Go module proxy; tests against a cluster need them." >&2
  exit 1
}
build() { timeout -k 10 "$limit" "$@" >&2 || failed "building $dir ended with $? (124: not within $limit)"; }
cd "$(dirname "$0")"
go=${GO:-go}
kubernetes=$(cd apiserver && timeout 60 "$go" list -m -f '{{.Version}}' k8s.io/kubernetes) || failed "go list -m k8s.io/kubernetes"
etcd=$(cd etcd && timeout 60 "$go" list -m -f '{{.Version}}' go.etcd.io/etcd/server/v3) || failed "go list -m go.etcd.io/etcd/server/v3"
crds=$(cd crds && timeout 300 "$go" mod download -json sigs.k8s.io/gateway-api sigs.k8s.io/mcs-api sigs.k8s.io/external-dns |
  sed -n 's/^\t"Dir": "\(.*\)",$/\1/p') || failed "go mod download of CRDs"
cache=${1:-${FAIRLEAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairlead}}
dir=$cache/kube-$kubernetes-etcd-$etcd-$("$go" env GOARCH)
mkdir -p "$dir"
# Two runs at once build one after the other.
exec 9>"$dir/lock"
flock 9
IFS=. read -r major minor _ <<<"${kubernetes#v}"
version=k8s.io/component-base/version
[ -x "$dir/etcd" ] || {
  build env -C etcd CGO_ENABLED=0 "$go" build -trimpath -ldflags '-s -w' -o "$dir/etcd.new" go.etcd.io/etcd/server/v3
  mv "$dir/etcd.new" "$dir/etcd"
}
rm -rf "$dir/crds"
for module in $crds; do
  # Each of them has its own place; what begins with another name is no CRD.
  find "$module/config/crd" "$module/config/crd/standard" -maxdepth 1 -name '*k8s.io*.yaml' ! -name '*_vap_*' -exec install -D -m 644 -t "$dir/crds" {} + 2>/dev/null || true
done
[ -f "$dir/crds/gateway.networking.k8s.io_gateways.yaml" ] || failed "the CRDs of the Gateway API are not where they were"
# Without a version kubectl and helm complain.
[ -x "$dir/kube-apiserver" ] || {
  build env -C apiserver CGO_ENABLED=0 "$go" build -trimpath -o "$dir/kube-apiserver.new" \
    -ldflags "-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=$major -X $version.gitMinor=$minor" k8s.io/kubernetes/cmd/kube-apiserver
  mv "$dir/kube-apiserver.new" "$dir/kube-apiserver"
}
echo "$dir"
