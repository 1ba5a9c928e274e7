// Package diff says what two versions of a zone do differently, by effect and not by how they are written. It is pure, and every goroutine may
// call it. It refuses to leave anything out: a field of the model that it does not know how to tell is a panic that its tests find.
package diff
