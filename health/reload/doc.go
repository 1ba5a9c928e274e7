// Package reload brings new configurations to the one that serves: the goroutine that watches the zone files, the model that waits to be
// compiled, and whoever waits for what a look at the files came to.
//
// Files and Models may be used from any goroutine. Nothing here compiles or serves; a model that still waits when the next one comes is not
// served.
package reload
