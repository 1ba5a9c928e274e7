package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
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
	info, err := root.Stat(filepath.FromSlash(name))
	if err != nil {
		return fileStamp{}, plainError(err)
	}
	return stampOf(info), checkRegular(info)
}

func checkRegular(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("not a regular file but a %s", kindOf(info.Mode()))
	}
	if info.Size() > MaxFileBytes {
		return fmt.Errorf("the file has %d octets; at most %d are read", info.Size(), MaxFileBytes)
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
func readRegular(root *os.Root, name string) ([]byte, fileStamp, error) {
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
	if _, err := content.ReadFrom(io.LimitReader(f, MaxFileBytes+1)); err != nil {
		return nil, fileStamp{}, plainError(err)
	}
	if content.Len() > MaxFileBytes {
		return nil, fileStamp{}, fmt.Errorf("the file has more than %d octets", MaxFileBytes)
	}
	return content.Bytes(), stampOf(info), nil
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
func ParseFile(path string, geo GeoDatabase) (*Zone, Problems) {
	dir, name := filepath.Split(path)
	if dir == "" {
		dir = "."
	}
	fail := func(err error) (*Zone, Problems) {
		return nil, Problems{{File: path, Message: "cannot be read: " + plainError(err).Error()}}
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
	return Parse(path, content, ParseOptions{Geo: geo, ReadFile: func(name string) ([]byte, error) {
		content, _, err := readRegular(root, name)
		return content, err
	}})
}
