package zonedir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A fileStamp is what stat says of a file: as long as it stays the same, so does the content, with the exceptions at
// restSettle and restPolls.
type fileStamp struct {
	size  int64
	mtime time.Time
	// info tells files apart by device and inode.
	info fs.FileInfo
}

func (s fileStamp) equal(t fileStamp) bool {
	return s.info != nil && t.info != nil && s.size == t.size && s.mtime.Equal(t.mtime) && os.SameFile(s.info, t.info)
}

func stampOf(info fs.FileInfo) fileStamp {
	return fileStamp{size: info.Size(), mtime: info.ModTime(), info: info}
}

// statRegular follows symlinks inside root and refuses what is no regular file of a sane size.
func statRegular(root *os.Root, name string) (fileStamp, error) {
	info, err := root.Stat(filepath.FromSlash(strings.TrimSuffix(name, "/")))
	if err != nil {
		return fileStamp{}, plainError(err)
	}
	if strings.HasSuffix(name, "/") {
		if !info.IsDir() {
			return fileStamp{}, fmt.Errorf("not a directory but a %s", kindOf(info.Mode()))
		}
		return stampOf(info), nil
	}
	return stampOf(info), checkRegular(info)
}

func checkRegular(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("not a regular file but a %s", kindOf(info.Mode()))
	}
	if info.Size() > config.MaxFileBytes {
		return fmt.Errorf("the file has %d octets; at most %d are read", info.Size(), config.MaxFileBytes)
	}
	return nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "directory"
	case m&fs.ModeNamedPipe != 0:
		return "FIFO"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	default:
		return m.Type().String()
	}
}

// readRegular reads a regular file below root. Opening never blocks, even if the file became a FIFO a moment ago.
// The content of a directory, whose name ends in a slash, are the names in it, sorted, each with a line break.
func readRegular(root *os.Root, name string) ([]byte, fileStamp, error) {
	if strings.HasSuffix(name, "/") {
		return readNames(root, name)
	}
	if _, err := statRegular(root, name); err != nil {
		return nil, fileStamp{}, err
	}
	f, err := root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fileStamp{}, plainError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		err = checkRegular(info)
	}
	if err != nil {
		return nil, fileStamp{}, plainError(err)
	}
	// In one piece, unless the file grows meanwhile: growing a slice to a big file takes several times its size.
	var content bytes.Buffer
	content.Grow(int(info.Size()) + bytes.MinRead)
	if _, err := content.ReadFrom(io.LimitReader(f, config.MaxFileBytes+1)); err != nil {
		return nil, fileStamp{}, plainError(err)
	}
	if content.Len() > config.MaxFileBytes {
		return nil, fileStamp{}, fmt.Errorf("the file has more than %d octets", config.MaxFileBytes)
	}
	return content.Bytes(), stampOf(info), nil
}

// maxNames bounds the entries of a directory that is read.
const maxNames = 4096

func readNames(root *os.Root, name string) ([]byte, fileStamp, error) {
	stamp, err := statRegular(root, name)
	if err != nil {
		return nil, fileStamp{}, err
	}
	f, err := root.Open(filepath.FromSlash(strings.TrimSuffix(name, "/")))
	if err != nil {
		return nil, fileStamp{}, plainError(err)
	}
	defer f.Close()
	names, err := f.Readdirnames(maxNames + 1)
	if err != nil && err != io.EOF {
		return nil, fileStamp{}, plainError(err)
	}
	if len(names) > maxNames {
		return nil, fileStamp{}, fmt.Errorf("the directory has more than %d entries", maxNames)
	}
	slices.Sort(names)
	var content bytes.Buffer
	for _, n := range names {
		if !strings.ContainsAny(n, "\n/") {
			content.WriteString(n + "\n")
		}
	}
	return content.Bytes(), stamp, nil
}

// plainError takes the operation and the path away, which the message around it says; fs.ErrNotExist stays visible.
func plainError(err error) error {
	var pe *fs.PathError
	if !errors.As(err, &pe) {
		return err
	}
	if strings.Contains(pe.Err.Error(), "escapes") {
		return fmt.Errorf("a symlink that leads out of the directory")
	}
	return pe.Err
}

// ParseFile reads the zone file at path and what it names, all below its directory. geo is as in ParseOptions.
func ParseFile(path string, geo config.GeoDatabase) (*config.Zone, config.Problems) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	fail := func(err error) (*config.Zone, config.Problems) {
		return nil, config.Problems{{File: path, Message: "cannot be read: " + plainError(err).Error()}}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail(err)
	}
	defer root.Close()
	content, _, err := readRegular(root, name)
	if err != nil {
		return fail(err)
	}
	return config.Parse(path, content, config.ParseOptions{Geo: geo, Now: time.Now(), ReadFile: func(name string) ([]byte, error) {
		content, _, err := readRegular(root, name)
		return content, err
	}})
}
