// Package secondary keeps what zones have for those who transfer them, each view under a serial that only rises (RFC 1982), with the latest
// changes for IXFR (RFC 1995). A serial is on disk before anybody gets it.
//
// It opens no socket and knows nothing of CoreDNS: who may transfer, and who is told, is up to the caller.
package secondary
