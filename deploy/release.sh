#!/usr/bin/env bash
# Everything that a release has, into DIST: programs, packages, the image, lists of what is in them, and SHA256SUMS over all of it.
# The same commit gives the same octets on every machine with the same Go; `make release` runs it. It needs nothing but Go and GNU tar.
set -euo pipefail
cd "$(dirname "$0")/.."

GO=${GO:-go}
DIST=${DIST:-dist}
ARCHS=${ARCHS:-amd64 arm64}
VERSION=${VERSION:-$(git describe --tags --always --dirty)}
REVISION=${REVISION:-$(git rev-parse HEAD)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export TZ=UTC LC_ALL=C CGO_ENABLED=0 GOFLAGS=-trimpath
umask 022

rm -rf "$DIST"
mkdir -p "$DIST"
DIST=$(cd "$DIST" && pwd)
tools=$DIST/.tools
work=$DIST/.work
trap 'rm -rf "$tools" "$work"' EXIT

# A version of packages has digits first: one without a tag sorts before all that have one.
case $VERSION in
v[0-9]*) package_version=${VERSION#v} ;;
*) package_version=0.0.0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).${VERSION//-/.} ;;
esac
# Helm wants a semantic version.
chart_version=${package_version/\~/-}

# packed TAR DIR NAME: a tar of DIR/NAME that says nothing of this machine.
packed() {
	tar --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw -C "$2" -cf "$1" "$3"
}

echo "tools"
mkdir -p "$tools"
$GO -C deploy/tools build -buildvcs=false -ldflags "-buildid=" -o "$tools/" ./image github.com/goreleaser/nfpm/v2/cmd/nfpm github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

images=()
for arch in $ARCHS; do
	echo "program $arch"
	stage=$work/$arch
	mkdir -p "$stage"
	GOOS=linux GOARCH=$arch $GO build -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$VERSION" -o "$stage/fairlead" ./cmd/fairlead
	images+=("$arch=$stage/fairlead")
done

echo "manual pages, completions"
native=$work/$($GO env GOHOSTARCH)/fairlead
[ -x "$native" ] || $GO build -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$VERSION" -o "${native:=$work/native}" ./cmd/fairlead
mkdir -p "$work/man" "$work/completion"
"$native" man "$work/man"
gzip -9n "$work"/man/*.1
"$native" completion bash >"$work/completion/fairlead.bash"
"$native" completion zsh >"$work/completion/_fairlead"
"$native" completion fish >"$work/completion/fairlead.fish"

# nfpm writes the times of scripts into an apk.
tree=$work/tree
mkdir -p "$tree"
cp -r --parents deploy/packages deploy/systemd deploy/prometheus deploy/grafana docs plugin/README.md config/testdata/zone.example.yaml config/testdata/node.example.yaml LICENSE README.md CHANGELOG.md "$tree"
find "$tree" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +

for arch in $ARCHS; do
	echo "packages $arch"
	stage=$work/$arch
	cp -r "$work/man" "$work/completion" "$stage/"
	for packager in deb rpm apk; do
		(cd "$tree" && ARCH=$arch PACKAGE_VERSION=$package_version STAGE=$stage "$tools/nfpm" package \
			--config deploy/packages/nfpm.yaml --packager $packager --target "$DIST/fairlead-$VERSION-$arch.$packager")
	done
	name=fairlead-$VERSION-linux-$arch
	mkdir -p "$work/tar/$name"
	cp -r "$stage/fairlead" "$stage/man" "$stage/completion" LICENSE README.md CHANGELOG.md docs deploy/systemd deploy/prometheus deploy/grafana "$work/tar/$name/"
	packed "$work/$name.tar" "$work/tar" "$name"
	gzip -9n <"$work/$name.tar" >"$DIST/$name.tar.gz"
	echo "parts $arch"
	"$tools/cyclonedx-gomod" bin -json -noserial -notimestamp -std -version "$VERSION" -output "$DIST/$name.cdx.json" "$stage/fairlead" 2>"$work/sbom.log" ||
		{ cat "$work/sbom.log" >&2; exit 1; }
done

echo "image"
"$tools/image" -out "$work/image" -version "$VERSION" -revision "$REVISION" -epoch "$SOURCE_DATE_EPOCH" "${images[@]}" >"$DIST/fairlead-$VERSION-image.digest"
packed "$DIST/fairlead-$VERSION-image.tar" "$work" image

echo "chart"
mkdir -p "$work/chart"
cp -rL deploy/helm/fairlead "$work/chart/"
sed -i -e "s/^version: .*/version: $chart_version/" -e "s/^appVersion: .*/appVersion: \"$VERSION\"/" "$work/chart/fairlead/Chart.yaml"
packed "$work/chart.tar" "$work/chart" fairlead
gzip -9n <"$work/chart.tar" >"$DIST/fairlead-$VERSION-chart.tgz"

cd "$DIST"
sha256sum fairlead-* >SHA256SUMS
cat SHA256SUMS
