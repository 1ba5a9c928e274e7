package deploy

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	// releaseEnv lets the tests run that build a release: `make test-deploy` sets it.
	releaseEnv = "FAIRLEAD_RELEASE"
	// version and revision are those of the release of the tests; epoch is when it was made.
	version  = "v1.2.3"
	revision = "0123456789abcdef0123456789abcdef01234567"
	epoch    = "1764374400"
)

// made is the release of all tests, made once.
var made struct {
	once sync.Once
	dir  string
	out  []byte
	err  error
}

// release is the directory of a release for the architecture of this machine.
func release(t *testing.T) string {
	t.Helper()
	if os.Getenv(releaseEnv) == "" {
		t.Skip("builds a release: `make test-deploy`")
	}
	made.once.Do(func() {
		if made.dir, made.err = os.MkdirTemp("", "fairlead-release-"); made.err == nil {
			made.out, made.err = makeRelease("../..", made.dir)
		}
	})
	require.NoError(t, made.err, string(made.out))
	return made.dir
}

// makeRelease makes one from the sources in tree into dist.
func makeRelease(tree, dist string) ([]byte, error) {
	cmd := exec.Command("bash", "deploy/release.sh")
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "DIST="+dist, "ARCHS="+runtime.GOARCH, "VERSION="+version, "REVISION="+revision, "SOURCE_DATE_EPOCH="+epoch)
	return cmd.CombinedOutput()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if made.dir != "" {
		os.RemoveAll(made.dir)
	}
	os.Exit(code)
}

func named(dir, suffix string) string {
	return filepath.Join(dir, "fairlead-"+version+suffix)
}

// TestReproducible: the same sources at another place, with other modes and times, make the same octets.
func TestReproducible(t *testing.T) {
	first := release(t)
	tree := filepath.Join(t.TempDir(), "elsewhere")
	require.NoError(t, os.Mkdir(tree, 0o755))
	// What npm brought is no file of git's.
	out, err := exec.Command("sh", "-c", "cd ../.. && { git ls-files -z --cached --others --exclude-standard; find plugin/admin/ui/dist -type f -print0; } | tar --null -T - -c 2>/dev/null | tar -xm --no-same-permissions -C "+tree).CombinedOutput()
	require.NoError(t, err, string(out))
	second := filepath.Join(t.TempDir(), "dist")
	out, err = makeRelease(tree, second)
	require.NoError(t, err, string(out))
	sums := func(dir string) string {
		b, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		require.NoError(t, err)
		return string(b)
	}
	require.Equal(t, sums(first), sums(second))
}

// TestSums: SHA256SUMS says all files and says them right.
func TestSums(t *testing.T) {
	dir := release(t)
	text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	require.NoError(t, err)
	said := make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		sum, name, found := strings.Cut(strings.TrimSpace(line), "  ")
		require.True(t, found, line)
		content, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		got := sha256.Sum256(content)
		require.Equal(t, sum, hex.EncodeToString(got[:]), name)
		said[name] = true
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		require.True(t, said[f.Name()] || f.Name() == "SHA256SUMS", "%s is not in SHA256SUMS", f.Name())
	}
	for _, suffix := range []string{
		"-image.tar", "-image.digest", "-linux-" + runtime.GOARCH + ".tar.gz", "-linux-" + runtime.GOARCH + ".cdx.json",
		"-" + runtime.GOARCH + ".deb", "-" + runtime.GOARCH + ".rpm", "-" + runtime.GOARCH + ".apk",
	} {
		require.True(t, said["fairlead-"+version+suffix], "no %s", suffix)
	}
}

// unpack unpacks a tar, with gzip around it or not, into a directory of its own.
func unpack(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var from io.Reader = f
	if z, err := gzip.NewReader(f); err == nil {
		from = z
	} else {
		_, err = f.Seek(0, io.SeekStart)
		require.NoError(t, err)
	}
	root := t.TempDir()
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		if err == io.EOF {
			return root
		}
		require.NoError(t, err)
		to := filepath.Join(root, filepath.Clean("/"+h.Name))
		if h.Typeflag == tar.TypeDir {
			require.NoError(t, os.MkdirAll(to, 0o755))
		} else {
			require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
			b, err := io.ReadAll(r)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(to, b, 0o600))
		}
		require.NoError(t, os.Chmod(to, h.FileInfo().Mode()))
		if os.Geteuid() == 0 {
			require.NoError(t, os.Chown(to, h.Uid, h.Gid))
			require.NoError(t, os.Chmod(to, h.FileInfo().Mode()))
		}
	}
}

