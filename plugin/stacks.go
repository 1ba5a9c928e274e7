package fairlead

import (
	"runtime"
	"sync"
)

const (
	// stackSamples goroutines stand still with stackDepth octets of stack in use each, for as long as the process lives: 4 MiB in all.
	stackSamples = 512
	stackDepth   = 6 << 10
	// stackFrame is how much of that one call takes.
	stackFrame = 1 << 10
)

// deepStacks has new goroutines begin with a stack that a query fits into.
//
// CoreDNS, by way of miekg/dns, starts a goroutine for each query over UDP. It begins with 2 KiB of stack and grows it two or three times,
// by a copy each, before the query is answered. The runtime gives new goroutines the mean of what it finds in use at each collection, which
// sees hardly any of these, as they live for microseconds; then ended ones are reused with their stacks. So the mean is raised by goroutines
// that do nothing. With GODEBUG=adaptivestackstart=0 the runtime does not do that, and nothing is gained.
var deepStacks = sync.OnceFunc(func() {
	for range stackSamples {
		go hold(stackDepth/stackFrame - 1)
	}
	// The mean counts from the next collection on.
	go runtime.GC()
})

// hold stands still n+1 frames deep.
//
//go:noinline
func hold(n int) byte {
	var frame [stackFrame]byte
	if n > 0 {
		frame[n] = hold(n - 1)
	} else {
		select {}
	}
	runtime.KeepAlive(&frame)
	return frame[n/2]
}
