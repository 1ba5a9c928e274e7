package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
)

const (
	// defaultRetry is the pause after a first failure; it doubles up to retryGrowth times as much.
	defaultRetry = time.Second
	retryGrowth  = 30
	// watchLeast is how long a watch is asked for at least, and half as long again at most: they do not all end at once. watchGrace is what
	// the server has to end it.
	watchLeast = 4 * time.Minute
	watchGrace = 30 * time.Second
	// maxEvent bounds one event of a watch in octets; etcd takes objects of 1.5 MiB.
	maxEvent = 8 << 20
)

var (
	errExpired = errors.New("the resourceVersion is too old")
	errRewound = errors.New("the API is at an earlier resourceVersion than it was")
)

// A feedKey is a kind of objects in a namespace; empty for all of them.
type feedKey struct {
	resource  *resource
	namespace string
}

func (k feedKey) String() string {
	if k.namespace == "" || k.resource.whole {
		return k.resource.String()
	}
	return k.resource.String() + " in " + k.namespace
}

// A feed keeps the objects of one kind and namespace as they are in the cluster.
type feed struct {
	key    feedKey
	source source
	retry  time.Duration
	// version is the version of the API, an index; owned by run, with the rest up to mu. doubted is set after a failure: what was read before is
	// listed anew, and compared.
	version  int
	revision string
	doubted  bool

	mu sync.Mutex // guards the rest
	// objects are by NAMESPACE/NAME; nil until they have been listed once.
	objects map[string]*object
	// problem is why they may be old; nil while they are not. since is its begin, contact when the API was last heard.
	problem error
	since   time.Time
	contact time.Time
	// tried is set once it has been listed and watched, or could not be.
	tried bool
	// greatest is the greatest resourceVersion that was seen.
	greatest string
}

// A source is what a feed needs of its Reader.
type source interface {
	// ask is a client of the cluster, once it is known to be the right one.
	ask(ctx context.Context) (*client, error)
	// lost gives up the client after a failure: what it was made from may be different now.
	lost()
	// same fails unless the cluster is the one that it was.
	same(ctx context.Context, c *client) error
	// changed is called after something is different.
	changed()
	// rewound has everything read anew: the API is at an earlier state than it was.
	rewound()
}

// run reads until ctx ends.
func (f *feed) run(ctx context.Context) {
	pause := f.retry
	for ctx.Err() == nil {
		began := time.Now()
		err := f.once(ctx)
		// A watch has an end; the next one goes on where it was, unless the end came early.
		f.doubted = f.doubted || err == nil && time.Since(began) < watchLeast
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && time.Since(began) > f.retry:
			pause = f.retry
			continue
		case errors.Is(err, errRewound):
			f.source.rewound()
			return
		case errors.Is(err, errExpired):
			f.revision = ""
		case err != nil:
			f.retreat(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2+1)):
		}
		pause = min(2*pause, retryGrowth*f.retry)
	}
}

// retreat prepares for another attempt after a failure.
func (f *feed) retreat(err error) {
	if missing(err) {
		f.version = (f.version + 1) % len(f.key.resource.versions)
		f.revision = ""
	}
	f.failed(err)
	f.doubted = true
	if code(err) == 0 || code(err) == http.StatusUnauthorized {
		f.source.lost()
	}
}

// once lists, where nothing is known, and watches until the watch ends.
func (f *feed) once(ctx context.Context) error {
	c, err := f.source.ask(ctx)
	if err != nil {
		return err
	}
	before := f.revision
	if f.revision == "" || f.doubted {
		before = ""
		err := f.list(ctx, c)
		for range len(f.key.resource.versions) - 1 {
			if missing(err) {
				f.version = (f.version + 1) % len(f.key.resource.versions)
				err = f.list(ctx, c)
			}
		}
		if err != nil {
			return err
		}
	}
	return f.watch(ctx, c, before)
}

// rewinds fails where the API is at an earlier resourceVersion than revision: it was restored from a backup. A watch from a later one would hear
// nothing.
func (f *feed) rewinds(ctx context.Context, c *client, revision string) error {
	var page struct {
		Metadata struct{ ResourceVersion string }
	}
	if err := c.get(ctx, "list", f.key.String(), f.path(), url.Values{"limit": {"1"}}, &page); err != nil {
		return err
	}
	if earlier(page.Metadata.ResourceVersion, revision) {
		return errRewound
	}
	return nil
}

// earlier tells whether a is before b, of one API.
func earlier(a, b string) bool {
	c, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && c < 0
}

func (f *feed) path() string {
	return f.key.resource.path(f.key.resource.versions[f.version], f.key.namespace)
}

