package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/diff"
	"github.com/fairlead-dns/fairlead/config/zonedir"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

func diffCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "diff [DIR|FILE...]",
		Short: "what would change if the node served these zone files: by effect, then the names whose answers differ",
		Long: `Diff compares zone files on disk with what a running node serves. It compares what they do, not how they are written:
comments, the order of keys and defaults that are spelt out are no difference. For each zone it prints what comes (+), what goes (-)
and what changes (~, old -> new), then every service, and class of its clients, whose answers would be others while everything is
up, by the code that serves. What is down or drained now is not considered: see ` + "`fairlead what-if`" + `. Last comes what leaves the
answers, and for how long after the swap caches may hold it, and orders that would be dangling: neither their names nor the
addresses for which they were given would be there.

Each argument is a zone file, or a directory whose *.yaml files are zone files; then zones that the node serves and that are in no
file are shown too. Without arguments they are the directories of the files that the node serves. Private keys never leave the
node: of files that hold some only digests are compared. A file that the node would refuse, because it drops too much of what is
served, is said first.

` + serverHelp + `

Exit codes, as those of diff(1): 0 no difference in effect, 1 something differs, 2 trouble: wrong usage, files with errors, or the
node cannot be reached.`,
		Example: `  fairlead diff
  fairlead diff new-zones.d
  fairlead diff gslb.yaml -o json | jq '.zones[].changes[] | select(.removed)'`,
	}
	server := addServerFlag(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		if err := exit.Choice(cmd, "output", output, "text", "json", "yaml"); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		d, err := c.diff(exit.OrBackground(cmd.Context()), paths)
		if err != nil {
			return inTrouble(err)
		}
		if output != "text" {
			err = terminal.WriteDocument(cmd.OutOrStdout(), output, d)
		} else {
			writeDiff(cmd.OutOrStdout(), d)
		}
		if err == nil && d.Differs {
			err = exit.Silent(exit.Failed)
		}
		return err
	}
	return cmd
}

// inTrouble makes err end the program with the code that diff(1) has for trouble.
func inTrouble(err error) error {
	_, hint := exit.CodeOf(err)
	return &exit.Error{Code: exit.Usage, Err: err, Hint: hint}
}

// A diffDocument is what diff finds.
type diffDocument struct {
	Node    string     `json:"node"`
	Differs bool       `json:"differs"`
	Zones   []zoneDiff `json:"zones"`
	// Dangling are the orders in force, or planned, that would name nothing.
	Dangling []danglingOrder `json:"dangling,omitempty"`
}

// A zoneDiff is that of one zone. File is empty for a zone that is in no file, Running for one that the node does not serve.
type zoneDiff struct {
	Zone    string `json:"zone"`
	File    string `json:"file,omitempty"`
	Running string `json:"running,omitempty"`
	// FileHash and RunningHash are equal when the texts are.
	FileHash    string `json:"file_hash,omitempty"`
	RunningHash string `json:"running_hash,omitempty"`
	// Refused says why the node would go on with what it serves; empty if it takes the file up.
	Refused string `json:"refused,omitempty"`
	// Signing says what the parent has to have, or must not, where the zone begins or ceases to be signed.
	Signing string               `json:"signing,omitempty"`
	Changes []diff.Change        `json:"changes"`
	Names   []explain.NameChange `json:"names"`
	// Leaves is what leaves the answers when the file takes the place of what runs.
	Leaves []explain.Leave `json:"leaves"`
}

// diff compares the files at paths with what the node serves.
func (c *client) diff(ctx context.Context, paths []string) (*diffDocument, error) {
	served, err := pages(ctx, c, (*adminapi.Client).Zones, nil, func(p *api.Zones) (*api.Page, *[]api.ZoneItem) { return &p.Page, &p.Zones })
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		if paths = directories(served.Zones); len(paths) == 0 {
			return nil, exit.WithHint(errors.New("the directories of the node's files are not here"), "name a directory or files")
		}
	}
	zones, problems := readZones(paths, config.GeoUnknown)
	if problems.HasErrors() {
		return nil, exit.WithHint(fmt.Errorf("%s with errors", terminal.Count(problems.Count(config.Error), "place")), "see `fairlead check %s`", exit.OrList(paths))
	}
	out, now, fetched := &diffDocument{Node: served.Node, Zones: []zoneDiff{}}, time.Now(), make(map[string]*config.Zone)
	whole := slices.ContainsFunc(paths, isDir)
	nested := nestedBy(served.Zones, zones, whole)
	for _, z := range zones {
		item := slices.IndexFunc(served.Zones, func(s api.ZoneItem) bool { return s.Name == z.Name })
		var running *runningZone
		if item >= 0 {
			if running, err = c.running(ctx, z.Name, z.File); err != nil {
				return nil, err
			}
			fetched[z.Name] = running.zone
		}
		out.Zones = append(out.Zones, compareZone(z, running, nested, now))
	}
	for _, s := range served.Zones {
		if whole && !slices.ContainsFunc(zones, func(z *config.Zone) bool { return z.Name == s.Name }) {
			running, err := c.running(ctx, s.Name, "")
			if err != nil {
				return nil, err
			}
			fetched[s.Name] = running.zone
			out.Zones = append(out.Zones, compareZone(nil, running, nested, now))
		}
	}
	for _, upper := range nested.above(zones) {
		// Its file stays as it is, and a zone below it takes names from it.
		running, err := c.running(ctx, upper, "")
		if err != nil {
			return nil, err
		}
		out.Zones = append(out.Zones, compareZone(running.zone, running, nested, now))
	}
	if out.Dangling, err = c.dangling(ctx, served.Zones, zones, fetched); err != nil {
		return nil, err
	}
	slices.SortFunc(out.Zones, func(a, b zoneDiff) int { return bytes.Compare([]byte(a.Zone), []byte(b.Zone)) })
	out.Differs = slices.ContainsFunc(out.Zones, func(z zoneDiff) bool { return z.differs() })
	return out, nil
}

