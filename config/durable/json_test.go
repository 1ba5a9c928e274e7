package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJSON(t *testing.T) {
	type file struct {
		Version int    `json:"version"`
		Word    string `json:"word"`
	}
	path := filepath.Join(t.TempDir(), "f")
	var got file
	require.True(t, errors.Is(ReadJSON(path, 2, &got), fs.ErrNotExist))
	require.NoError(t, WriteJSON(path, file{2, "x"}))
	require.NoError(t, ReadJSON(path, 2, &got))
	require.Equal(t, file{2, "x"}, got)
	require.EqualError(t, ReadJSON(path, 3, &got), "version 2, want 3")
	require.NoError(t, os.WriteFile(path, []byte(`{"version":2,"wo`), 0o600))
	require.Error(t, ReadJSON(path, 2, &got))
	require.Error(t, WriteJSON(path, func() {}))
}
