package intent

import "time"

// A Finish is what follows once an order is on disk, or could not be written: its result is the order's.
type Finish func(now time.Time, err error) error

// An Order is one of an operator on its way to the disk. Begin has the store keep it; a nil Finish is for an order that needs nothing kept.
type Order struct {
	begin func(now time.Time) (Finish, error)
	then  Finish
	done  chan error // holds one
}

// NewOrder makes an order for a Queue.
func NewOrder(begin func(now time.Time) (Finish, error)) *Order {
	return &Order{begin: begin, done: make(chan error, 1)}
}

// Done has what came of it, once.
func (o *Order) Done() <-chan error { return o.done }

// A Queue is what waits for the disk of orders. Its owner is the goroutine of its Store, which itself waits for none: orders do, one after the
// other, so that each is judged by what is in force behind those before it.
type Queue struct {
	store *Store
	// failed is told what every job failed with, or nil, and whether the disk refuses what is in force.
	failed func(refuses bool, err error)
	// orders wait for the one that is being written, which is written.
	orders  []*Order
	written *Order
	// told are called once what is in force now is on disk; telling are those that the job in the writer's hands is for.
	told, telling []func(error)
	// answers are given by Release, which begins what is next where there is more.
	answers []func()
	more    bool
	// ending is set once nothing more is begun.
	ending bool
	// jobs go to the writer, of which one is under way at most; results come back.
	jobs    chan *Job
	results chan Written
	// write writes a job; it is another one in tests of slow disks.
	write func(*Job) error
}

// Written is what came of a job.
type Written struct {
	job *Job
	err error
}

// NewQueue makes the queue of a store. failed is told after each job whether the disk refuses what is in force, and why.
func NewQueue(s *Store, failed func(refuses bool, err error)) *Queue {
	return &Queue{store: s, failed: failed, jobs: make(chan *Job, 1), results: make(chan Written, 1), write: (*Job).Write}
}

// SlowDown has jobs written by another function, for tests of slow disks.
func (q *Queue) SlowDown(write func(*Job) error) { q.write = write }

// Add begins an order, behind those that wait.
func (q *Queue) Add(o *Order, now time.Time) {
	q.orders = append(q.orders, o)
	q.Next(now)
}

// WhenKept has Release call told once all that is in force now is on disk, or could not be written.
func (q *Queue) WhenKept(told func(error), now time.Time) {
	q.told = append(q.told, told)
	q.Next(now)
}

// Next begins what can be begun: the next order, and the next job of the writer.
func (q *Queue) Next(now time.Time) {
	if q.ending {
		return
	}
	for q.written == nil && len(q.orders) > 0 {
		o := q.orders[0]
		q.orders = q.orders[1:]
		then, err := o.begin(now)
		if err != nil || then == nil {
			q.answer(func() { o.done <- err })
			continue
		}
		o.then, q.written = then, o
	}
	j := q.store.Job(now)
	switch {
	case j != nil && j.Waits():
		q.telling, q.told = append(q.telling, q.told...), nil
		q.jobs <- j
	case j != nil:
		q.telling, q.told = append(q.telling, q.told...), nil
		q.Take(Written{j, nil}, now)
	case !q.store.Writing():
		told := q.told
		q.told = nil
		for _, f := range told {
			q.answer(func() { f(nil) })
		}
	}
}

// answer has an answer given by Release.
func (q *Queue) answer(give func()) { q.answers = append(q.answers, give) }

// Release answers those whose orders are settled, which is once the owner has brought into force what they ordered, and begins the next one. more
// is set where that has to be settled too.
func (q *Queue) Release(now time.Time) (more bool) {
	answers := q.answers
	q.answers = nil
	for _, give := range answers {
		give()
	}
	if q.more {
		q.more = false
		q.Next(now)
	}
	return len(q.answers) > 0 || q.more
}

// Results are what came of jobs, for Take.
func (q *Queue) Results() <-chan Written { return q.results }

// Take takes what came of a job. The next one begins with Release.
func (q *Queue) Take(w Written, now time.Time) {
	q.store.Done(w.job, w.err)
	q.failed(w.err != nil && !q.store.Set().Same(q.store.Kept()), w.err)
	if w.job.Order() {
		o := q.written
		q.written = nil
		result := o.then(now, w.err)
		q.answer(func() { o.done <- result })
	}
	telling := q.telling
	q.telling = nil
	for _, f := range telling {
		q.answer(func() { f(w.err) })
	}
	q.more = w.err == nil || len(q.orders)+len(q.told) > 0
}

// Run writes jobs, on a goroutine of its own, until ended is closed.
func (q *Queue) Run(ended <-chan struct{}) {
	for {
		select {
		case j := <-q.jobs:
			q.results <- Written{j, q.write(j)}
		case <-ended:
			return
		}
	}
}

// End begins nothing more, and waits for the job that is under way, so that Release answers its order.
func (q *Queue) End() {
	q.ending = true
	if q.store.Writing() {
		q.Take(<-q.results, time.Now())
	}
}
