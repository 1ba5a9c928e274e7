package steer

// A Location is what a geo database knows of one network. The zero Location knows nothing.
type Location struct {
	// Continent is a code as in EU, Country an ISO 3166-1 code, Subdivisions are ISO 3166-2 codes as in US-CA, the
	// largest first. All are upper-case.
	Continent, Country string
	Subdivisions       []string
	// ASN is the autonomous system that announces the network; 0 if unknown.
	ASN uint32
	// Latitude and Longitude are in degrees; HasPoint tells 0,0 from not known.
	Latitude, Longitude float64
	HasPoint            bool
	// Bits is the length of the longest prefix around the address of which all of this holds, counted in the address's own
	// family: 0..32 or 0..128.
	Bits int
}
