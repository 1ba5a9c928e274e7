package config

import (
	"bytes"
	"io/fs"
	"path"
	"time"
)

// A lineReader counts the lines that the zone file parser has read: it does not say where a record stands. It is an fs.File,
// so that the parser takes it for an included file.
type lineReader struct {
	*bytes.Reader
	includes *includes
	// name is that of the file, below the zone file's directory; report takes what is wrong with it.
	name   string
	report *report
	lines  int
	// last is the octet read last.
	last byte
}

// ReadByte is what the parser reads with.
func (l *lineReader) ReadByte() (byte, error) {
	c, err := l.Reader.ReadByte()
	if err == nil {
		if l.last = c; c == '\n' {
			l.lines++
		}
	}
	return c, err
}

// line is where the record that was read last ends.
func (l *lineReader) line() int {
	if l.last == '\n' {
		return l.lines
	}
	return l.lines + 1
}

// Close is called by the parser at the end of an included file: it goes on in the one around it.
func (l *lineReader) Close() error {
	if open := l.includes.open; len(open) > 1 && open[len(open)-1] == l {
		l.includes.open = open[:len(open)-1]
	}
	return nil
}

// Stat is never asked for.
func (l *lineReader) Stat() (fs.FileInfo, error) {
	return lineReaderInfo{name: path.Base(l.name), size: l.Size()}, nil
}

type lineReaderInfo struct {
	name string
	size int64
}

func (i lineReaderInfo) Name() string       { return i.name }
func (i lineReaderInfo) Size() int64        { return i.size }
func (i lineReaderInfo) Mode() fs.FileMode  { return 0o400 }
func (i lineReaderInfo) ModTime() time.Time { return time.Time{} }
func (i lineReaderInfo) IsDir() bool        { return false }
func (i lineReaderInfo) Sys() any           { return nil }

// includes are the files of one imported zone file: an fs.FS for the parser, below the directory of the YAML file.
type includes struct {
	files *files
	// dir is that directory, for messages.
	dir string
	// open are the files that the parser is in, the outermost first.
	open []*lineReader
	// reports are those of all files, by name.
	reports map[string]*report
	order   []*report
}

func newIncludes(f *files, dir string) *includes {
	return &includes{files: f, dir: dir, reports: make(map[string]*report)}
}

// Open reads a file as a part of the zone file.
func (in *includes) Open(name string) (fs.File, error) { return in.read(name) }

func (in *includes) read(name string) (*lineReader, error) {
	content, err := in.files.get(name)
	if err != nil {
		return nil, err
	}
	l := &lineReader{Reader: bytes.NewReader(content), includes: in, name: name, report: in.reports[name]}
	if l.report == nil {
		l.report = newReport(path.Join(in.dir, name), content)
		in.reports[name] = l.report
		in.order = append(in.order, l.report)
	}
	in.open = append(in.open, l)
	return l, nil
}

// current is the file that the parser reads.
func (in *includes) current() *lineReader { return in.open[len(in.open)-1] }

// problems are those of all files.
func (in *includes) problems() (all Problems) {
	for _, r := range in.order {
		all = append(all, r.finish()...)
	}
	return all
}
