package durable

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

type note struct {
	Version int    `json:"version"`
	Word    string `json:"word"`
}

// TestFile: what is written is read back; another version, a torn file and one that is too large are errors.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "note.json")
	f := NewFile[note](path, 2, 60)
	_, err := f.Load()
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, f.Write(note{2, "x"}))
	v, err := f.Load()
	require.NoError(t, err)
	require.Equal(t, note{2, "x"}, v)
	_, err = NewFile[note](path, 3, 0).Load()
	require.ErrorContains(t, err, "version 2, want 3")
	v, err = NewFile[note](path, 0, 0).Load()
	require.NoError(t, err, "any version")
	require.Equal(t, "x", v.Word)
	require.NoError(t, f.Write(note{2, string(make([]byte, 60))}))
	_, err = f.Load()
	require.ErrorContains(t, err, "at most 60 are read")
	require.NoError(t, os.WriteFile(path, []byte(`{"version":2,"word":"y`), 0o600))
	v, err = f.Load()
	require.Error(t, err)
	require.Zero(t, v)
}

// TestFileIsWrittenBeside: nobody who saves waits for the disk; what is overtaken is not written, and each is told once what stands for it is
// on disk.
func TestFileIsWrittenBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "note.json")
	f := NewFile[note](path, 1, 0)
	begun, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var words []string
	write := f.write
	f.write = func(path string, v note) error {
		words = append(words, v.Word)
		once.Do(func() { close(begun); <-goOn })
		return write(path, v)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	told := make(chan error, 3)
	go func() { ended <- f.Run(ctx) }()
	tell := func(err error) { told <- err }
	f.Save(note{1, "one"}, tell)
	<-begun
	f.Save(note{1, "two"}, tell)
	f.Save(note{1, "three"}, tell)
	require.Empty(t, told)
	close(goOn)
	for range 3 {
		require.NoError(t, <-told)
	}
	require.Equal(t, []string{"one", "three"}, words)
	v, err := f.Load()
	require.NoError(t, err)
	require.Equal(t, "three", v.Word)

	for range 2 {
		f.Remove(tell)
		require.NoError(t, <-told)
		require.NoFileExists(t, path)
	}
	f.Save(note{1, "last"}, nil)
	cancel()
	require.NoError(t, <-ended)
	require.FileExists(t, path, "what is left is written as it ends")
}
