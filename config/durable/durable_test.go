package durable

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.json")
	for _, text := range []string{"one", "two, and longer", ""} {
		require.NoError(t, WriteFile(path, []byte(text)))
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}

func TestWriteFileLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	// A directory in the way makes the rename fail.
	path := filepath.Join(dir, "state.json")
	require.NoError(t, os.MkdirAll(filepath.Join(path, "x"), 0o755))
	require.Error(t, WriteFile(path, []byte("new")))
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, list, 1, "the temporary file is gone")
	require.ErrorIs(t, WriteFile(filepath.Join(dir, "nowhere", "f"), nil), os.ErrNotExist)
}
