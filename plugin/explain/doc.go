// Package explain says why a name is answered as it is, and what would be answered if something were the case: an assumption, an order, the end
// of one, another version of a zone file. It runs the code that serves, on views that it makes up.
//
// An Explainer is a value over one snapshot. The package keeps no clock and no state, asks no node, and changes nothing that is served.
package explain
