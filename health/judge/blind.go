package judge

// Sight is what a vantage sees at one instant, in counts.
type Sight struct {
	// Probed and Failing are targets: all that have been probed, and those whose latest probe failed.
	Probed, Failing int
	// Regions are those in which something is probed, FailingRegions those in which most of it fails.
	Regions, FailingRegions int
	// References and ReferencesUp are reference targets, which stand for the world outside.
	References, ReferencesUp int
}

// Blind tells whether the vantage itself is what is broken: most of what it probes fails at once, in several regions, while
// everything that it uses as a reference is out of reach too. A node with targets in one region only has no "several": there
// the references decide. Without references a vantage never calls itself blind.
func (s Sight) Blind() bool {
	return s.References > 0 && s.ReferencesUp == 0 && 2*s.Failing > s.Probed && (s.FailingRegions > 1 || s.Regions == 1)
}
