// Package rollover says when a step of a key rollover is safe: by what this node answered, not by what key files say. A Record follows with
// which keys each zone is answered, and until when caches may hold an answer that lacks a key or that a key has signed; Judge puts the words
// of all nodes together.
//
// A Record's methods may be called by anybody. It counts what is served, and notices late rather than early. It judges no key file, asks no
// node and does not know what name servers other than the nodes answered.
package rollover
