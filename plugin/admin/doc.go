// Package admin serves the HTTP API on a unix socket. It reads what the engine published, and hands the orders of
// operators to it.
//
// All routes stand in one table (routes), from which later work makes roles and a description of the API. Handlers run
// concurrently; all that they read is immutable or locked by its owner. The package knows no DNS server, opens no TCP port
// and decides nothing: what it shows comes through Node.
package admin
