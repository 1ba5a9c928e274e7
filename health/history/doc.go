// Package history keeps what a node saw during the last 24 hours, so that charts need nothing else: numbers by series and instant.
//
// A series keeps a point where its value changes, at most 1,440 of them, and there are at most 20,000 series; on disk a file for each hour
// has up to 4 MiB. What is beyond is dropped and counted: a history is a help to people, nothing is decided by it. A Log is safe for
// concurrent use. Its writes are not synchronous: what a crash loses are the last seconds. The package knows no endpoints and reads no
// clock.
package history
