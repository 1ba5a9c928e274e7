package config

import (
	"errors"
	"regexp"
)

// A User is as whom a node that was started as root goes on; the zero User is as root.
type User struct {
	// Name is a name that the system knows, or a number. Group is so too; empty means the groups of Name, and the number of
	// a user that the system does not know.
	Name, Group string
}

// accountText matches what useradd(8) of the distributions accepts as a name, or a number.
var accountText = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]{0,31})(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,31}))?$`)

// userText wants USER or USER:GROUP.
func userText(s string) error {
	if !accountText.MatchString(s) {
		return errors.New("want USER or USER:GROUP, each a name or a number")
	}
	return nil
}

func parseUser(s string) User {
	if m := accountText.FindStringSubmatch(s); m != nil {
		return User{Name: m[1], Group: m[2]}
	}
	return User{}
}
