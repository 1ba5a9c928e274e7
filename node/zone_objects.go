package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/config/zonedir"
	"github.com/fairlead-dns/fairlead/discover/kube"
)

const (
	// zoneLook is how often objects of the kind Zone are compared with the files: as often as those are looked at, about.
	zoneLook = time.Second
	// zoneSeen is how long a condition that was written is left alone, until it comes back by the watch; zoneTold one that could not be.
	zoneSeen, zoneTold = 3 * time.Second, 10 * time.Second
	// maxCondition bounds the message of a condition in octets; the API takes 32 KiB.
	maxCondition = 8 << 10
	// zoneMark begins a file that was written from an object: no other one is written over, or taken away.
	zoneMark = "# From the Zone "
)

// zoneObjects writes the objects of the kind Zone of one cluster as zone files, and what is wrong with them into their status. From there on
// they are files like any other: their last good version, the shrink guard and rollbacks are those of files. Its goroutine owns it.
type zoneObjects struct {
	node    string
	cluster string
	want    *config.KubeZones
	logger  *slog.Logger
	zones   func() (zones []kube.Zone, known bool, err error)
	accept  func(ctx context.Context, z *kube.Zone, c kube.Condition, now time.Time) error
	// files are all zone files of this node; nil before it runs.
	files func() []zonedir.FileStatus
	// said is the last trouble, by what it is with; told is until when a condition is left alone.
	said map[string]string
	told map[string]time.Time
}

// run goes on until ctx ends.
func (o *zoneObjects) run(ctx context.Context) {
	tick := time.NewTicker(zoneLook)
	defer tick.Stop()
	for {
		o.look(ctx, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look compares once. While the objects are not known nothing is concluded.
func (o *zoneObjects) look(ctx context.Context, now time.Time) {
	zones, known, err := o.zones()
	o.trouble("objects", err)
	if !known || err != nil {
		return
	}
	o.trouble("directory", os.MkdirAll(o.want.Directory, 0o755))
	names := make(map[string]bool)
	for i := range zones {
		z := &zones[i]
		// Neither a namespace nor a name has a slash in it, or begins with a dot.
		name := z.Namespace + "." + z.Name + ".yaml"
		names[name] = true
		content, err := o.content(z)
		if err == nil {
			err = o.write(name, content)
		}
		o.trouble(name, err)
		o.tell(ctx, z, name, content, err, now)
	}
	o.sweep(names)
}

// content is a Zone as a zone file.
func (o *zoneObjects) content(z *kube.Zone) ([]byte, error) {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s%s/%s of cluster %s: a change here is lost.\n", zoneMark, z.Namespace, z.Name, o.cluster)
	if err := json.Indent(&out, z.Spec, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// write brings a file up to date. One that somebody else wrote stays.
func (o *zoneObjects) write(name string, content []byte) error {
	path := filepath.Join(o.want.Directory, name)
	was, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(was, content):
		return nil
	case err == nil && !o.owns(was):
		return fmt.Errorf("%s is not of a Zone of cluster %s: it is not written over", path, o.cluster)
	}
	return durable.WriteFile(path, content)
}

// owns tells whether a file was written from an object of the cluster.
func (o *zoneObjects) owns(content []byte) bool {
	line, _, _ := bytes.Cut(content, []byte("\n"))
	return bytes.HasPrefix(line, []byte(zoneMark)) && bytes.Contains(line, []byte(" of cluster "+o.cluster+":"))
}

// sweep takes away the files of objects that are not there any more; as with any file that goes, its zone runs on until the next start.
func (o *zoneObjects) sweep(names map[string]bool) {
	list, err := os.ReadDir(o.want.Directory)
	o.trouble("directory", err)
	for _, f := range list {
		if names[f.Name()] || !strings.HasSuffix(f.Name(), ".yaml") {
			continue
		}
		path := filepath.Join(o.want.Directory, f.Name())
		if content, err := os.ReadFile(path); err == nil && o.owns(content) {
			o.trouble(f.Name(), os.Remove(path))
		}
	}
}

// trouble logs what is wrong with one thing when that changes.
func (o *zoneObjects) trouble(what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if o.said[what] == text {
		return
	}
	if o.said[what] = text; err != nil {
		o.logger.Error("zone of a cluster", "cluster", o.cluster, "of", what, "err", err)
	}
}

// tell writes the condition of a Zone, once its file has been judged. failed is why it is not written.
func (o *zoneObjects) tell(ctx context.Context, z *kube.Zone, name string, content []byte, failed error, now time.Time) {
	if now.Before(o.told[name]) {
		return
	}
	c, judged := o.condition(name, content, failed)
	if !judged || !supersedes(o.node, &z.Accepted, &c, z.Generation) {
		return
	}
	c.ObservedGeneration = z.Generation
	err := o.accept(ctx, z, c, now)
	o.trouble("status of "+name, err)
	if o.told[name] = now.Add(zoneSeen); err != nil {
		o.told[name] = now.Add(zoneTold)
	}
}

// condition is what is said of a file; judged is unset while it has not been looked at.
func (o *zoneObjects) condition(name string, content []byte, failed error) (c kube.Condition, judged bool) {
	c = kube.Condition{Status: "False", Reason: "Refused"}
	if failed != nil {
		c.Message = o.node + ": " + failed.Error()
		return c, true
	}
	path := absolute(filepath.Join(o.want.Directory, name))
	for _, f := range o.files() {
		if absolute(f.Path) != path {
			continue
		}
		if f.Judged != zonedir.FileDigest(name, content) {
			return c, false
		}
		var said []string
		for _, p := range f.Problems {
			said = append(said, strings.TrimLeft(strings.TrimPrefix(p.Head(), p.File), ": "))
		}
		if f.BrokenSince.IsZero() && f.Zone != "" && f.RolledBack == nil {
			c.Status, c.Reason = "True", "Accepted"
		} else if f.LastGood {
			said = append(said, "an earlier version is answered")
		}
		c.Message = short(o.node+": "+strings.Join(said, "; "), maxCondition)
		if len(said) == 0 {
			c.Message = o.node + " answers it"
		}
		return c, true
	}
	return c, false
}

// short is text with an end.
func short(text string, most int) string {
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + " …"
	}
	return text
}

// supersedes tells whether a node writes c over what the status of a Zone says: of a new generation whoever comes first; then a refusal goes
// before an acceptance, and is taken back by the node alone that wrote it. So nodes that see it differently do not write without end.
func supersedes(node string, was, c *kube.Condition, generation int64) bool {
	own := strings.HasPrefix(was.Message, node+": ") || strings.HasPrefix(was.Message, node+" ")
	switch {
	case was.Status == "" || was.ObservedGeneration != generation:
		return true
	case own:
		return was.Status != c.Status || was.Message != c.Message || was.Reason != c.Reason
	}
	return was.Status == "True" && c.Status == "False"
}
