#!/usr/bin/env bash
# Builds kube-apiserver and etcd from the Go module proxy into a cache outside of the repository, once per version and processor, and prints the
# directory that holds them. Building takes some 20 minutes of a core; a directory that stands is used as it is.
#   integration/kube/build.sh [DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")"
go=${GO:-go}
kubernetes=$(cd apiserver && "$go" list -m -f '{{.Version}}' k8s.io/kubernetes)
etcd=$(cd etcd && "$go" list -m -f '{{.Version}}' go.etcd.io/etcd/server/v3)
cache=${1:-${FAIRLEAD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fairlead}}
dir=$cache/kube-$kubernetes-etcd-$etcd-$("$go" env GOARCH)
mkdir -p "$dir"
# Two runs at once build one after the other.
exec 9>"$dir/lock"
flock 9
IFS=. read -r major minor _ <<<"${kubernetes#v}"
version=k8s.io/component-base/version
[ -x "$dir/etcd" ] || {
  (cd etcd && CGO_ENABLED=0 "$go" build -trimpath -ldflags '-s -w' -o "$dir/etcd.new" go.etcd.io/etcd/server/v3) >&2
  mv "$dir/etcd.new" "$dir/etcd"
}
# Without a version kubectl and helm complain.
[ -x "$dir/kube-apiserver" ] || {
  (cd apiserver && CGO_ENABLED=0 "$go" build -trimpath -o "$dir/kube-apiserver.new" \
    -ldflags "-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=$major -X $version.gitMinor=$minor" k8s.io/kubernetes/cmd/kube-apiserver) >&2
  mv "$dir/kube-apiserver.new" "$dir/kube-apiserver"
}
echo "$dir"