// list reads all objects, page by page, and takes them if the cluster is still the same one afterwards.
func (f *feed) list(ctx context.Context, c *client) error {
	objects := make(map[string]*object)
	query := url.Values{"limit": {strconv.Itoa(pageLimit)}}
	revision := ""
	for {
		var page struct {
			Metadata struct{ ResourceVersion, Continue string }
			Items    []json.RawMessage
		}
		if err := c.get(ctx, "list", f.key.String(), f.path(), query, &page); err != nil {
			if code(err) == http.StatusGone {
				return errExpired
			}
			return err
		}
		for _, raw := range page.Items {
			o, err := f.key.resource.object(raw)
			if err != nil {
				return fmt.Errorf("list %s: %w", f.key, err)
			}
			objects[o.Metadata.key()] = o
		}
		revision = page.Metadata.ResourceVersion
		if page.Metadata.Continue == "" {
			break
		}
		query.Set("continue", page.Metadata.Continue)
	}
	if err := f.source.same(ctx, c); err != nil {
		return err
	}
	f.mu.Lock()
	if f.rewoundLocked(objects, revision) {
		f.mu.Unlock()
		return errRewound
	}
	f.objects = objects
	f.heardLocked(revision)
	f.mu.Unlock()
	f.revision, f.doubted = revision, false
	f.source.changed()
	return nil
}

// rewoundLocked tells whether a list is of an earlier state than what was read before, as after a restore: by its resourceVersion, or, where the
// API has come past that meanwhile, by that of an object.
func (f *feed) rewoundLocked(objects map[string]*object, revision string) bool {
	if earlier(revision, f.greatest) {
		return true
	}
	for key, o := range objects {
		if was := f.objects[key]; was != nil && was.Metadata.UID == o.Metadata.UID && earlier(o.Metadata.ResourceVersion, was.Metadata.ResourceVersion) {
			return true
		}
	}
	return false
}

// watch folds changes until the watch ends. before is the resourceVersion up to which all was known before this attempt; empty for none.
func (f *feed) watch(ctx context.Context, c *client, before string) error {
	length := watchLeast + rand.N(watchLeast/2)
	ctx, cancel := context.WithTimeout(ctx, length+watchGrace)
	defer cancel()
	body, err := c.open(ctx, "watch", f.key.String(), f.path(), url.Values{
		"watch": {"true"}, "resourceVersion": {f.revision}, "allowWatchBookmarks": {"true"}, "timeoutSeconds": {strconv.Itoa(int(length.Seconds()))},
	})
	if err != nil {
		if code(err) == http.StatusGone {
			return errExpired
		}
		return err
	}
	defer body.Close()
	if err := f.source.same(ctx, c); err != nil {
		return err
	}
	if before != "" {
		if err := f.rewinds(ctx, c, before); err != nil {
			return err
		}
	}
	f.mu.Lock()
	f.heardLocked(f.revision)
	f.tried = true
	f.mu.Unlock()
	f.source.changed()
	limited := &io.LimitedReader{R: body, N: maxEvent}
	for d := json.NewDecoder(limited); ; {
		var e struct {
			Type   string
			Object json.RawMessage
		}
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("watch %s: %w", f.key, err)
		}
		limited.N = maxEvent
		if err := f.event(e.Type, e.Object); err != nil {
			return err
		}
	}
}

// event folds one change.
func (f *feed) event(kind string, raw json.RawMessage) error {
	if kind == "ERROR" {
		var status struct {
			Code    int
			Message string
		}
		if err := json.Unmarshal(raw, &status); err != nil {
			return fmt.Errorf("watch %s: %w", f.key, err)
		}
		if status.Code == http.StatusGone {
			return errExpired
		}
		return &requestError{verb: "watch", what: f.key.String(), code: status.Code, reason: oneLine(status.Message)}
	}
	o, err := f.key.resource.object(raw)
	if err != nil {
		return fmt.Errorf("watch %s: %w", f.key, err)
	}
	if earlier(o.Metadata.ResourceVersion, f.revision) {
		return errRewound
	}
	f.mu.Lock()
	switch kind {
	case "ADDED", "MODIFIED":
		f.objects[o.Metadata.key()] = o
	case "DELETED":
		delete(f.objects, o.Metadata.key())
	}
	f.heardLocked(o.Metadata.ResourceVersion)
	f.mu.Unlock()
	f.revision = o.Metadata.ResourceVersion
	if kind != "BOOKMARK" {
		f.source.changed()
	}
	return nil
}

// heardLocked notes that the API was heard, and is well.
func (f *feed) heardLocked(revision string) {
	f.contact, f.problem = time.Now(), nil
	f.greatest = greater(f.greatest, revision)
}

func (f *feed) failed(err error) {
	f.mu.Lock()
	changed := f.problem == nil || f.problem.Error() != err.Error()
	if f.problem == nil {
		f.since = time.Now()
	}
	f.problem, f.tried = err, true
	f.mu.Unlock()
	if changed {
		f.source.changed()
	}
}

// read calls do with the objects, and tells whether they have been listed.
func (f *feed) read(do func(o *object)) (known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.objects {
		do(o)
	}
	return f.objects != nil
}

// greater is the later of two resourceVersions of one kind of objects. What the API does not order is not compared.
func greater(a, b string) string {
	if c, err := resourceversion.CompareResourceVersion(a, b); err == nil && c > 0 {
		return a
	}
	if b == "" {
		return a
	}
	return b
}
