// Command image writes an OCI image layout with one image for each architecture: the program, the account that it runs as and its
// directories, on nothing else. The same programs at the same time give the same digest, which it prints.
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// uid is the user and the group that the program runs as: what distroless images call nonroot.
const uid = 65532

// exposed is where an unprivileged process listens in a container by default: DNS, gossip, metrics.
var exposed = []string{"53/udp", "53/tcp", "7946/udp", "7946/tcp", "9153/tcp"}

// options are what the command line says.
type options struct {
	out, version, revision string
	created                time.Time
	// binaries are paths by architecture.
	binaries map[string]string
}

func main() {
	o, err := parse(os.Args[1:])
	if err == nil {
		var digest v1.Hash
		if digest, err = build(o); err == nil {
			fmt.Println(digest)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func parse(args []string) (*options, error) {
	o := &options{binaries: make(map[string]string)}
	f := flag.NewFlagSet("image", flag.ContinueOnError)
	f.StringVar(&o.out, "out", "", "directory of the layout; must not exist")
	f.StringVar(&o.version, "version", "", "version of the program")
	f.StringVar(&o.revision, "revision", "", "commit of the program")
	epoch := f.Int64("epoch", -1, "seconds since 1970 at which the image was made")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	for _, arg := range f.Args() {
		arch, path, found := strings.Cut(arg, "=")
		if !found {
			return nil, fmt.Errorf("%q: want ARCHITECTURE=PROGRAM", arg)
		}
		o.binaries[arch] = path
	}
	if o.out == "" || *epoch < 0 || len(o.binaries) == 0 {
		return nil, errors.New("want -out DIR -epoch SECONDS ARCHITECTURE=PROGRAM")
	}
	o.created = time.Unix(*epoch, 0).UTC()
	return o, nil
}

// build writes the layout and tells the digest of its index.
func build(o *options) (v1.Hash, error) {
	archs := make([]string, 0, len(o.binaries))
	for arch := range o.binaries {
		archs = append(archs, arch)
	}
	slices.Sort(archs)
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range archs {
		image, err := imageOf(o, arch)
		if err != nil {
			return v1.Hash{}, fmt.Errorf("%s: %w", arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	index, _ = mutate.Annotations(index, o.annotations()).(v1.ImageIndex)
	if _, err := os.Lstat(o.out); !errors.Is(err, os.ErrNotExist) {
		return v1.Hash{}, fmt.Errorf("%s is there already", o.out)
	}
	if _, err := layout.Write(o.out, index); err != nil {
		return v1.Hash{}, err
	}
	return index.Digest()
}

func (o *options) annotations() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":    "fairlead",
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.version":  o.version,
		"org.opencontainers.image.revision": o.revision,
		"org.opencontainers.image.created":  o.created.Format(time.RFC3339),
	}
}

func imageOf(o *options, arch string) (v1.Image, error) {
	files, err := rootFiles(o.binaries[arch], o.created)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{
		Layer: layer, History: v1.History{Created: v1.Time{Time: o.created}, CreatedBy: "fairlead deploy/tools/image"},
	})
	if err != nil {
		return nil, err
	}
	ports := make(map[string]struct{})
	for _, p := range exposed {
		ports[p] = struct{}{}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: o.created}
	config.Config = v1.Config{
		User:         fmt.Sprintf("%d:%d", uid, uid),
		Entrypoint:   []string{"/usr/bin/fairlead"},
		Cmd:          []string{"serve", "-conf", "/etc/fairlead/Corefile"},
		WorkingDir:   "/etc/fairlead",
		Env:          []string{"PATH=/usr/bin"},
		ExposedPorts: ports,
		Labels:       o.annotations(),
		StopSignal:   "SIGTERM",
	}
	return mutate.ConfigFile(image, config)
}

// rootFiles is the tar of the image's one layer.
func rootFiles(binary string, created time.Time) ([]byte, error) {
	program, err := os.ReadFile(filepath.Clean(binary))
	if err != nil {
		return nil, err
	}
	id := strconv.Itoa(uid)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range []struct {
		name    string
		mode    int64
		owner   int
		content []byte
	}{
		{"etc/", 0o755, 0, nil},
		{"etc/passwd", 0o644, 0, []byte("root:x:0:0:root:/:/sbin/nologin\nfairlead:x:" + id + ":" + id + ":Fairlead DNS:/var/lib/fairlead:/sbin/nologin\n")},
		{"etc/group", 0o644, 0, []byte("root:x:0:\nfairlead:x:" + id + ":\n")},
		{"etc/fairlead/", 0o755, 0, nil},
		{"run/", 0o755, 0, nil},
		{"run/fairlead/", 0o755, uid, nil},
		{"tmp/", 0o1777, 0, nil},
		{"usr/", 0o755, 0, nil},
		{"usr/bin/", 0o755, 0, nil},
		{"usr/bin/fairlead", 0o755, 0, program},
		{"var/", 0o755, 0, nil},
		{"var/lib/", 0o755, 0, nil},
		{"var/lib/fairlead/", 0o700, uid, nil},
	} {
		h := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.owner, Gid: f.owner, Size: int64(len(f.content)), ModTime: created, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if strings.HasSuffix(f.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	// Close writes the end of the tar: before Bytes.
	err = w.Close()
	return b.Bytes(), err
}
