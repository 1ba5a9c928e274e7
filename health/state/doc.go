// Package state keeps what a node believed of endpoints and pools on disk, so that a restart does not begin with everything unknown: the last
// verdicts, and the pools that are out or on their way back. It notes as well which files of the state directory are damaged.
//
// What is asked of a File is answered from memory on the caller's goroutine; Save leaves a view to Run, which writes on a goroutine of its
// own. It decides nothing: what a verdict of before is worth is for the caller to say.
package state
