package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBatch: files are in place after Commit and not before, few of them and many; one that fails takes no other with it, and nothing is left
// of it.
func TestBatch(t *testing.T) {
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	for _, n := range []int{1, fewFiles, fewFiles + 5} {
		dir, other := t.TempDir(), t.TempDir()
		var b Batch
		for i := range n {
			require.NoError(t, b.Write(filepath.Join(dir, fmt.Sprint(i)), text(fmt.Sprint("new ", i))))
		}
		bad := errors.New("no content")
		require.ErrorIs(t, b.Write(filepath.Join(dir, "bad"), func(io.Writer) error { return bad }), bad)
		// A directory stands where a file is to be.
		blocked := filepath.Join(other, "blocked")
		require.NoError(t, os.MkdirAll(filepath.Join(blocked, "sub"), 0o755))
		require.NoError(t, b.Write(blocked, text("x")))
		require.NoFileExists(t, filepath.Join(dir, "0"))

		var failed []string
		b.Commit(func(path string, err error) {
			require.Error(t, err)
			failed = append(failed, path)
		})
		require.Equal(t, []string{blocked}, failed)
		for i := range n {
			content, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i)))
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint("new ", i), string(content))
		}
		for dir, want := range map[string]int{dir: n, other: 1} {
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, want, "no temporary file is left")
		}
		b.Commit(func(string, error) { t.Error("done already") })
	}
}
