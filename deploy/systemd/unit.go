// Package systemd holds the unit that the packages install, for those who install by hand.
package systemd

import _ "embed"

// Unit is fairlead.service.
//
//go:embed fairlead.service
var Unit string
