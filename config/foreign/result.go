package foreign

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
)

// A File is one input.
type File struct {
	// Name is its path, for messages and for the files that it includes.
	Name    string
	Content []byte
}

// A Result is what an import gives: zone files by the names of their zones, and what is not in them.
type Result struct {
	Zones []Zone
	Notes []Note
}

// A Zone is a zone file.
type Zone struct {
	// Name is the zone's name without the final dot.
	Name string
	// Text is the file.
	Text string
	// Services and Records count what it holds.
	Services, Records int
}

// A Note is something that could not be carried over, or not as it was.
type Note struct {
	File string
	// Line counts from 1; 0 is the whole file.
	Line int
	Text string
}

// String is the note in one line.
func (n Note) String() string {
	switch {
	case n.File == "":
		return n.Text
	case n.Line == 0:
		return n.File + ": " + n.Text
	}
	return fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.Text)
}

// Systems are the names of what can be imported.
func Systems() []string { return []string{"gdnsd", "coredns-gslb", "route53", "pdns-lua"} }

// Import reads the files of a system. read reads files that they include; nil means that there are none. An error is one of the input as a
// whole: a system or a syntax that is not known.
func Import(system string, files []File, read func(path string) ([]byte, error)) (*Result, error) {
	imp := &importer{read: read}
	var err error
	switch system {
	case "gdnsd":
		err = imp.gdnsd(files)
	case "coredns-gslb":
		err = imp.corednsGSLB(files)
	case "route53":
		err = imp.route53(files)
	case "pdns-lua":
		err = imp.pdnsLua(files)
	default:
		err = fmt.Errorf("%q: want one of %s", system, strings.Join(Systems(), ", "))
	}
	if err != nil {
		return nil, err
	}
	return imp.finish()
}

// An importer collects zones and notes.
type importer struct {
	read  func(path string) ([]byte, error)
	zones []*zone
	notes []Note
}

func (imp *importer) note(file string, line int, format string, args ...any) {
	n := Note{file, line, fmt.Sprintf(format, args...)}
	if !slices.Contains(imp.notes, n) {
		imp.notes = append(imp.notes, n)
	}
}

// zone is the zone of a name, which is made if there is none.
func (imp *importer) zone(name string) *zone {
	name = strings.ToLower(strings.TrimSuffix(name, ".")) + "."
	for _, z := range imp.zones {
		if z.name == name {
			return z
		}
	}
	z := &zone{name: name}
	imp.zones = append(imp.zones, z)
	return z
}

// finish writes the zones, and notes what `check` would say of them.
func (imp *importer) finish() (*Result, error) {
	r := &Result{Notes: imp.notes}
	for _, z := range imp.zones {
		z.complete(imp)
		text := z.text()
		file := strings.TrimSuffix(z.name, ".") + ".yaml"
		zone, problems := config.Parse(file, []byte(text), config.ParseOptions{})
		if zone == nil {
			return nil, fmt.Errorf("the zone %s cannot be served: %s\n%s", strings.TrimSuffix(z.name, "."), problems, text)
		}
		r.Zones = append(r.Zones, Zone{Name: strings.TrimSuffix(z.name, "."), Text: text, Services: len(zone.Services), Records: len(zone.Records)})
	}
	r.Notes = imp.notes
	slices.SortStableFunc(r.Notes, func(a, b Note) int { return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
	return r, nil
}
