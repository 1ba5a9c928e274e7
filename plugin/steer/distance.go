package steer

import "math"

// A point is a place on the sphere as a unit vector. The greater the dot product of two, the shorter the great circle
// between them.
type point struct{ x, y, z float64 }

// pointOf converts from degrees.
func pointOf(latitude, longitude float64) point {
	sinLat, cosLat := math.Sincos(latitude * math.Pi / 180)
	sinLon, cosLon := math.Sincos(longitude * math.Pi / 180)
	return point{cosLat * cosLon, cosLat * sinLon, sinLat}
}

func (p point) dot(q point) float64 { return p.x*q.x + p.y*q.y + p.z*q.z }
