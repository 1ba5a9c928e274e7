// Package door is what listeners over TCP that want to know who asks have in common: a certificate that is read again when it changes,
// connections bounded by source, and sources that have failed too often.
//
// Everything is safe for concurrent use. The package knows no roles and no tokens: who may what is for those who listen.
package door
