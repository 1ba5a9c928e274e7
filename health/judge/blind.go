package judge

// Sight is what a vantage sees at one instant, in counts.
type Sight struct {
	// Probed and Failing are targets: all that have been probed, and those whose latest probe failed.
	Probed, Failing int
	// Regions are those in which something is probed, FailingRegions those in which most of it fails.
	Regions, FailingRegions int
	// References and ReferencesUp are reference targets, which stand for the world outside.
	References, ReferencesUp int
	// Peers and PeersHeard are the other nodes of the cluster.
	Peers, PeersHeard int
}

// Blind tells whether the vantage itself is what is broken: most of what it probes fails at once, in several regions, while
// everything that it uses as a reference, or every other node, is out of reach too. A node with targets in one region only has
// no "several": there the references decide. With neither references nor peers a vantage never calls itself blind.
func (s Sight) Blind() bool {
	return s.Cut() && 2*s.Failing > s.Probed && (s.FailingRegions > 1 || s.Regions == 1)
}

// Cut tells whether nothing of the world outside answers. References are better witnesses than peers, which may all be cut off
// from each other while the world is well.
func (s Sight) Cut() bool {
	if s.References > 0 {
		return s.ReferencesUp == 0
	}
	return s.Peers > 0 && s.PeersHeard == 0
}