// TestProgram: what is in the archive needs no library of the system, and says its version.
func TestProgram(t *testing.T) {
	name := "-linux-" + runtime.GOARCH
	root := filepath.Join(unpack(t, named(release(t), name+".tar.gz")), "fairlead-"+version+name)
	program := filepath.Join(root, "fairlead")
	f, err := elf.Open(program)
	require.NoError(t, err)
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries)
	for _, p := range f.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "the program wants a dynamic linker")
	}
	require.Contains(t, tool(t, program, "--version"), version)
	for _, file := range []string{"LICENSE", "README.md", "systemd/fairlead.service", "completion/fairlead.bash", "man/fairlead.1.gz"} {
		require.FileExists(t, filepath.Join(root, file))
	}
}

// TestParts: the SBOM has what the program itself says that it is made of.
func TestParts(t *testing.T) {
	name := "-linux-" + runtime.GOARCH
	b, err := os.ReadFile(named(release(t), name+".cdx.json"))
	require.NoError(t, err)
	var sbom struct {
		BOMFormat  string
		Components []struct{ Name, Version string }
	}
	require.NoError(t, json.Unmarshal(b, &sbom))
	require.Equal(t, "CycloneDX", sbom.BOMFormat)
	has := make(map[string]string)
	for _, c := range sbom.Components {
		has[c.Name] = c.Version
	}
	root := unpack(t, named(release(t), name+".tar.gz"))
	out := tool(t, "go", "version", "-m", filepath.Join(root, "fairlead-"+version+name, "fairlead"))
	n := 0
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "dep" {
			require.Equal(t, f[2], has[f[1]], f[1])
			n++
		}
	}
	require.Positive(t, n)
}

// TestImageIndex: the digest beside the image is that of its index, and the image runs as nobody's user.
func TestImageIndex(t *testing.T) {
	dir := release(t)
	root := filepath.Join(unpack(t, named(dir, "-image.tar")), "image")
	said, err := os.ReadFile(named(dir, "-image.digest"))
	require.NoError(t, err)
	index, err := os.ReadFile(filepath.Join(root, "index.json"))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("sha256:%x\n", sha256.Sum256(index)), string(said))
	image := imageConfig(t, root)
	require.Equal(t, "65532:65532", image.Config.User)
	require.Equal(t, []string{"/usr/bin/fairlead"}, image.Config.Entrypoint)
	require.Equal(t, version, image.Config.Labels["org.opencontainers.image.version"])
	require.Equal(t, runtime.GOARCH, image.Architecture)
}

type ociImage struct {
	Architecture string
	Config       struct {
		User            string
		Entrypoint, Cmd []string
		Labels          map[string]string
	}
}

func readJSON(t *testing.T, path string, to any) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, to))
}

func blob(root, digest string) string {
	return filepath.Join(root, "blobs", strings.Replace(digest, ":", "/", 1))
}

// manifest is the one image of a layout: its configuration, and its layers.
func manifest(t *testing.T, root string) (m struct {
	Config struct{ Digest string }
	Layers []struct{ Digest string }
}) {
	t.Helper()
	var images struct{ Manifests []struct{ Digest string } }
	readJSON(t, filepath.Join(root, "index.json"), &images)
	require.Len(t, images.Manifests, 1)
	readJSON(t, blob(root, images.Manifests[0].Digest), &m)
	return m
}

func imageConfig(t *testing.T, root string) (image ociImage) {
	t.Helper()
	readJSON(t, blob(root, manifest(t, root).Config.Digest), &image)
	return image
}

// imageRoot unpacks the one layer of the image.
func imageRoot(t *testing.T) (string, ociImage) {
	t.Helper()
	root := filepath.Join(unpack(t, named(release(t), "-image.tar")), "image")
	m := manifest(t, root)
	require.Len(t, m.Layers, 1, fmt.Sprint(m))
	return unpack(t, blob(root, m.Layers[0].Digest)), imageConfig(t, root)
}
