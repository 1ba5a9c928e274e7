// Package report tells people what a publication changed: lines of the log, events, and how many endpoints changed their state. It derives
// everything from transitions and views, and is told each of them once. It bounds what one publication makes, and counts what it leaves out.
package report
