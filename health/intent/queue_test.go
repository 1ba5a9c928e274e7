package intent

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestQueueReleases: nobody is answered, and no order is begun behind another one, before the owner has brought that into force.
func TestQueueReleases(t *testing.T) {
	q := NewQueue(open(t, t.TempDir(), begin), func(bool, error) {})
	var log []string
	order := func(name string, fails error) *Order {
		o := NewOrder(func(now time.Time) (Finish, error) {
			log = append(log, name+" begins")
			if fails != nil {
				return nil, fails
			}
			_, err := q.store.Put(drain(name, now, time.Time{}), now)
			return func(time.Time, error) error { log = append(log, name+" is kept"); return nil }, err
		})
		q.Add(o, begin)
		return o
	}
	a := order("a", nil)
	refused := errors.New("refused")
	b := order("b", refused)
	c := order("c", nil)
	settle := func() {
		log = append(log, "in force")
		for q.Release(begin) {
			log = append(log, "in force")
		}
	}
	write := func() {
		j := <-q.jobs
		q.Take(Written{j, j.Write()}, begin)
	}
	settle()
	write()
	require.Empty(t, a.Done(), "it is on disk, and not in force")
	require.Equal(t, []string{"a begins", "in force", "a is kept"}, log)
	settle()
	require.NoError(t, <-a.Done())
	require.ErrorIs(t, <-b.Done(), refused)
	require.Empty(t, c.Done())
	write()
	settle()
	require.NoError(t, <-c.Done())
	require.Equal(t, []string{"a begins", "in force", "a is kept", "in force", "b begins", "c begins", "in force", "c is kept", "in force"}, log)

	var told []error
	q.WhenKept(func(err error) { told = append(told, err) }, begin)
	require.Empty(t, told)
	settle()
	require.Equal(t, []error{nil}, told)
}