// nesting are the zones below each zone, before a change and after it.
type nesting struct{ before, after map[string][]string }

// nestedBy is what zones make of those that are served; they are all that is served then where whole is set.
func nestedBy(served []api.ZoneItem, zones []*config.Zone, whole bool) nesting {
	var before, after []string
	for _, s := range served {
		before = append(before, s.Name)
	}
	for _, z := range zones {
		after = append(after, z.Name)
	}
	if !whole {
		after = append(after, before...)
	}
	return nesting{config.Below(before), config.Below(after)}
}

// above are the zones other than those named that have other zones below them after the change.
func (n nesting) above(zones []*config.Zone) (upper []string) {
	for _, name := range slices.Sorted(maps.Keys(n.after)) {
		if !slices.Equal(n.before[name], n.after[name]) && !slices.ContainsFunc(zones, func(z *config.Zone) bool { return z.Name == name }) {
			upper = append(upper, name)
		}
	}
	return upper
}

func (z *zoneDiff) differs() bool {
	return len(z.Changes)+len(z.Names) > 0 || z.File == "" || z.Running == ""
}

// directories are those of the files that the node serves, as far as they are here.
func directories(zones []api.ZoneItem) []string {
	var dirs []string
	for _, z := range zones {
		if z.File == nil {
			continue
		}
		if dir := filepath.Dir(z.File.Path); isDir(dir) && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// A runningZone is what the node serves.
type runningZone struct {
	zone *config.Zone
	path string
	hash string
	// files are the changes of files that are told by digests.
	files []diff.Change
}

// running fetches a zone. file is the zone file that it is compared with, beside which secret files are looked for; it may be
// empty.
func (c *client) running(ctx context.Context, name, file string) (*runningZone, error) {
	var got api.RunningZone
	if err := into(&got)(c.RunningZone(ctx, terminal.Display(name))); err != nil {
		return nil, err
	}
	out := &runningZone{path: got.Path, hash: got.Hash}
	if file == "" {
		file = got.Path
	}
	local := func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(filepath.Dir(file), name)) }
	for _, name := range slices.Sorted(maps.Keys(got.Secret)) {
		content, err := local(name)
		if err != nil {
			return nil, exit.WithHint(fmt.Errorf("zone %s: %s: %s", terminal.Display(got.Zone), name, plainPathError(err)),
				"the node does not show private keys: put the file beside the zone file")
		}
		sum := sha256.Sum256(content)
		if digest := hex.EncodeToString(sum[:]); digest != got.Secret[name] {
			out.files = append(out.files, diff.Change{Object: "file " + name, Key: "content", Old: "sha256 " + got.Secret[name][:12], New: "sha256 " + digest[:12]})
		}
	}
	text := zonedir.Text{Path: got.Path, Content: got.Content, Files: got.Files, Secret: got.Secret}
	if len(out.files) > 0 {
		// A certificate fits its own key alone: both are those on disk, and what they were is said.
		text.Files = withLocal(text.Files, local, &out.files)
	}
	var problems config.Problems
	if out.zone, problems = text.Parse(local, config.GeoUnknown); out.zone == nil {
		return nil, fmt.Errorf("zone %s as node %s serves it is not understood by this version: %w", terminal.Display(got.Zone), got.Node, problems.Err())
	}
	return out, nil
}

// withLocal replaces certificates by those on disk, and notes which are others.
func withLocal(files map[string][]byte, local func(string) ([]byte, error), changes *[]diff.Change) map[string][]byte {
	out := maps.Clone(files)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content, err := local(name)
		if err != nil || !bytes.Contains(files[name], []byte("-----BEGIN CERTIFICATE")) || bytes.Equal(content, files[name]) {
			continue
		}
		was, is := sha256.Sum256(files[name]), sha256.Sum256(content)
		*changes = append(*changes, diff.Change{Object: "file " + name, Key: "content",
			Old: "sha256 " + hex.EncodeToString(was[:6]), New: "sha256 " + hex.EncodeToString(is[:6])})
		out[name] = content
	}
	return out
}

// compareZone compares a zone on disk with the one that runs; one of them may be nil.
func compareZone(z *config.Zone, running *runningZone, nested nesting, now time.Time) zoneDiff {
	out := zoneDiff{Changes: []diff.Change{}, Names: []explain.NameChange{}, Leaves: []explain.Leave{}}
	var was *config.Zone
	if z != nil {
		out.Zone, out.File, out.FileHash = z.Name, z.File, z.Hash.String()
	}
	if running != nil {
		was = running.zone
		out.Zone, out.Running, out.RunningHash = was.Name, running.path, running.hash[:min(len(running.hash), len(config.Hash{}.String()))]
		out.Changes = append(out.Changes, running.files...)
	}
	if z != nil && was != nil {
		out.Changes = append(out.Changes, diff.Zones(was, z)...)
		out.Refused = config.Shrinks(was, z)
		out.Signing = config.SigningChange(was, z, now)
	}
	if was != nil {
		was = was.Above(nested.before[was.Name])
	}
	if z != nil {
		z = z.Above(nested.after[z.Name])
	}
	out.Names = append(out.Names, explain.CompareZones(was, z, now)...)
	out.Leaves = append(out.Leaves, explain.Leaves(was, z, now)...)
	return out
}
