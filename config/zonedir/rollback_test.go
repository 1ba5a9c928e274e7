package zonedir

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRollback: the version before the present one runs until the file changes, over restarts, and then things go their way.
func TestRollback(t *testing.T) {
	d := newTestDir(t)
	back := func() error { return d.Rollback("a.yaml", Rollback{Actor: "ada", Reason: "INC-1", At: d.clock}) }
	d.write("a.yaml", dirZone("example.org", "one"))
	d.load()
	require.ErrorIs(t, back(), ErrNoVersion, "there was no other")
	d.write("a.yaml", dirZone("example.org", "one", "two"))
	require.True(t, d.poll(2))
	require.NoError(t, back())
	require.Equal(t, "example.org. one", d.running())
	text, err := d.Text(d.Zones()[0])
	require.NoError(t, err, "diff compares with what runs")
	require.Equal(t, dirZone("example.org", "one"), string(text.Content))
	f := d.Files()[0]
	require.Equal(t, "ada", f.RolledBack.Actor)
	require.False(t, f.LastGood)
	require.Contains(t, f.Problems.String(), "rolled back by ada: an earlier version of the zone example.org. runs instead")
	require.ErrorIs(t, back(), ErrNoVersion, "two versions are kept")
	require.ErrorIs(t, d.Rollback("b.yaml", Rollback{}), ErrNoSuchFile)
	require.False(t, d.poll(20), "the file is what it was")
	require.Equal(t, "example.org. one", d.running())

	for range 2 {
		d.reopen(Options{State: d.state})
		require.False(t, d.load().HasErrors())
		require.Equal(t, "example.org. one", d.running(), "over restarts")
		require.Equal(t, "INC-1", d.Files()[0].RolledBack.Reason)
	}

	// A broken content is no reason to run what was rolled back.
	d.write("a.yaml", "zone: [")
	d.poll(2)
	require.Equal(t, "example.org. one", d.running())
	require.True(t, d.Files()[0].LastGood)
	d.reopen(Options{State: d.state})
	d.load()
	require.Equal(t, "example.org. one", d.running())

	d.write("a.yaml", dirZone("example.org", "one", "three"))
	require.True(t, d.poll(2))
	require.Equal(t, "example.org. one,three", d.running())
	require.Nil(t, d.Files()[0].RolledBack)
	require.NoError(t, back())
	require.Equal(t, "example.org. one", d.running(), "what was in force before it, not what was rolled back")
}

func TestForward(t *testing.T) {
	d := newTestDir(t)
	d.write("a.yaml", dirZone("example.org", "one"))
	d.load()
	d.write("a.yaml", dirZone("example.org", "one", "two"))
	d.poll(2)
	require.ErrorIs(t, d.Forward("a.yaml"), ErrNoVersion, "nothing is rolled back")
	require.NoError(t, d.Rollback("a.yaml", Rollback{Actor: "ada"}))
	require.NoError(t, d.Forward("a.yaml"))
	require.Equal(t, "example.org. one,two", d.running())
	require.Nil(t, d.Files()[0].RolledBack)
	d.reopen(Options{State: d.state})
	d.load()
	require.Equal(t, "example.org. one,two", d.running())
	versions, err := d.Kept("a.yaml")
	require.NoError(t, err)
	require.Len(t, versions, 2)
	require.Equal(t, d.Zones()[0].Hash, versions[0].Hash)
	require.NoError(t, d.Rollback("a.yaml", Rollback{}))
	require.Equal(t, "example.org. one", d.running())
	require.Equal(t, d.Zones()[0].Hash, versions[1].Hash)

	// Gone, and back with the same content: it stays rolled back.
	text, err := os.ReadFile(d.path + "/a.yaml")
	require.NoError(t, err)
	require.NoError(t, os.Remove(d.path+"/a.yaml"))
	d.poll(1)
	require.ErrorIs(t, d.Rollback("a.yaml", Rollback{}), ErrNoVersion)
	d.write("a.yaml", string(text))
	d.poll(2)
	require.Equal(t, "example.org. one", d.running())
	require.NotNil(t, d.Files()[0].RolledBack)
}

// TestRollbackThatCannotBeKept changes nothing.
func TestRollbackThatCannotBeKept(t *testing.T) {
	d := newTestDir(t)
	d.write("a.yaml", dirZone("example.org", "one"))
	d.load()
	d.write("a.yaml", dirZone("example.org", "one", "two"))
	d.poll(2)
	// Something is in the way that no rename replaces.
	require.NoError(t, os.Mkdir(pinPath(d.state, "a.yaml"), 0o700))
	err := d.Rollback("a.yaml", Rollback{})
	require.ErrorContains(t, err, "rollback not kept")
	require.Equal(t, "example.org. one,two", d.running())
	require.Nil(t, d.Files()[0].RolledBack)
	d.reopen(Options{})
	d.load()
	require.True(t, errors.Is(d.Rollback("a.yaml", Rollback{}), ErrNoVersion), "nothing is kept without a state directory")
}

// TestLook: what stat hides is read, and force lets a version pass that drops too much.
func TestLook(t *testing.T) {
	d := newTestDir(t)
	many := strings.Split("one two three four five six seven eight nine ten eleven", " ")
	d.write("a.yaml", dirZone("example.org", many...))
	d.load()
	d.write("a.yaml", dirZone("example.org", "one"))
	d.poll(2)
	require.Equal(t, "example.org. "+strings.Join(many, ","), d.running())
	require.True(t, d.Files()[0].LastGood)
	look := func(force bool) {
		d.clock = d.clock.Add(time.Second)
		_, err := d.Look(force)
		require.NoError(t, err)
	}
	look(false)
	require.Equal(t, "example.org. "+strings.Join(many, ","), d.running())
	look(true)
	require.Equal(t, "example.org. one", d.running())
	require.False(t, d.Files()[0].LastGood)
	d.write("a.yaml", dirZone("example.org", many...))
	look(false)
	require.True(t, d.Settling(), "a content counts when it was seen twice")
	look(false)
	require.False(t, d.Settling())
	d.write("a.yaml", dirZone("example.org", "other"))
	look(false)
	look(false)
	require.Equal(t, "example.org. "+strings.Join(many, ","), d.running(), "force is for one look")
}
