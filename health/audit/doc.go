// Package audit keeps what operators asked for and what came of it: an append-only log of JSON lines on disk, each with the
// hash of the one before it.
//
// A log is a directory with segments, audit-000001.jsonl and so on, and audit.head, which names the latest entry. Segments
// are never removed or rewritten, and never written again once the next one has begun; Stats counts their octets. Whoever
// wants to begin anew moves all audit files elsewhere while the node is stopped.
//
// Verify finds every changed, added, missing or reordered octet, line and segment, and an end that was cut off. What it
// cannot find: whoever can write the directory can make the whole log anew, hashes and head included, or remove all of it,
// for there is no secret in it. A copy of a hash kept elsewhere, or of the lines, shows that too. After a power failure the head may
// be older than the last entries (it is not fsynced with each): an end cut off behind it at that time is not found.
//
// A Log is safe for concurrent use and starts no goroutine. One process at a time may write a directory: the lock of the
// state directory sees to that. Verify, Read and Last take a directory and may run beside a writer, also in another process.
package audit
