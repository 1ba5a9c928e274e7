package run

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// A Kind is what an entry says.
type Kind string

// The kinds of entries. Of a step, unless they say otherwise.
const (
	// Owned: the node carries the run on from now on; of the run. Epoch counts the owners.
	Owned Kind = "owned"
	// Began: an attempt at the step begins.
	Began Kind = "began"
	// Intended: the node is about to call the hook of the step; Sub is 1 for the hook's undo.
	Intended Kind = "intended"
	// Did: a part of the step is done, Sub says which.
	Did Kind = "did"
	// Done and Failed end an attempt. Retried begins another one, by a person; with Sub 1 the person says that the step has been done.
	Done    Kind = "done"
	Failed  Kind = "failed"
	Retried Kind = "retried"
	// Approved: a person let the run go on.
	Approved Kind = "approved"
	// Paused and Resumed are of the run, Sub counts them. Aborted: what was done is to be undone; of the run.
	Paused  Kind = "paused"
	Resumed Kind = "resumed"
	Aborted Kind = "aborted"
	// Undone: what the step did is undone. Left: it is not, Text says why.
	Undone Kind = "undone"
	Left   Kind = "left"
	// Held: a practice has done all its steps, and holds; of the run. Ended ends a run, Text says how; Sub is 1
	// once it is undone, which may come after all its steps were done.
	Held  Kind = "held"
	Ended Kind = "ended"
)

// kinds are those that this program knows. An entry of another kind is kept, and means nothing here.
var kinds = []Kind{Owned, Began, Intended, Did, Done, Failed, Retried, Approved, Paused, Resumed, Aborted, Undone, Left, Held, Ended}

// An Entry is one thing that happened in a run. It is never written after it was made.
type Entry struct {
	Kind Kind `json:"kind"`
	// Step is the index of the step; 0 too in entries of the run. Attempt counts from 1.
	Step    int `json:"step"`
	Attempt int `json:"attempt,omitempty"`
	Sub     int `json:"sub,omitempty"`
	Epoch   int `json:"epoch,omitempty"`
	// Node is the node that made it, Actor the person or program on whose word.
	Node  string `json:"node"`
	Actor string `json:"actor,omitempty"`
	Text  string `json:"text,omitempty"`
	// At is by the clock of Node, for people: how long ago it was is told by when this process heard of it.
	At   time.Time         `json:"at"`
	Data map[string]string `json:"data,omitempty"`
}

// Key tells entries of one run apart. Nodes that own at the same time, and those that intend to call at the same time, have an entry each.
func (e *Entry) Key() string {
	key := fmt.Sprintf("%s/%d/%d/%d", e.Kind, e.Step, e.Attempt, e.Sub)
	switch e.Kind {
	case Owned, Intended, Paused, Resumed:
		key += fmt.Sprintf("/%d/%s", e.Epoch, e.Node)
	}
	return key
}

// compare orders two entries of one key: the lesser one stays. Those of a run are sorted by it too.
func (e *Entry) compare(o *Entry) int {
	return cmp.Or(e.At.Compare(o.At), strings.Compare(e.Key(), o.Key()), strings.Compare(e.Node, o.Node), cmp.Compare(e.Epoch, o.Epoch),
		strings.Compare(e.Actor, o.Actor), strings.Compare(e.Text, o.Text), strings.Compare(pairs(e.Data), pairs(o.Data)))
}

func pairs(data map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(data)) {
		fmt.Fprintf(&b, "%q=%q ", k, data[k])
	}
	return b.String()
}

const (
	// maxEntries bounds the entries of a run: a shift in steps of 1 % has 100 of them, and each may be tried again.
	maxEntries = 1000
	// maxText bounds the texts of an entry, in octets.
	maxText = 500
	maxData = 10
)

func (e *Entry) validate() error {
	switch {
	case e.Step < 0 || e.Step > maxSteps || e.Attempt < 0 || e.Attempt > maxEntries || e.Sub < 0 || e.Sub > maxEntries || e.Epoch < 0:
		return fmt.Errorf("entry %s: out of range", e.Key())
	case len(e.Node) > maxText || len(e.Actor) > maxText || len(e.Text) > maxText || len(e.Kind) > maxText || len(e.Data) > maxData:
		return fmt.Errorf("entry of kind %.20q: too large", e.Kind)
	}
	for k, v := range e.Data {
		if len(k)+len(v) > maxText {
			return fmt.Errorf("entry of kind %q: too large", e.Kind)
		}
	}
	return nil
}

// CutReason is text as the reason of an order may be.
func CutReason(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), health.MaxReason)], "")
}

// Cut is text as an entry may have it.
func Cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText-3], "") + "…"
}
