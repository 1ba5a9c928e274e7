package abuse

// Guards are the cookies and the limits of a process: one of each for all addresses, both paths and all instances. The zero value guards
// nothing.
type Guards struct {
	Jar     *Jar
	Limiter *Limiter
}

// NewGuards makes both.
func NewGuards() Guards { return Guards{NewJar(), NewLimiter()} }
